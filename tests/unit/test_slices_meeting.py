"""Slices of a budget from which several take at once: nobody is refused wrongly, and nothing is lent twice."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from broker.errors import BudgetExceeded
from broker.storage import ConditionFailed, Item, Put, TableName
from broker.tenants import ledger
from broker.tenants.slices import COUNT, number_for, slice_of

from tests.fakes.database import Crash, FakeDatabase
from tests.unit.slices_case import BUCKET, PERIOD, TENANT, Spending
from tests.unit.test_slices import cut


@dataclass(slots=True)
class Watched(FakeDatabase):
    """Something is done right before what was spent is looked at, once."""

    before: list[Callable[[], object]] = field(default_factory=list)

    def query(self, table: TableName, pk: str, prefix: str = "") -> list[Item]:
        if self.before:
            self.before.pop()()
        return FakeDatabase.query(self, table, pk, prefix)


def test_more_rows_than_a_transaction_takes_are_lent_all_the_same() -> None:
    spending = Spending()
    spending.hold("job_all", 1600)
    for number in range(150):
        row = {"pk": "SPEND#acme", "sk": f"{PERIOD}#m{number:03}#0", "nusd": 0, "calls": 1, "returned": 10}
        spending.database.write(Put("ledger", row))
    spending.hold("job_1", 1400)
    assert spending.stands.available == 100
    spending.crowd()
    spending.hold("job_2", 100)
    assert spending.stands.available == 0


def test_money_that_moves_while_it_is_counted_refuses_nobody() -> None:
    """What came back is moved into a slice that was read before."""
    database = Watched()
    spending = cut(database=database)
    spending.hold("job_1", 1600)
    spending.end("job_1", 0)

    def moved() -> None:
        spending.hold("job_2", 1)
        spending.end("job_2", 0)

    database.before = [moved]
    spending.hold("job_3", 1600)
    assert spending.stands.available == 0


def test_money_that_is_taken_while_others_lend_is_not_lent_twice() -> None:
    """The slice that borrows has less by then than it was seen to have."""
    database = Watched()
    spending = cut(database=database)
    number = number_for("job_1", 0, COUNT)
    name = slice_of(BUCKET, number)
    database.before = [lambda: database.write(ledger.hold(name, 100))]
    spending.hold("job_1", 150)
    assert all(item["available"] >= 0 for item in spending.found.items)
    assert spending.stands.available == 1600 - 100 - 150


def test_money_that_is_taken_while_a_budget_is_cut_is_not_cut() -> None:
    spending = Spending()
    spending.crowd()
    spending.database.meanwhile = [lambda: spending.database.write(ledger.hold(BUCKET, 1550))]
    spending.hold("job_1", 10)
    assert all(item["available"] >= 0 for item in spending.found.items)
    assert spending.stands.available == 40
    with pytest.raises(BudgetExceeded):
        spending.hold("job_2", 41)


def test_what_the_first_slice_lacks_is_paid_before_others_lend() -> None:
    """The process that lowered the allowance died before it was paid, and one that knows of nothing goes on."""
    spending = cut()
    for number in range(8):
        spending.hold(f"job_{number}", 100)
    process = spending.opened()
    spending.allowed, spending.database.crash_in = 1100, 1
    with pytest.raises(Crash):
        spending.opened()
    spending.database.crash_in = None
    assert spending.found.lacks > 0
    spending.hold("job_more", 250, process)
    assert (spending.found.lacks, spending.stands.available) == (0, 50)
    with pytest.raises(BudgetExceeded):
        spending.hold("job_much", 51, process)


def test_a_commit_whose_job_is_there_is_told_as_such() -> None:
    spending = cut()
    spending.hold("job_1", 5)

    def write(name: str, writes: object) -> None:
        raise ConditionFailed([0, 1])

    with pytest.raises(ConditionFailed):
        spending.opened().hold(TENANT, PERIOD, 5, "job_1", write)
