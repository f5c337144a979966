"""The tables in memory, with a count of what each request would be on the bill."""

from dataclasses import dataclass

from broker.storage import Item, Put, TableName, Update

from tests.fakes.database import FakeDatabase


@dataclass(slots=True)
class CountingDatabase(FakeDatabase):
    """Counts requests."""

    reads: int = 0
    writes: int = 0

    def get(self, table: TableName, pk: str, sk: str) -> Item | None:
        """See `Database.get`."""
        self.reads += 1
        return FakeDatabase.get(self, table, pk, sk)

    def query(self, table: TableName, pk: str, prefix: str = "") -> list[Item]:
        """See `Database.query`."""
        self.reads += 1
        return FakeDatabase.query(self, table, pk, prefix)

    def query_since(self, table: TableName, pk: str, sk: str) -> list[Item]:
        """See `Database.query_since`."""
        self.reads += 1
        return FakeDatabase.query_since(self, table, pk, sk)

    def write(self, *operations: Put | Update) -> None:
        """See `Database.write`."""
        self.writes += len(operations)
        FakeDatabase.write(self, *operations)
