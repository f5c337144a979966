"""What a reviewer gets to see of a job: the texts in question, as models and clients would see them.

What was redacted stays so: a reviewer sees placeholders. Bytes of pictures and documents are no texts.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from broker.guardrails.walk import Seen, input_texts, output_texts
from broker.jobs.head import Head
from broker.jobs.store import REDACTED, REQUEST, Payloads
from broker.json_text import MOST_IN_REPLY

MOST_BYTES = MOST_IN_REPLY
"""Of all texts together, with their places, as `weight` counts."""

OF_EACH = 60
"""Bytes of a text's own, for the names of its fields and what stands between."""

AT_ONCE = 4096
"""Characters of a text that are weighed at once, where not all of it may go out."""

WORDS = frozenset(
    "system developer user assistant tool text image_url function object array string number integer boolean null "
    "stop length tool_calls content_filter".split()
)
"""What a role, a type or a reason to end says: words of the contract, and of JSON Schema."""

WORDED = ("role", "type", "finish_reason")


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


def to_judge(texts: Iterable[Seen]) -> list[Seen]:
    """Of a stage's texts those that say something to a person: names and words of the contract are left out.

    So are names in an answer's JSON, whose text has them.
    """
    return [seen for seen in texts if not _is_form(seen)]


def _is_form(seen: Seen) -> bool:
    steps = seen.path.steps()
    if seen.is_key:
        return steps in (["output"], ["parameters"]) or steps[:2] == ["output", "json"]
    return steps[-1] in WORDED and seen.text in WORDS


def listed(texts: Sequence[Seen], found: Collection[str]) -> tuple[list[dict[str, str]], bool]:
    """Texts with their places, for a reply; and whether they are all there, each to its end.

    Where they are not, those at places where something was `found` come first: nobody hides one behind others.
    """
    shown, complete = _as_many_as_go(texts)
    if complete:
        return shown, True
    # What is below such a place counts too: a finding may be of all messages together.
    below = tuple(f"{place}." for place in found)
    first: list[Seen] = []
    others: list[Seen] = []
    for seen in texts:
        (first if f"{seen.path}.".startswith(below) else others).append(seen)
    return _as_many_as_go([*first, *others])


def _as_many_as_go(texts: Iterable[Seen]) -> tuple[list[dict[str, str]], bool]:
    left = MOST_BYTES
    found: list[dict[str, str]] = []
    for seen in texts:
        place = str(seen.path)
        left -= weight(place) + OF_EACH
        if left <= 0:
            return found, False
        size = weight(seen.text)
        if size > left:
            return [*found, {"place": place, "text": beginning(seen.text, left)}], False
        left -= size
        found.append({"place": place, "text": seen.text})
    return found, True


def weight(text: str) -> int:
    """Bytes that a text has in a function's reply: that is JSON, and in it the body is JSON once more.

    A quotation mark has four of them, a character of no print up to seven.
    """
    for _ in range(2):
        text = json.dumps(text, ensure_ascii=False)[1:-1]
    return len(text.encode())


def beginning(text: str, most: int) -> str:
    """What of a text has no more bytes than that, as `weight` counts."""
    left = most
    for begin in range(0, len(text), AT_ONCE):
        piece = text[begin : begin + AT_ONCE]
        if (size := weight(piece)) <= left:
            left -= size
            continue
        for place, character in enumerate(piece, begin):
            left -= weight(character)
            if left < 0:
                return text[:place]
    return text
