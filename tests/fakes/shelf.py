"""The cache table in memory, beyond what all tables can do."""

from dataclasses import dataclass

from broker.storage import Item

from tests.fakes.database import FakeDatabase


@dataclass(slots=True)
class FakeShelf:
    """See `broker.cache.answers.Shelf`."""

    database: FakeDatabase

    def newest(self, pk: str, limit: int) -> list[Item]:
        """See `Shelf.newest`."""
        return self.database.query("cache", pk)[::-1][:limit]

    def drop(self, pk: str, sk: str, job_id: str) -> None:
        """See `Shelf.drop`."""
        found = self.database.get("cache", pk, sk)
        if found is not None and found["job_id"] == job_id:
            self.database.delete("cache", pk, sk)
