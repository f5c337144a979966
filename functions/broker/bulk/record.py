"""The record of a bulk operation: what is asked, how far it has come, and what came of it.

pk BULK#id   sk BULK   while it goes on, `tenant` {tenant}#bulks and `id` in the index of what tenants have

One worker at a time gets further: each page's figures are written with where the next one begins, on the condition
that the record is as it was read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

from broker.bulk.request import Action, shown_filter
from broker.clock import iso, usd
from broker.errors import NotFound
from broker.jobs.head import due_partition
from broker.storage import ConditionFailed, Database, If, Item, Put

KEEP_S = 30 * 86_400
"""How long the record is kept."""

LOOK_MS = 300_000
"""After so long without a page the sweep asks for the next one."""

MOST_LOOK_MS = 6 * 3_600_000

OPEN = "#bulks"
"""Behind the tenant, of those that go on: they stand apart from its jobs. No tenant's name has a `#`."""

OUTCOMES = ("done", "repeated", "gone", "refused", "faulty")
"""What may come of a job: it is done (in a dry run it would be), a retry of it was there already, its request is not
kept any more, the rules are against it, or it failed as nobody foresaw."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """One bulk operation at one moment. Times are milliseconds, money is nano-dollars."""

    id: str
    tenant: str
    principal: str
    action: Action
    created_at: int
    expires_at: int
    """Epoch SECONDS."""
    meant: Mapping[str, Any]
    """As `BulkRequest.meant`."""
    key: str = ""
    """The id of the API key of who asked; empty for none."""
    member: Mapping[str, Any] = field(default_factory=dict)
    """As what they asked (`permissions.who.Member.kept`)."""
    is_dry: bool = False
    cursor: str | None = None
    """Where the next page begins; None at first."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Jobs by what came of them (`OUTCOMES`)."""
    statuses: Mapping[str, int] = field(default_factory=dict)
    """The same jobs by the status that they had."""
    errors: Mapping[str, int] = field(default_factory=dict)
    """Those that were refused or faulty, by code."""
    worst: int = 0
    """What the retries of a dry run could cost at most."""
    tries: int = 0
    """How often the present page was begun in vain."""
    looks: int = 0
    ended_at: int | None = None
    due_at: int | None = None
    rev: int = 1

    @classmethod
    def from_item(cls, item: Item) -> Self:
        """Read the stored form."""
        known = {spec.name: item[spec.name] for spec in fields(cls) if spec.name in item}
        known |= {"id": str(item["pk"]).removeprefix("BULK#"), "tenant": str(item["tenant"]).removesuffix(OPEN)}
        return cls(**known)

    def to_item(self) -> Item:
        """The stored form. Once it has ended, the id is no attribute of its own: so it leaves the index."""
        item: Item = {"pk": bulk_pk(self.id), "sk": "BULK"}
        for spec in fields(self):
            value = getattr(self, spec.name)
            if spec.name != "id" and value is not None and value is not False and value != {} and value != "":
                item[spec.name] = value
        if self.ended_at is None:
            item |= {"tenant": self.tenant + OPEN, "id": self.id}
        return item | ({"due": due_partition(self.id)} if self.due_at is not None else {})

    @property
    def shown(self) -> dict[str, Any]:
        """Its public form."""
        return {
            "id": self.id,
            "object": "bulk",
            "action": self.action,
            "dry_run": self.is_dry,
            "filter": shown_filter(dict(self.meant)),
            "status": "in_progress" if self.ended_at is None else "completed",
            "created_at": iso(self.created_at),
            "ended_at": iso(self.ended_at),
            "counts": {"matched": sum(self.counts.values()), **{name: self.counts.get(name, 0) for name in OUTCOMES}},
            "by_status": dict(self.statuses),
            "errors": dict(self.errors),
            "worst_cost_usd": usd(self.worst) if self.is_dry and self.action == "retry" else None,
        }

    def looked_at(self, now: int) -> Self:
        """With the sweep's next look put off, for longer each time."""
        return replace(self, looks=self.looks + 1, due_at=now + min(LOOK_MS << min(self.looks, 10), MOST_LOOK_MS))


def bulk_pk(bulk_id: str) -> str:
    """The partition of a bulk operation."""
    return f"BULK#{bulk_id}"


@dataclass(frozen=True, slots=True)
class Bulks:
    """The bulk operations of one deployment."""

    database: Database

    def find(self, bulk_id: str) -> Bulk | None:
        """As of now, or None."""
        item = self.database.get("jobs", bulk_pk(bulk_id), "BULK")
        return Bulk.from_item(item) if item else None

    def get(self, bulk_id: str, tenant: str) -> Bulk:
        """As of now.

        Raises:
            NotFound: there is none, or it is another tenant's.
        """
        bulk = self.find(bulk_id)
        if bulk is None or bulk.tenant != tenant:
            raise NotFound("There is no such bulk operation.", param="id")
        return bulk

    def create(self, bulk: Bulk) -> bool:
        """Write a new one; False where it is there."""
        try:
            self.database.write(Put("jobs", bulk.to_item(), (If("pk", "absent"),)))
        except ConditionFailed:
            return False
        return True

    def open_of_tenant(self, tenant: str, most: int) -> int:
        """How many of a tenant have not ended, counted up to `most`; what the last second wrote may be missing."""
        return len(self.database.index("tenant", tenant + OPEN, limit=most).items)

    def save(self, before: Bulk, after: Bulk) -> Bulk | None:
        """Write what became of it; None where someone else wrote since it was read."""
        kept = replace(after, rev=before.rev + 1)
        try:
            self.database.write(Put("jobs", kept.to_item(), (If("rev", "=", before.rev),)))
        except ConditionFailed:
            return None
        return kept
