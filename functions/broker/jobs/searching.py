"""Which jobs of a list are wanted: by what their heads say, when they were accepted, and a tag."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from broker.errors import InvalidRequest
from broker.jobs.head import Head, Status

Door = Literal["rest", "openai", "anthropic", "mcp", "event", "s3", "batch"]
"""By which a job came; of a row of a batch `batch`, whichever door that came by."""

DOORS = get_args(Door)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a job has to be like; None for whatever it is."""

    status: str | None = None
    application: str | None = None
    model: str | None = None
    """That answered it, or that the request named."""
    prompt: str | None = None
    door: str | None = None
    tag: tuple[str, str] | None = None
    """A key of its metadata, and the value."""
    after: int | None = None
    before: int | None = None
    """Milliseconds since the epoch between which it was accepted: at or after the one, and before the other."""

    def fits(self, head: Head) -> bool:
        """Whether a job is like this, as far as its head tells."""
        return (
            self.status in (None, head.status.value)
            and self.application in (None, head.application)
            and self.model in (None, head.model, head.asked)
            and self.prompt in (None, (head.prompt or {}).get("id"))
            and self.door in (None, head.door)
            and (self.before is None or head.created_at < self.before)
        )

    def fits_tag(self, metadata: Mapping[str, str]) -> bool:
        """The same of its metadata."""
        return self.tag is None or metadata.get(self.tag[0]) == self.tag[1]

    def is_past(self, head: Head) -> bool:
        """Whether this and all older jobs are too old."""
        return self.after is not None and head.created_at < self.after


def wanted_of(query: Mapping[str, str]) -> Wanted:
    """Read the parameters of a list.

    Raises:
        InvalidRequest: names the parameter at fault.
    """
    status, door = query.get("status") or None, query.get("door") or None
    if status is not None and status not in list(Status):
        raise InvalidRequest(f"status is one of {', '.join(Status)}.", param="status")
    if door is not None and door not in DOORS:
        raise InvalidRequest(f"door is one of {', '.join(DOORS)}.", param="door")
    return Wanted(
        status,
        query.get("application") or None,
        query.get("model") or None,
        query.get("prompt") or None,
        door,
        _tag(query.get("tag") or None),
        _time(query, "created_after"),
        _time(query, "created_before"),
    )


def _tag(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    name, sign, value = text.partition("=")
    if not name or not sign:
        raise InvalidRequest("tag is a key of the metadata and its value: key=value.", param="tag")
    return name, value


def _time(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name) or None
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError(text)
        milliseconds = int(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise InvalidRequest(f"{name} is a time with its zone, such as 2026-12-01T08:00:00Z.", param=name) from None
    return max(milliseconds, 0)
