"""The connections of tenants that listen, each with all that it listens to.

    table ledger   pk PUSH#tenant   sk CONNECTION#id

A change of a job is one read of its tenant's partition, which is bounded: `MOST_CONNECTIONS` items of at most
`MOST_SUBSCRIPTIONS` names each.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Self

from broker.errors import Conflict, TooManyAtOnce
from broker.storage import ConditionFailed, Database, Delete, If, Item, Put

MOST_CONNECTIONS = 100
"""Of a tenant at once."""

MOST_SUBSCRIPTIONS = 20
"""Jobs and batches that one connection listens to by their names."""

LONGEST_MS = 2 * 3_600_000
"""API Gateway ends a connection then (API Gateway Developer Guide, "Quotas for configuring and running a WebSocket
API"), perhaps without a `$disconnect`, which comes as well as it can."""

SILENT_MS = 300_000
"""A connection that listens to nothing for so long makes room where its tenant has too many: it may have been cut
before it was open, of which nobody is told."""

SLACK_S = 300
"""How long after that the record may be deleted."""

TRIES = 5
"""Of a change that others of the same connection come before: it may have several messages under way."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One open connection. Times are milliseconds since the epoch."""

    id: str
    tenant: str
    digest: str
    """The hash of the API key that opened it; empty for a token."""
    opened_at: int
    ends_at: int
    """When API Gateway ends it, or its token does."""
    checked_at: int
    """When its key was last known to be good."""
    all: bool = False
    """True where it listens to all of its tenant's jobs and batches."""
    jobs: tuple[str, ...] = ()
    batches: dict[str, bool] = field(default_factory=dict)
    """Batches that it listens to, and whether to their rows as well."""
    lost: bool = False
    """True where it missed something, and could not be closed for it."""
    rev: int = 1

    @classmethod
    def from_item(cls, item: Item) -> Self:
        """Read the stored form."""
        tenant, connection_id = item["pk"].removeprefix("PUSH#"), item["sk"].removeprefix("CONNECTION#")
        known = {name: item[name] for name in ("digest", "opened_at", "ends_at", "checked_at", "all", "lost", "rev")}
        return cls(connection_id, tenant, jobs=tuple(item["jobs"]), batches=dict(item["batches"]), **known)

    def to_item(self) -> Item:
        """The stored form."""
        return {
            "pk": push_pk(self.tenant),
            "sk": connection_sk(self.id),
            **{name: getattr(self, name) for name in ("digest", "opened_at", "ends_at", "checked_at", "all", "lost")},
            "jobs": list(self.jobs),
            "batches": dict(self.batches),
            "rev": self.rev,
            "expires_at": self.ends_at // 1000 + SLACK_S,
        }

    @property
    def is_silent(self) -> bool:
        """True where it listens to nothing."""
        return not (self.all or self.jobs or self.batches)

    @property
    def subscriptions(self) -> int:
        """How many names it listens to."""
        return len(self.jobs) + len(self.batches)


def push_pk(tenant: str) -> str:
    """The partition of a tenant's connections."""
    return f"PUSH#{tenant}"


def connection_sk(connection_id: str) -> str:
    """The place of a connection in it."""
    return f"CONNECTION#{connection_id}"


@dataclass(frozen=True, slots=True)
class Connections:
    """The connections of one deployment."""

    database: Database

    def open(self, connection: Connection, now: int) -> None:
        """Keep a new one.

        It is written first and counted then, so that of any number that come at once no more stay than may: each sees
        all those that were written before it was.

        Raises:
            TooManyAtOnce: the tenant has as many as it may have; it is not kept.
        """
        self.database.write(Put("ledger", connection.to_item()))
        found = self.open_in(connection.tenant, now)
        if len(found) <= MOST_CONNECTIONS:
            return
        silent = [each for each in found if each.is_silent and now - each.opened_at >= SILENT_MS]
        for each in silent:
            self.remove(each.tenant, each.id)
        if len(found) - len(silent) > MOST_CONNECTIONS:
            self.remove(connection.tenant, connection.id)
            raise TooManyAtOnce(
                f"The tenant has {MOST_CONNECTIONS} connections open, and may have no more.",
                code="too_many_connections",
            )

    def find(self, tenant: str, connection_id: str, now: int) -> Connection | None:
        """One of a tenant, or None where it is not kept, or over."""
        item = self.database.get("ledger", push_pk(tenant), connection_sk(connection_id))
        found = Connection.from_item(item) if item else None
        return found if found and found.ends_at > now else None

    def open_in(self, tenant: str, now: int) -> list[Connection]:
        """All of a tenant that are not over, as of the last write."""
        items = self.database.query("ledger", push_pk(tenant), connection_sk(""))
        return [each for each in map(Connection.from_item, items) if each.ends_at > now]

    def change(
        self, tenant: str, connection_id: str, now: int, decide: Callable[[Connection], Connection]
    ) -> Connection | None:
        """Read, decide, write; again where another message of it was faster. None where it is gone.

        Raises:
            Conflict: it would not hold still.
        """
        for _ in range(TRIES):
            before = self.find(tenant, connection_id, now)
            if before is None:
                return None
            after = decide(before)
            if after == before:
                return before
            after = replace(after, rev=before.rev + 1)
            try:
                self.database.write(Put("ledger", after.to_item(), (If("rev", "=", before.rev),)))
            except ConditionFailed:
                continue
            return after
        raise Conflict(f"connection {connection_id} changed {TRIES} times while it was being changed")

    def remove(self, tenant: str, connection_id: str) -> None:
        """Forget one; may be repeated."""
        self.database.write(Delete("ledger", push_pk(tenant), connection_sk(connection_id)))
