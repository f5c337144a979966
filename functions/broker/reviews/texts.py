"""What a reviewer gets to see of a job: the texts in question, as models and clients would see them.

What was redacted stays so: a reviewer sees placeholders. Bytes of pictures and documents are no texts.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from broker.guardrails.walk import Seen, input_texts, output_texts
from broker.jobs.head import Head
from broker.jobs.store import REDACTED, REQUEST, Payloads

MOST_BYTES = 4_000_000
"""Of all texts together, in UTF-8: a function's reply has six megabytes at most."""


def request_of(payloads: Payloads, job_id: str) -> Mapping[str, Any] | None:
    """The request as models may see it; None where it is not kept any more."""
    kept: dict[str, Any] = payloads.load(job_id, REDACTED, fresh=True) or {}
    found: Mapping[str, Any] | None = kept.get("request") or payloads.load(job_id, REQUEST)
    return found


def seen_at(payloads: Payloads, head: Head, stage: str, output: str | None) -> list[Seen] | None:
    """The texts of one stage, each once, keys of objects among them; None where they are not kept any more.

    Args:
        payloads: where they are kept.
        head: the job.
        stage: before the model (the request), or after it (the answer).
        output: the payload's name of the answer.
    """
    document: Any = request_of(payloads, head.id) if stage == "input" else output and payloads.load(head.id, output)
    if document is None:
        return None
    texts = input_texts(document) if stage == "input" else output_texts(document)
    return [seen for seen in texts if not (seen.seam or seen.again)]


def listed(texts: Iterable[Seen]) -> tuple[list[dict[str, str]], bool]:
    """Texts with their places, for a reply; and whether they are all there, each to its end."""
    left = MOST_BYTES
    found: list[dict[str, str]] = []
    for seen in texts:
        size = len(seen.text.encode())
        if size > left:
            return [*found, {"place": str(seen.path), "text": beginning(seen.text, left)}], False
        left -= size
        found.append({"place": str(seen.path), "text": seen.text})
    return found, True


def beginning(text: str, most: int) -> str:
    """What of a text has no more bytes than that, in UTF-8."""
    return text.encode()[:most].decode(errors="ignore")
