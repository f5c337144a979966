"""What clients do: open a connection, say what they listen to, close it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from broker.batches.store import Batches
from broker.errors import Forbidden, TooManyAtOnce
from broker.jobs.reading import owned
from broker.jobs.store import Jobs
from broker.push.changes import batch_state, job_state
from broker.push.connection import LONGEST_MS, MOST_SUBSCRIPTIONS, Connection, Connections
from broker.push.messages import Message, answer
from broker.push.watching import MayListen

SCOPE = "jobs:read"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who the authorizer says opened the connection."""

    tenant: str
    scopes: frozenset[str]
    digest: str = ""
    """The hash of an API key; empty for a token."""
    until: int | None = None
    """When its token ends, in milliseconds."""


@dataclass(frozen=True, slots=True)
class Listen:
    """The use cases behind the routes of the WebSocket API."""

    connections: Connections
    jobs: Jobs
    batches: Batches
    may_listen: MayListen
    check_rate: Callable[[str, int], None]
    """Raises where the tenant calls too often."""
    base_url: str
    """Of the REST API, for links."""

    def open(self, connection_id: str, caller: Caller, now: int) -> None:
        """Take a connection.

        Raises:
            Forbidden: the credential may not read jobs.
            RateLimited: the tenant calls too often.
            TooManyAtOnce: it has as many connections as it may have.
        """
        self.check_rate(caller.tenant, now)
        if not caller.scopes & {SCOPE, "*"}:
            raise Forbidden(f"The credential lacks the scope {SCOPE}.", code="missing_scope")
        ends_at = min(now + LONGEST_MS, caller.until or now + LONGEST_MS)
        self.connections.open(Connection(connection_id, caller.tenant, caller.digest, now, ends_at, now), now)

    def close(self, connection_id: str, tenant: str) -> None:
        """Forget a connection that is closed; may be repeated."""
        self.connections.remove(tenant, connection_id)

    def hear(self, connection_id: str, tenant: str, message: Message, ref: str | None, now: int) -> str | None:
        """Do what a message asks for.

        Returns:
            The answer; None where the connection has to be closed: it is over, its key is revoked, or it missed
            something.

        Raises:
            RateLimited: the tenant calls too often.
            NotFound: the tenant has no such job or batch.
            TooManyAtOnce: the connection listens to as much as it may.
        """
        self.check_rate(tenant, now)
        found = self.connections.find(tenant, connection_id, now)
        if found is None or found.lost or not self.may_listen(found, now, at_once=True):
            return None
        if message.action == "ping":
            return answer("pong", ref)
        subject: dict[str, Any] = {message.kind: message.id or True}
        if message.action == "unsubscribe":
            kept = self.connections.change(tenant, connection_id, now, lambda each: without(each, message))
            return None if kept is None else answer("unsubscribed", ref, **subject)
        return self._subscribed(found, message, subject, ref, now)

    def _subscribed(
        self, found: Connection, message: Message, subject: dict[str, Any], ref: str | None, now: int
    ) -> str | None:
        """Listen first and look then: what is committed between the two is in the answer, and what is later is told."""
        self._state(found.tenant, message)  # only what it may see
        if message.kind != "all" and found.subscriptions >= MOST_SUBSCRIPTIONS:
            self._drop_ended(found, now)
        kept = self.connections.change(found.tenant, found.id, now, lambda each: with_more(each, message))
        if kept is None:
            return None
        state = self._state(found.tenant, message)
        return answer("subscribed", ref, **subject, **({"state": state} if state else {}))

    def _state(self, tenant: str, message: Message) -> dict[str, Any]:
        if message.kind == "job":
            return job_state(owned(self.jobs, message.id, tenant), self.base_url)
        if message.kind == "batch":
            return batch_state(self.batches.get(message.id, tenant), self.base_url)
        return {}

    def _drop_ended(self, found: Connection, now: int) -> None:
        """Make room: of jobs that have ended, or are gone, there is nothing more to hear."""
        over = {each for each in found.jobs if (head := self.jobs.find(each)) is None or head.is_over}
        ended = {each for each in found.batches if (batch := self.batches.find(each)) is None or batch.status.terminal}

        def decide(each: Connection) -> Connection:
            jobs = tuple(job for job in each.jobs if job not in over)
            batches = {batch: rows for batch, rows in each.batches.items() if batch not in ended}
            return replace(each, jobs=jobs, batches=batches)

        self.connections.change(found.tenant, found.id, now, decide)


def with_more(connection: Connection, message: Message) -> Connection:
    """The connection, listening to what the message names as well.

    Raises:
        TooManyAtOnce: it listens to as much as it may.
    """
    if message.kind == "all":
        return replace(connection, all=True)
    if message.kind == "job" and message.id not in connection.jobs:
        more = replace(connection, jobs=(*connection.jobs, message.id))
    elif message.kind == "batch":
        more = replace(connection, batches={**connection.batches, message.id: message.rows})
    else:
        return connection
    if more.subscriptions > MOST_SUBSCRIPTIONS:
        raise TooManyAtOnce(
            f"A connection listens to {MOST_SUBSCRIPTIONS} jobs and batches at most; end another, or listen to all.",
            code="too_many_subscriptions",
            param=message.kind,
        )
    return more


def without(connection: Connection, message: Message) -> Connection:
    """The connection, listening no more to what the message names; the same where it did not."""
    if message.kind == "all":
        return replace(connection, all=False)
    jobs = tuple(each for each in connection.jobs if message.kind != "job" or each != message.id)
    batches = {each: rows for each, rows in connection.batches.items() if message.kind != "batch" or each != message.id}
    return replace(connection, jobs=jobs, batches=batches)
