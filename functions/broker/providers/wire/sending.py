"""Whether a request left for a provider: what fails before that cost nothing, whatever failed."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

CONNECT_S = 5.0
"""Seconds for a connection, of a call's time."""


@dataclass(slots=True)
class SendingWatch:
    """What was seen of one call."""

    sent: bool = False


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
