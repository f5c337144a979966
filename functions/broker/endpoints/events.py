"""What endpoints may be told of, and how: in the broker's words, or in those that OpenAI's packages read.

Source of the second: OpenAI's API reference, "Webhook events", and the types of its Python package.
"""

from collections.abc import Iterator
from typing import Any

from broker.doors.openai import public_id
from broker.doors.responses import CUT, PREFIX, STATUSES
from broker.endpoints.record import Form
from broker.jobs.head import HELD_EVENT, Head

NATIVE: Form = "native"
OPENAI: Form = "openai"

TASK, DOOR = "chat", "openai"
"""Of the jobs that are responses, whichever of OpenAI's routes they came by."""

ANY = "*"


def native_event(head: Head) -> str:
    """What a job that ended, or is held, is told as."""
    return HELD_EVENT if head.is_held else f"job.{head.status.value}"


def openai_event(head: Head) -> str | None:
    """The same in OpenAI's words; None of a job that has none."""
    if head.is_held or head.door != DOOR or head.task != TASK:
        return None
    cut = head.cut or (head.error or {}).get("type") in CUT
    return f"response.{'incomplete' if cut else STATUSES[head.status.value]}"


def openai_body(event: str, event_id: str, at: int, about: str) -> dict[str, Any]:
    """The body; `at` are milliseconds, `about` the id of a response or a batch."""
    return {"id": event_id, "object": "event", "created_at": at // 1000, "type": event, "data": {"id": about}}


def response_id(job_id: str) -> str:
    """The response that a job is."""
    return public_id(PREFIX, job_id)


def expanded(asked: list[str], known: tuple[str, ...]) -> Iterator[str]:
    """The events that are meant, each once, in the order of those that are known: `job.*` are all of jobs."""
    for event in known:
        if any(each in (ANY, event) or (each.endswith(".*") and event.startswith(each[:-1])) for each in asked):
            yield event
