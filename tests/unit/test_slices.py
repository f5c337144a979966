"""A budget in slices: cut where jobs meet, lent from one to another, right in sum."""

from typing import Any

import pytest
from broker.errors import BudgetExceeded
from broker.storage import ConditionFailed, Contended, If, Put, Update
from broker.tenants import ledger
from broker.tenants.budgets import ATTEMPTS, TRIES
from broker.tenants.slices import COUNT, bucket_of_slice, key_of, slice_of

from tests.fakes.counting import CountingDatabase
from tests.fakes.database import Crash, FakeDatabase
from tests.unit.slices_case import BUCKET, PERIOD, TENANT, Spending


def cut(**facts: Any) -> Spending:
    made = Spending(**facts)
    made.crowd()
    made.hold("job_first", 0)
    made.end("job_first")
    assert len(made.found.items) == COUNT
    return made


def test_the_names_of_slices_lead_to_their_bucket() -> None:
    names = [slice_of(BUCKET, number) for number in range(3)]
    assert names == [BUCKET, "acme#1/2026-11", "acme#2/2026-11"]
    assert {bucket_of_slice(name) for name in names} == {BUCKET}
    assert [key_of(name)[0] for name in names] == ["BUDGET#acme", "BUDGET#acme#1", "BUDGET#acme#2"]


def test_a_quiet_tenant_has_one_item_and_pays_for_one() -> None:
    spending = Spending(CountingDatabase())
    process = spending.opened()
    spending.database.reads = spending.database.units = 0
    for number in range(20):
        assert spending.hold(f"job_{number}", 5, process) == BUCKET
    assert spending.database.reads == 0
    assert spending.database.units == 20 * 2 * 2, "a head and a budget in a transaction"
    assert len(spending.found.items) == 1


def test_a_budget_on_which_jobs_meet_is_cut_into_equal_slices() -> None:
    spending = Spending()
    spending.crowd()
    spending.hold("job_1", 30)
    items = spending.found.items
    assert len(items) == COUNT
    shares = sorted(item["available"] for item in items)
    assert shares == [70, *(COUNT - 1) * [100]]
    assert (spending.stands.allowed, spending.stands.available, spending.stands.held) == (1600, 1570, 30)


def test_two_that_cut_a_budget_at_once_cut_it_once() -> None:
    spending = Spending()
    spending.crowd()

    def second() -> None:
        spending.crowd()
        spending.hold("job_2", 100)

    spending.database.meanwhile = [second]
    spending.hold("job_1", 100)
    assert len(spending.found.items) == COUNT
    assert spending.stands.available == 1400


def test_another_process_learns_of_the_slices_when_it_meets_others() -> None:
    spending = Spending()
    old = spending.opened()
    spending.crowd()
    spending.hold("job_1", 10)
    assert spending.hold("job_2", 10, old) == BUCKET, "it knows of one"
    spending.crowd()
    spending.hold("job_3", 10, old)
    assert len({spending.hold(f"job_4{number}", 1, old) for number in range(60)}) > COUNT // 2
    assert len({spending.hold(f"job_5{number}", 1) for number in range(60)}) > COUNT // 2, "a fresh one knows at once"


def test_who_meets_others_at_a_slice_tries_another() -> None:
    spending = cut()
    process = spending.opened()
    crowded = {key_of(slice_of(BUCKET, number))[0] for number in range(COUNT - 2)}
    spending.database.held.update(dict.fromkeys(crowded, 10**6))
    names = {spending.hold(f"job_{number}", 1, process) for number in range(30)}
    assert names <= {slice_of(BUCKET, COUNT - 2), slice_of(BUCKET, COUNT - 1)}


def test_who_meets_others_everywhere_is_told_so_and_nothing_is_written() -> None:
    spending = cut()
    before = spending.database.items()
    spending.database.held.update({key_of(slice_of(BUCKET, number))[0]: ATTEMPTS * TRIES for number in range(COUNT)})
    with pytest.raises(Contended):
        spending.hold("job_1", 1)
    assert spending.database.items() == before


@pytest.mark.parametrize("left", [1, 99, 100, 101, 700, 1599, 1600])
def test_a_job_that_fits_into_all_together_is_taken(left: int) -> None:
    spending = cut()
    spending.hold("job_1", 1600 - left) if left < 1600 else None
    with pytest.raises(BudgetExceeded):
        spending.hold("job_2", left + 1)
    assert spending.stands.available == left, "who is refused has moved nothing away"
    spending.hold("job_2", left)
    assert spending.stands.available == 0
    assert all(item["available"] == 0 for item in spending.found.items)


def test_what_jobs_gave_back_to_any_slice_is_there_for_all() -> None:
    spending = cut()
    for number in range(16):
        spending.hold(f"job_{number}", 100)
    for number in range(16):
        spending.end(f"job_{number}", *([10] if number % 2 else []))
    stands = spending.stands
    assert (stands.spent, stands.held, stands.available) == (80, 0, 1520)
    spending.hold("job_all", 1520)
    assert spending.stands.available == 0


