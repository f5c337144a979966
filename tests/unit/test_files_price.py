"""What files cost in the tables: constant, whatever a tenant keeps already."""

from broker.files.record import LATE_MS

from tests.fakes.counting import CountingDatabase
from tests.unit.files_case import HOUR, NOW, Shelf


def test_a_file_costs_the_same_whatever_else_is_kept() -> None:
    shelf = Shelf()
    shelf.world.database = database = CountingDatabase(_items=shelf.world.database._items)
    shelf.keep()  # which begins the tenant's total

    def spent() -> tuple[int, int, int]:
        counts = database.requests, database.units, database.reads
        database.requests = database.units = database.reads = 0
        return counts

    for _ in range(3):
        spent()
        kept = shelf.keep()
        assert spent() == (2, 13, 1), "writes, their units, and the read of the tenant's entry"
        shelf.files().delete("acme", kept.id, NOW + HOUR + LATE_MS)
        assert spent() == (2, 10, 1), "one more where its bytes may still come"
        for _ in range(30):
            shelf.keep()
