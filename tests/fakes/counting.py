"""The tables in memory, with a count of what each request would be on the bill."""

from dataclasses import dataclass
from typing import Any

from broker.storage import Item, Put, TableName, Update

from tests.fakes.database import FakeDatabase


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


@dataclass(slots=True)
class CountingDatabase(FakeDatabase):
    """Counts requests."""

    reads: int = 0
    writes: int = 0

    def get(self, table: TableName, pk: str, sk: str, *, eventual: bool = False) -> Item | None:
        """See `Database.get`."""
        self.reads += 1
        return FakeDatabase.get(self, table, pk, sk, eventual=eventual)

    def query(self, table: TableName, pk: str, prefix: str = "") -> list[Item]:
        """See `Database.query`."""
        self.reads += 1
        return FakeDatabase.query(self, table, pk, prefix)

    def query_since(self, table: TableName, pk: str, sk: str) -> list[Item]:
        """See `Database.query_since`."""
        self.reads += 1
        return FakeDatabase.query_since(self, table, pk, sk)

    def query_between(self, table: TableName, pk: str, first: str, last: str) -> list[Item]:
        """See `Database.query_between`."""
        self.reads += 1
        return FakeDatabase.query_between(self, table, pk, first, last)

    def write(self, *operations: Put | Update) -> None:
        """See `Database.write`."""
        self.writes += len(operations)
        FakeDatabase.write(self, *operations)
