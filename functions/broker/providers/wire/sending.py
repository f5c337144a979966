"""Whether a request left for a provider: what fails before that cost nothing, whatever failed. And what came back."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from broker.errors import Rejected

CONNECT_S = 5.0
"""Seconds for a connection, of a call's time."""

REQUEST_IDS = ("x-request-id", "request-id", "apim-request-id", "x-amzn-requestid", "x-debug-trace-id")
"""Headers of replies by which providers name a request."""


@dataclass(slots=True)
class SendingWatch:
    """What was seen of one call."""

    sent: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the last reply, by lower-case name."""
    given: frozenset[str] = frozenset()
    """Parameters of the request."""
    taken: set[str] = field(default_factory=set)
    """Those of them that the service is sent."""
    strict: bool = False
    """Whether nothing is to be sent without all of them."""

    @property
    def request_id(self) -> str:
        """What the provider calls the last request; empty where it did not say."""
        return next((self.headers[name] for name in REQUEST_IDS if self.headers.get(name)), "")

    @property
    def dropped(self) -> list[str]:
        """The request's fields that the service is not sent."""
        return [f"parameters.{name}" for name in sorted(self.given - self.taken)]


_watch: ContextVar[SendingWatch | None] = ContextVar("watch", default=None)


@contextmanager
def watched(given: Iterable[str] = (), *, strict: bool = False) -> Iterator[SendingWatch]:
    """Watch what is sent within; where it is strict, nothing without all of the parameters that were `given`."""
    watch = SendingWatch(given=frozenset(given), strict=strict)
    token = _watch.set(watch)
    try:
        yield watch
    finally:
        _watch.reset(token)


def taken(*names: str) -> None:
    """Said by whoever puts a parameter of the request into what is sent."""
    if watch := _watch.get():
        watch.taken.update(names)


def left_out(*names: str) -> None:
    """Said by whoever takes one out of it again."""
    if watch := _watch.get():
        watch.taken.difference_update(names)


def sending() -> None:
    """Said by whoever sends a request, just before its first byte.

    Raises:
        Rejected: there is a parameter that is not in it, and nothing is to be sent so.
    """
    if watch := _watch.get():
        if watch.strict and not watch.sent and (dropped := watch.dropped):
            what = f"The model does not take {', '.join(dropped)}."
            raise Rejected(what, code="unsupported_parameter", param=dropped[0])
        watch.sent = True


def replied(headers: Mapping[str, str]) -> None:
    """Said by whoever gets a reply, also one that is an error."""
    if watch := _watch.get():
        watch.headers = headers
