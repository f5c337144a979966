"""The tables in memory, with a count of what each request would be on the bill."""

from dataclasses import dataclass

from broker.storage import Item, Put, TableName, Update

from tests.fakes.database import FakeDatabase


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
