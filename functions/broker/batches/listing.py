"""How batches stand in the index of what a tenant has: by when they were made, those apart that have not ended.

tenant {tenant}#batches        those that have ended
       {tenant}#batches#open   all others, so that one look tells how many there are
id     batch_{uuid7}           of the time that a batch was made; its own id may follow from a file, and tell no time

A batch that ends goes from the one to the other by the very write that ends it. The index holds nothing but keys.
"""

from dataclasses import dataclass
from typing import NamedTuple, Self

from broker.clock import new_id
from broker.storage import Database, Item

ENDED, OPEN = "#batches", "#batches#open"
"""Behind the tenant: batches stand apart from its jobs. No tenant's name has a `#`."""

KIND = "batch_"


class Place(NamedTuple):
    """Where a batch stands among those of its tenant."""

    listed: str
    """By which they are in order."""
    batch_id: str

    @classmethod
    def of(cls, batch_id: str, created_at: int) -> Self:
        """By when it was made, in milliseconds; by its own id, where that tells the time."""
        tells = batch_id.startswith(f"{KIND}{created_at:012x}")
        return cls(batch_id if tells else new_id(KIND, created_at, batch_id), batch_id)

    def keys(self, tenant: str, *, is_open: bool) -> Item:
        """Its keys in the index."""
        return {"tenant": tenant + (OPEN if is_open else ENDED), "id": self.listed}


def tenant_of(item: Item) -> str:
    """Whose a batch is, from its record."""
    return str(item["tenant"]).partition("#")[0]


def batch_pk(batch_id: str) -> str:
    """The partition of a batch."""
    return f"BATCH#{batch_id}"


def batch_id_of(item: Item) -> str:
    """The batch that an item belongs to, from its partition key (all that the indexes hold)."""
    return str(item["pk"]).removeprefix("BATCH#")


@dataclass(frozen=True, slots=True)
class Listed:
    """The index, asked for batches."""

    database: Database

    def page(self, tenant: str, limit: int, after: Place | None) -> tuple[list[Place], Place | None]:
        """Some batches of a tenant, newest first, from the one behind `after` on; and where the next page begins."""
        found: set[Place] = set()
        is_more = False
        for is_open in (True, False):  # in this order, one that ends between the two looks is seen twice, and not never
            keys = (after or Place("", "")).keys(tenant, is_open=is_open)
            cursor = None if after is None else {"pk": batch_pk(after.batch_id), "sk": "BATCH", **keys}
            page = self.database.index("tenant", keys["tenant"], limit=limit, newest_first=True, cursor=cursor)
            found |= {Place(item["id"], batch_id_of(item)) for item in page.items}
            is_more = is_more or page.cursor is not None
        newest = sorted(found, reverse=True)[:limit]
        return newest, newest[-1] if newest and (is_more or len(found) > limit) else None

    def open_of_tenant(self, tenant: str, most: int) -> int:
        """How many batches of a tenant have not ended, counted up to `most`; what the last second wrote may be missing.

        One page of keys tells it: some hundred bytes each, of a megabyte that a page has.
        """
        return len(self.database.index("tenant", tenant + OPEN, limit=most).items) if most > 0 else 0
