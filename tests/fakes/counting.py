"""The tables in memory, with a count of what each request would be on the bill."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from broker.storage import TRIES, Item, Operation, Put, TableName

from tests.fakes.database import INDEX_KEYS, FakeDatabase


def bytes_of(value: Any) -> int:
    """How large an item is to DynamoDB (developer guide, item sizes and formats)."""
    match value:
        case None | bool():
            return 1
        case int():
            return (len(str(abs(value))) + 1) // 2 + 1 + (value < 0)
        case str():
            return len(value.encode())
        case bytes():
            return len(value)
        case list():
            return 3 + sum(1 + bytes_of(each) for each in value)
        case {"pk": _}:
            return sum(len(name) + bytes_of(each) for name, each in value.items())
        case dict():
            return 3 + sum(1 + len(name) + bytes_of(each) for name, each in value.items())
    raise TypeError(f"the tables hold no {type(value).__name__}")


UNIT_BYTES = 1024
"""Of a write unit. In a transaction each costs two (Amazon DynamoDB, read/write capacity)."""


@dataclass(slots=True)
class CountingDatabase(FakeDatabase):
    """Counts requests."""

    reads: int = 0
    writes: int = 0
    requests: int = 0
    """Of writes; a transaction is one."""
    units: int = 0
    """Write units, with those of the indexes."""

    def get(self, table: TableName, pk: str, sk: str, *, eventual: bool = False) -> Item | None:
        """See `Database.get`."""
        self.reads += 1
        return FakeDatabase.get(self, table, pk, sk, eventual=eventual)

    def get_many(self, table: TableName, keys: Sequence[tuple[str, str]]) -> list[Item]:
        """See `Database.get_many`."""
        self.reads += 1
        return FakeDatabase.get_many(self, table, keys)

    def query(self, table: TableName, pk: str, prefix: str = "") -> list[Item]:
        """See `Database.query`."""
        self.reads += 1
        return FakeDatabase.query(self, table, pk, prefix)

    def query_since(self, table: TableName, pk: str, sk: str, limit: int | None = None) -> list[Item]:
        """See `Database.query_since`."""
        self.reads += 1
        return FakeDatabase.query_since(self, table, pk, sk, limit)

    def query_between(
        self,
        table: TableName,
        pk: str,
        first: str,
        last: str,
        *,
        limit: int | None = None,
        last_first: bool = False,
    ) -> list[Item]:
        """See `Database.query_between`."""
        self.reads += 1
        return FakeDatabase.query_between(self, table, pk, first, last, limit=limit, last_first=last_first)

    def write(self, *operations: Operation, tries: int = TRIES) -> None:
        """See `Database.write`."""
        self.writes += len(operations)
        self.requests += 1
        before = [self._item(operation) for operation in operations]
        FakeDatabase.write(self, *operations, tries=tries)
        for operation, old in zip(operations, before, strict=True):
            new = self._item(operation)
            size = max(bytes_of(item) for item in (old, new) if item is not None) if old or new else UNIT_BYTES
            self.units += -(-size // UNIT_BYTES) * (1 if len(operations) == 1 else 2)
            self.units += sum(_index_units(keys, old or {}, new or {}) for keys in INDEX_KEYS.values())

    def _item(self, operation: Operation) -> Item | None:
        named = operation.item if isinstance(operation, Put) else {"pk": operation.pk, "sk": operation.sk}
        return FakeDatabase.get(self, operation.table, named["pk"], named["sk"])


def _index_units(keys: tuple[str, str], old: Item, new: Item) -> int:
    """An entry is written, deleted, or both where its keys change; it holds keys alone."""
    before, after = ([item[key] for key in keys if key in item] for item in (old, new))
    if before == after:
        return 0
    return (len(before) == len(keys)) + (len(after) == len(keys))
