"""Whether a request left for a provider: what fails before that cost nothing, whatever failed. And what came back."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

CONNECT_S = 5.0
"""Seconds for a connection, of a call's time."""


@dataclass(slots=True)
class SendingWatch:
    """What was seen of one call."""

    sent: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the last reply, by lower-case name."""


_watch: ContextVar[SendingWatch | None] = ContextVar("watch", default=None)


@contextmanager
def watched() -> Iterator[SendingWatch]:
    """Watch what is sent within."""
    watch = SendingWatch()
    token = _watch.set(watch)
    try:
        yield watch
    finally:
        _watch.reset(token)


def sending() -> None:
    """Said by whoever sends a request, just before its first byte."""
    if watch := _watch.get():
        watch.sent = True


def replied(headers: Mapping[str, str]) -> None:
    """Said by whoever gets a reply, also one that is an error."""
    if watch := _watch.get():
        watch.headers = headers
