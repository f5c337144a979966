"""The tables in memory for many thousand jobs, and what is asked of them as it would be on the bill."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from broker.storage import Item, Operation, Page, Put, TableName, Update

from tests.fakes.counting import UNIT_BYTES, bytes_of
from tests.fakes.database import FakeDatabase

READ_BYTES = 4 * UNIT_BYTES
"""A read unit; half of one is a read that may not see the last second (Amazon DynamoDB, read/write capacity)."""


@dataclass(slots=True)
class QuickDatabase(FakeDatabase):
    """Finds what is due without a look at all there is."""

    due: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    """Of heads, when they are due by partition of the index and key."""

    def _write(self, operations: Sequence[Operation]) -> None:
        FakeDatabase._write(self, operations)
        for each in operations:
            pk, sk = (each.item["pk"], each.item["sk"]) if isinstance(each, Put) else (each.pk, each.sk)
            if isinstance(each, Put) and "due" not in each.item:
                for partition in self.due.values():
                    partition.pop(f"{pk} {sk}", None)
            elif isinstance(each, Put):
                self.due[each.item["due"]][f"{pk} {sk}"] = each.item["due_at"]
        for name in [name for name, partition in self.due.items() if not partition]:
            del self.due[name]

    def index(
        self,
        name: Literal["tenant", "due"],
        value: str,
        *,
        limit: int,
        newest_first: bool = False,
        upto: int | None = None,
        cursor: Item | None = None,
    ) -> Page:
        """See `Database.index`; of what is due alone."""
        if name != "due" or newest_first or upto is None:
            raise ValueError("only what is due, oldest first")
        after = (cursor["due_at"], f"{cursor['pk']} {cursor['sk']}") if cursor else (0, "")
        found = sorted((at, key) for key, at in self.due.get(value, {}).items() if at <= upto and (at, key) > after)
        items = [
            {"due": value, "due_at": at, **dict(zip(("pk", "sk"), key.split(" "), strict=True))}
            for at, key in found[:limit]
        ]
        return Page(items, items[-1] if len(items) == limit else None)


@dataclass(slots=True)
class MeteredDatabase:
    """What one user of the tables asks of them: requests by kind, and units."""

    tables: FakeDatabase
    requests: Counter[str] = field(default_factory=Counter)
    reads: float = 0
    writes: float = 0

    def get_many(self, table: TableName, keys: Sequence[tuple[str, str]]) -> list[Item]:
        """See `Database.get_many`."""
        found = self.tables.get_many(table, keys)
        if keys:
            self.requests["BatchGetItem"] += -(-len(keys) // 100)
        self.reads += len(found) / 2  # a head is below one kilobyte, and what the last second wrote may not be seen
        return found

    def query(self, table: TableName, pk: str, prefix: str = "") -> list[Item]:
        """See `Database.query`."""
        found = self.tables.query(table, pk, prefix)
        self.requests["Query"] += 1
        self.reads += max(1, -(-sum(map(bytes_of, found)) // READ_BYTES))
        return found

    def write(self, operation: Put | Update) -> None:
        """See `Database.write`."""
        self.requests["write"] += 1
        self.tables.write(operation)
        self.writes += -(-bytes_of(operation.item) // UNIT_BYTES) if isinstance(operation, Put) else 1

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} is not metered")
