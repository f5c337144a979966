"""A job's answer as a caller may see it: in the reply, or by a link where it is too large for one."""

import json
from typing import Any

from broker.guardrails.placeholders import named_in, restored
from broker.jobs.head import Head
from broker.jobs.store import REDACTED, Linked, Payloads
from broker.json_text import MOST_IN_REPLY, in_reply
from broker.storage import Item

FILLED = "=filled"
"""Behind the name of a large answer, for the one with the values in the place of its placeholders."""

MOST_FILLED = 20_000_000
"""Bytes of a large answer that is filled in. What models say has 16 MiB at most, so that only numbers are larger."""


def answer_of(payloads: Payloads, head: Head, item: Item | None, *, filled: bool) -> Any | Linked | None:
    """The answer, or where it is; None where there is none (any more).

    Args:
        payloads: where it is kept.
        head: the job's.
        item: the answer's own, from `Jobs.around`.
        filled: with the values in the place of its placeholders.
    """
    if head.output is None:
        return None
    linked = payloads.linked(head.id, head.output, item) if item or head.linked else None
    if linked and (not filled or linked.bytes > MOST_FILLED):
        return linked
    output = payloads.load(head.id, head.output, item, words=True)
    if not output:
        return linked if output is not None and linked else output  # numbers have no placeholders
    mapping = _mapping(payloads, head.id, output) if filled else {}
    if mapping:
        output = restored(output, mapping)
        if in_reply(json.dumps(output, ensure_ascii=False)) > MOST_IN_REPLY:
            return _put_aside(payloads, head, head.output, output)
    elif linked:
        return linked
    for number, file in enumerate(output.get("files", ()), 1):
        file["url"] = payloads.link(head.id, head.output, number)
    return output


def _mapping(payloads: Payloads, job_id: str, output: Any) -> dict[str, str]:
    """What an answer's placeholders stand for; one that has none costs no read."""
    if not named_in(output):
        return {}
    kept = payloads.load(job_id, REDACTED, fresh=True) or {}
    mapping: dict[str, str] = kept.get("mapping", {})
    return mapping


def _put_aside(payloads: Payloads, head: Head, name: str, filled: Any) -> Linked | None:
    """Put a filled answer where a link leads to it; it goes with the job, and at once if that was just erased."""
    payloads.save(head, f"{name}{FILLED}", filled)
    if not payloads.stands(head.id, name):
        payloads.drop(head.id, f"{name}{FILLED}")
        return None
    return payloads.linked(head.id, f"{name}{FILLED}")
