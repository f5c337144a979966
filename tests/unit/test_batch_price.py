"""What a batch takes of the tables: as much for a row, however many there are."""

from collections import Counter

from broker.storage import Item

from tests.fakes.batch_flow import Flow
from tests.fakes.counting import CountingDatabase
from tests.fakes.world import World
from tests.unit.test_batch_folding import texts


def work(rows: int) -> tuple[Counter[str], int]:
    """What a batch takes from its plan to its end, and the write units of counting."""
    database, counted = CountingDatabase(), 0
    flow = Flow(World(database))
    flow.begin(texts(rows))
    while flow.end_all():
        before = database.units
        flow.publish()
        counted += database.units - before
        flow.tend_all()
    flow.close()
    assert flow.batch().status == "completed"
    return Counter(units=database.units, writes=database.writes, reads=database.reads), counted


def test_a_row_takes_no_more_of_fifteen_hundred_than_of_a_hundred() -> None:
    (few, counted_few), (many, counted_many) = work(100), work(1_500)
    for name in few:
        assert many[name] / 1_500 <= few[name] / 100, name
    assert counted_few / 100 <= 2
    assert counted_many / 1_500 <= 2, "write units of counting a row"


def test_a_job_that_came_alone_costs_nothing_here() -> None:
    flow = Flow()
    head = flow.world.accept().head
    flow.end(head)
    before = _items(flow)
    flow.publish()
    assert _items(flow) == before


def _items(flow: Flow) -> list[Item]:
    return flow.world.database.items()
