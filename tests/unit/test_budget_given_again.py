"""A budget that was taken away and is given again counts what was spent between, whoever looks, however often."""

import pytest
from broker.errors import BudgetExceeded
from broker.storage import Put
from broker.tenants import ledger
from broker.tenants.budgets import Budgets

from tests.fakes.counting import CountingDatabase
from tests.fakes.database import FakeDatabase
from tests.unit.slices_case import PERIOD, TENANT, Spending, call

GIVEN, AGAIN = 1, 3
"""Versions of the tenant's entry: the second one takes the budget away."""


def spend_without(database: FakeDatabase, *costs: int, model: str = "m") -> None:
    """Jobs of a tenant that has no budget."""
    for number, cost in enumerate(costs):
        database.write(*ledger.book(TENANT, PERIOD, f"free_{number}", [call(cost, model)], {}))


@pytest.fixture
def spending() -> Spending:
    made = Spending(allowed=1_000)
    made.process().open(TENANT, PERIOD, 1_000, GIVEN)
    made.hold("held", 200)
    made.hold("ended", 200)
    made.end("ended", 50)
    return made


@pytest.mark.parametrize("allowed", [1_000, 1_500, 300])
def test_what_was_spent_between_is_gone(spending: Spending, allowed: int) -> None:
    spend_without(spending.database, 100, 200, 300)
    spending.process().open(TENANT, PERIOD, allowed, AGAIN)
    stands = spending.stands
    assert (stands.allowed, stands.spent, stands.held) == (allowed, 650, 200)
    left = allowed - 650 - 200
    assert stands.available == left
    spending.allowed = allowed
    if left > 0:
        spending.hold("all the rest", left)
    with pytest.raises(BudgetExceeded):
        spending.hold("one more", 1)


def test_a_process_that_knew_the_budget_before_learns_of_it(spending: Spending) -> None:
    knows = spending.process()
    knows.open(TENANT, PERIOD, 1_000, GIVEN)
    spend_without(spending.database, 750)
    knows.open(TENANT, PERIOD, 1_000, AGAIN)
    with pytest.raises(BudgetExceeded):
        spending.hold("too much", 1, knows)


def test_it_is_counted_once_by_processes_that_look_at_once_or_again(spending: Spending) -> None:
    spend_without(spending.database, 100, 200)
    spending.database.meanwhile.append(lambda: spending.process().open(TENANT, PERIOD, 1_000, AGAIN))
    for _ in range(3):
        spending.process().open(TENANT, PERIOD, 1_000, AGAIN)
        assert spending.stands.available == 1_000 - 350 - 200
    spend_without(spending.database, 7)  # accepted before the budget was given again
    spending.process().open(TENANT, PERIOD, 1_000, AGAIN + 1)
    assert spending.stands.available == 1_000 - 357 - 200


def test_it_is_taken_from_all_slices_together() -> None:
    spending = Spending(allowed=1_600)
    spending.crowd()
    spending.hold("first", 100)
    assert len(spending.found.items) > 1
    spend_without(spending.database, 1_450)
    opened = spending.process()
    opened.open(TENANT, PERIOD, 1_600, AGAIN)
    assert spending.stands.available == 50
    with pytest.raises(BudgetExceeded):
        spending.hold("too much", 51, opened)
    spending.hold("all the rest", 50, opened)


def test_however_many_models_were_called_it_is_whole() -> None:
    database = FakeDatabase()
    spending = Spending(database, allowed=200)
    for number in range(200):
        spend_without(database, 1, model=f"m{number}")
    spending.process().open(TENANT, PERIOD, 250, AGAIN)
    spending.allowed = 250
    assert spending.stands.available == 50
    with pytest.raises(BudgetExceeded):
        spending.hold("too much", 51)
    spending.hold("all the rest", 50)


def test_rows_of_before_count_as_they_did() -> None:
    """What was spent without a budget had no debt beside it."""
    database = FakeDatabase()
    database.write(Put("ledger", {"pk": f"SPEND#{TENANT}", "sk": f"{PERIOD}#m#0", "nusd": 70, "calls": 1}))
    spend_without(database, 20)
    Budgets(database).open(TENANT, PERIOD, 100, GIVEN)
    assert ledger.standing(database, TENANT, PERIOD).available == 10


def test_while_nothing_changes_a_process_reads_one_item_once() -> None:
    database = CountingDatabase()
    Budgets(database).open(TENANT, PERIOD, 1_000, GIVEN)
    before = database.reads, database.requests
    another = Budgets(database)
    for _ in range(3):
        another.open(TENANT, PERIOD, 1_000, GIVEN)
    assert (database.reads, database.requests) == (before[0] + 1, before[1])
