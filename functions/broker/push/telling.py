"""Telling connections of changes, each at most one message for all that a batch of the stream has for it.

The stream has the changes of all tenants, so none may hold it up: tenants are told in turn, a post has a short bound
and is made once, and what cannot be told by then is not told. Who missed something so has its connection closed, and
learns what there is when it comes back: a connection that stays open has what was sent.
"""

import json
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, zip_longest
from threading import Lock
from typing import Protocol

from broker.delivery.publishing import HeadChange
from broker.errors import Conflict
from broker.push.changes import BatchChange, News, news_of
from broker.push.connection import Connection, Connections
from broker.push.watching import MayListen
from broker.side_by_side import Work

AT_ONCE = 16
"""Posts at the same time."""

MOST_FAILURES = 3
"""Posts of a tenant that failed in one batch of the stream: the rest of its connections are not tried in this one."""

MOST_BYTES = 100_000
"""Of one message; API Gateway takes 128 KiB (its quotas of WebSocket APIs)."""


class ConnectionGone(Exception):
    """The connection is closed, or there was none."""


class Gateway(Protocol):
    """The far end of connections (API Gateway's `@connections`)."""

    def post(self, connection_id: str, text: str) -> None:
        """Send a message; made once, within a short time.

        Raises:
            ConnectionGone: it is closed.
            Exception: it could not be sent, or nobody knows whether it was.
        """
        ...

    def close(self, connection_id: str) -> None:
        """Close it; one that is closed is as good.

        Raises:
            Exception: it may still be open.
        """
        ...


@dataclass(slots=True)
class _Turn:
    """What is to be done in one batch of the stream; threads share it."""

    waiting: deque[tuple[Connection, list[News]]]
    failures: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def next(self) -> tuple[Connection, list[News]] | None:
        """Who is told next; None where nobody is left."""
        with self._lock:
            return self.waiting.popleft() if self.waiting else None

    def failed(self, tenant: str) -> None:
        """A post of a tenant failed."""
        with self._lock:
            self.failures[tenant] += 1


@dataclass(frozen=True, slots=True)
class TellConnections:
    """Tells connections; each time may be repeated, for what is told has its sequence number."""

    connections: Connections
    gateway: Gateway
    may_listen: MayListen
    base_url: str
    """Of the REST API, for links."""
    side_by_side: Callable[[Sequence[Work], Callable[[], float]], None]
    on_unsent: Callable[[Connection, Exception | None], None] = lambda connection, error: None
    """Told of a connection that missed something, and why: None where it was not tried."""

    def __call__(self, changes: Sequence[HeadChange | BatchChange], now: int, seconds_left: Callable[[], float]) -> int:
        """Tell of changes in their order; gives how many messages there were to send.

        One read for each tenant that has news, whoever listens.
        """
        news: dict[str, list[News]] = {}
        for change in changes:
            if found := news_of(change, self.base_url):
                news.setdefault(found.tenant, []).append(found)
        turn = _Turn(deque(self._in_turn(news, now)))
        messages = len(turn.waiting)

        def work() -> None:
            self._work(turn, now, seconds_left)

        if messages:
            self.side_by_side([work] * min(AT_ONCE, messages), seconds_left)
        while left := turn.next():  # the time was over
            self._missed(left[0], now, None)
        return messages

    def _in_turn(self, news: Mapping[str, Sequence[News]], now: int) -> list[tuple[Connection, list[News]]]:
        """Who is told what: the first connection of each tenant, then the second of each."""
        wanted = []
        for tenant, about in news.items():
            found = self.connections.open_in(tenant, now)
            theirs = [(each, [one for one in about if one.is_for(each)]) for each in found]
            wanted.append([(each, told) for each, told in theirs if told])
        return [each for each in chain.from_iterable(zip_longest(*wanted)) if each]

    def _work(self, turn: _Turn, now: int, seconds_left: Callable[[], float]) -> None:
        while seconds_left() > 0 and (due := turn.next()):
            connection, told = due
            if turn.failures[connection.tenant] >= MOST_FAILURES:
                self._missed(connection, now, None)
                continue
            try:
                self._tell(connection, told, now)
            except ConnectionGone:
                self.connections.remove(connection.tenant, connection.id)
            except Exception as error:
                turn.failed(connection.tenant)
                self._end_or_leave(connection, now, error)

    def _tell(self, connection: Connection, told: Sequence[News], now: int) -> None:
        if connection.lost or not self.may_listen(connection, now):
            self._end(connection)
            return
        for text in messages_of(told):
            self.gateway.post(connection.id, text)

    def _end_or_leave(self, connection: Connection, now: int, error: Exception) -> None:
        try:
            self._end(connection)
        except Exception:
            self._missed(connection, now, error)
        else:
            self.on_unsent(connection, error)

    def _end(self, connection: Connection) -> None:
        self.gateway.close(connection.id)
        self.connections.remove(connection.tenant, connection.id)

    def _missed(self, connection: Connection, now: int, error: Exception | None) -> None:
        """Have it closed when there is time: at its next message, or when there is something else to tell it."""
        self.on_unsent(connection, error)
        try:
            self.connections.change(connection.tenant, connection.id, now, lambda each: replace(each, lost=True))
        except Conflict:
            self.connections.remove(connection.tenant, connection.id)


def messages_of(told: Sequence[News]) -> list[str]:
    """The texts of messages: one, but where it would be too large."""
    texts: list[str] = []
    some: list[str] = []
    size = 0
    for each in told:
        text = json.dumps(each.told, separators=(",", ":"))
        if some and size + len(text) > MOST_BYTES:
            texts.append(_joined(some))
            some, size = [], 0
        some.append(text)
        size += len(text) + 1
    return [*texts, _joined(some)] if some else texts


def _joined(texts: Sequence[str]) -> str:
    return f'{{"type":"changes","changes":[{",".join(texts)}]}}'