def test_what_is_booked_stands_beside_its_slice() -> None:
    spending = cut()
    names = {spending.hold(f"job_{number}", 10) for number in range(40)}
    for number in range(40):
        spending.end(f"job_{number}", 4)
    rows = [item for item in spending.database.items() if item["pk"].startswith("SPEND#") and item.get("calls")]
    scopes = {item["pk"].removeprefix("SPEND#") for item in rows}
    assert scopes == {name.rpartition("/")[0] for name in names}
    assert sum(item["nusd"] for item in rows) == spending.stands.spent == 160


def test_calls_that_cost_more_than_was_held_lower_what_all_have() -> None:
    spending = cut()
    for number in range(40):
        spending.hold(f"job_{number}", 10)
        spending.end(f"job_{number}", 30)
    assert spending.stands.available == 1600 - 1200
    with pytest.raises(BudgetExceeded):
        spending.hold("job_x", 401)
    spending.hold("job_x", 400)
    assert spending.stands.available == 0


def test_who_is_refused_learns_what_all_slices_have() -> None:
    spending = cut(allowed=1_600_000_000)
    spending.hold("job_1", 600_000_000)
    spending.hold("job_2", 300_000_000)
    spending.end("job_2", 200_000_000)
    with pytest.raises(BudgetExceeded) as failure:
        spending.hold("job_3", 900_000_000)
    told = failure.value.beside["budget"]
    assert {name: told[f"{name}_usd"] for name in ("limit", "spent", "held", "available", "worst_cost")} == {
        "limit": 1.6,
        "spent": 0.2,
        "held": 0.6,
        "available": 0.8,
        "worst_cost": 0.9,
    }


def test_an_allowance_is_raised_and_lowered_for_all_together() -> None:
    spending = cut()
    spending.hold("job_1", 500)
    for allowed, left in ((3000, 2500), (700, 200), (600, 100), (100, -400), (1600, 1100)):
        spending.allowed = allowed
        spending.opened()
        assert (spending.stands.allowed, spending.stands.available) == (allowed, left)
        with pytest.raises(BudgetExceeded):
            spending.hold("job_2", max(left, 0) + 1)
    spending.hold("job_2", 1100)


def test_no_job_is_taken_from_a_slice_while_all_together_have_less_than_nothing() -> None:
    spending = cut()
    for number in range(8):
        spending.hold(f"job_{number}", 100)
    spending.allowed = 200
    process = spending.opened()
    assert spending.stands.available == -600
    assert all(item["available"] <= 0 for item in spending.found.items)
    for number in range(7):
        with pytest.raises(BudgetExceeded):
            spending.hold(f"job_more_{number}", 1, process)
        spending.end(f"job_{number}", *([5] if number % 2 else []))
    assert spending.stands.available == 85
    with pytest.raises(BudgetExceeded):
        spending.hold("job_again", 86, process)
    spending.hold("job_again", 85, process)
    assert spending.stands.available == 0


def test_what_a_process_left_unpaid_when_it_died_the_next_one_pays() -> None:
    spending = cut()
    spending.hold("job_1", 1000)
    spending.allowed = 1100
    spending.database.crash_in = 1
    with pytest.raises(Crash):
        spending.opened()
    spending.database.crash_in = None
    spending.opened()
    assert spending.stands.available == 100
    assert spending.found.lacks == 0
    with pytest.raises(BudgetExceeded):
        spending.hold("job_2", 101)


def test_each_period_begins_whole() -> None:
    spending = cut()
    spending.process().open(TENANT, "2026-12", 50)
    assert ledger.standing(spending.database, TENANT, "2026-12").available == 50
    assert spending.stands.allowed == 1600


def test_a_tenants_slices_are_not_those_of_another_whose_name_begins_alike() -> None:
    spending = cut()
    spending.process().open("acme-1", PERIOD, 50)
    assert ledger.standing(spending.database, "acme-1", PERIOD).available == 50


def test_a_ledger_of_before_is_one_slice_and_can_be_cut() -> None:
    """As it lies in the tables of a stack that was deployed before there were slices."""
    database = FakeDatabase()
    old = {"pk": "BUDGET#acme", "sk": PERIOD, "available": 700, "allowed": 1600}
    spent = {"pk": "SPEND#acme", "sk": f"{PERIOD}#m#3", "nusd": 300, "calls": 3, "returned": 500}
    for item in (old, spent):
        database.write(Put("ledger", item))
    spending = Spending(database)
    assert (spending.stands.available, spending.stands.spent, spending.stands.held) == (1200, 300, 100)
    spending.crowd()
    spending.hold("job_1", 1100)
    assert len(spending.found.items) == COUNT
    assert (spending.stands.available, spending.stands.held) == (100, 1200)
    # A job that was held of it then ends, by the name of the bucket that its head has.
    database.write(*ledger.book(TENANT, PERIOD, "job_old", [], {BUCKET: 100}))
    assert spending.stands.available == 200
    spending.hold("job_2", 200)


def test_functions_of_before_hold_from_the_first_slice_and_give_back_to_any() -> None:
    """While a version that knows of no slices runs beside this one, or again."""
    spending = cut()
    name = spending.hold("job_1", 60)
    with pytest.raises(ConditionFailed):
        spending.database.write(ledger.hold(BUCKET, 101))
    # Of a bucket that is not the tenant's own, as the slice is to them, all comes back at once.
    spending.database.write(Update("ledger", *key_of(name), add={"available": 60}, when=(If("pk", "exists"),)))
    assert spending.stands.available == 1600
