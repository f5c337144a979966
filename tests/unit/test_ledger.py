"""The ledger: holds that a budget covers, what comes back, and what was spent."""

from typing import Any

import pytest
from broker.errors import BudgetExceeded
from broker.storage import ConditionFailed
from broker.tenants import ledger

from tests.fakes.database import FakeDatabase
from tests.fakes.world import NOW

PERIOD = "2026-11"
BUCKET = "acme/2026-11"


def opened(allowed: int = 100) -> FakeDatabase:
    database = FakeDatabase()
    ledger.open_period(database, "acme", PERIOD, allowed)
    return database


def budget(database: FakeDatabase) -> dict[str, int] | None:
    return database.get("ledger", "BUDGET#acme", PERIOD)


@pytest.mark.parametrize(
    ("ms", "period"),
    [(NOW, "2026-11"), (0, "1970-01"), (1_798_761_599_999, "2026-12"), (1_798_761_600_000, "2027-01")],
)
def test_periods_are_months_in_utc(ms: int, period: str) -> None:
    assert ledger.period_of(ms) == period


def test_opening_a_period_again_changes_nothing() -> None:
    database = opened()
    database.write(ledger.hold(BUCKET, 40))
    ledger.open_period(database, "acme", PERIOD, 100)
    found = budget(database)
    assert found is not None
    assert (found["available"], found["allowed"]) == (60, 100)


@pytest.mark.parametrize(("allowed", "left"), [(100, 30), (50, -20)])
def test_a_budget_that_is_given_within_the_month_counts_what_was_spent_before(allowed: int, left: int) -> None:
    database = FakeDatabase()
    for number in range(10):
        database.write(*ledger.book("acme", PERIOD, f"job_{number}", [call("a", 7)], {}))
        database.write(*ledger.book("other", PERIOD, f"job_{number}", [call("a", 9)], {}))
    before = ledger.standing(database, "acme", PERIOD, allowed)
    with pytest.raises(BudgetExceeded):
        ledger.check_covers(database, "acme", PERIOD, allowed, 31)
    ledger.open_period(database, "acme", PERIOD, allowed)
    stands = ledger.standing(database, "acme", PERIOD)
    assert (stands.allowed, stands.spent, stands.held, stands.available) == (allowed, 70, 0, left)
    assert stands == before, "as it was told that it would be"
    with pytest.raises(ConditionFailed):
        database.write(ledger.hold(BUCKET, 31))
    told = ledger.exceeded(stands, 31).message
    assert told.count("USD 0.00000007 are spent") == 1


def test_two_that_open_a_period_at_once_open_it_once() -> None:
    database = FakeDatabase()

    def other() -> None:
        ledger.open_period(database, "acme", PERIOD, 100)
        database.write(ledger.hold(BUCKET, 40))

    database.meanwhile.append(other)
    ledger.open_period(database, "acme", PERIOD, 100)
    assert (budget(database) or {})["available"] == 60


@pytest.mark.parametrize(("amount", "passes"), [(0, True), (99, True), (100, True), (101, False)])
def test_a_hold_must_be_covered(amount: int, passes: bool) -> None:
    database = opened()
    if passes:
        database.write(ledger.hold(BUCKET, amount))
        assert (budget(database) or {})["available"] == 100 - amount
    else:
        with pytest.raises(ConditionFailed):
            database.write(ledger.hold(BUCKET, amount))
        assert (budget(database) or {})["available"] == 100


def test_there_is_no_hold_and_no_release_without_a_budget() -> None:
    database = FakeDatabase()
    for operation in (ledger.hold(BUCKET, 1), ledger.release(BUCKET, 1)):
        with pytest.raises(ConditionFailed):
            database.write(operation)
    assert budget(database) is None


def test_a_release_gives_back_and_may_take() -> None:
    database = opened()
    database.write(ledger.hold(BUCKET, 50))
    database.write(ledger.release(BUCKET, 30))
    database.write(ledger.release(BUCKET, -90))
    assert (budget(database) or {})["available"] == -10


def test_spend_adds_up_by_model_and_shows_what_is_unknown() -> None:
    database = FakeDatabase()
    for number in range(40):
        for model, unknown in (("small", False), ("large", number == 0)):
            tokens = {"input_tokens": 3, "output_tokens": 4}
            call = {"model": model, "cost": 10, "paid": "unknown" if unknown else "yes", **tokens}
            database.write(*ledger.book("acme", PERIOD, f"job_{number}", [call], {}))
    shards = database.query("ledger", "SPEND#acme", f"{PERIOD}#large#")
    assert 1 < len(shards) <= ledger.SPEND_SHARDS
    totals = {
        name: sum(item.get(name, 0) for item in shards) for name in ("nusd", "calls", "input_tokens", "output_tokens")
    }
    assert totals == {"nusd": 400, "calls": 40, "input_tokens": 120, "output_tokens": 160}
    assert [sum(item.get(name, 0) for item in shards) for name in ("unknown", "unknown_nusd")] == [1, 10]
    small = database.query("ledger", "SPEND#acme", f"{PERIOD}#small#")
    assert all("unknown" not in item for item in small)


def test_an_allowance_that_changes_within_the_month_changes_what_is_left() -> None:
    database = FakeDatabase()
    ledger.open_period(database, "acme", PERIOD, 100)
    database.write(ledger.hold(BUCKET, 60))
    for allowed, left in ((500, 440), (500, 440), (10, -50)):
        ledger.open_period(database, "acme", PERIOD, allowed)
        item = database.get("ledger", "BUDGET#acme", PERIOD)
        assert item is not None
        assert (item["allowed"], item["available"]) == (allowed, left)


def call(model: str, cost: int) -> dict[str, Any]:
    return {"model": model, "cost": cost, "paid": "yes", "input_tokens": 1, "output_tokens": 1}


def test_a_job_without_calls_gives_back_at_once() -> None:
    database = opened()
    database.write(ledger.hold(BUCKET, 50))
    database.write(*ledger.book("acme", PERIOD, "job_1", [], {BUCKET: 50}))
    assert (budget(database) or {})["available"] == 100
    assert ledger.book("acme", PERIOD, "job_1", [], {}) == []


def test_a_job_writes_one_item_for_each_of_its_models() -> None:
    writes = ledger.book("acme", PERIOD, "job_1", [call("a", 1), call("b", 2), call("a", 3)], {BUCKET: 7})
    assert [(write.add["nusd"], write.add["calls"], write.add.get("returned")) for write in writes] == [
        (4, 2, 7),
        (2, 1, None),
    ]


def test_what_comes_back_to_another_bucket_is_there_at_once() -> None:
    """Whatever the buckets are, each gets its own back; the tenant's own waits beside its spend."""
    database = opened()
    other = ledger.bucket_of("acme:web", "2026-11-29")
    ledger.open_period(database, "acme:web", "2026-11-29", 60)

    def available() -> list[int]:
        items = [budget(database), database.get("ledger", "BUDGET#acme:web", "2026-11-29")]
        return [(each or {})["available"] for each in items]

    database.write(ledger.hold(BUCKET, 50), ledger.hold(other, 50))
    with pytest.raises(ConditionFailed):
        database.write(ledger.hold(BUCKET, 50), ledger.hold(other, 50))
    assert available() == [50, 10], "of two holds, both are taken or none"
    database.write(*ledger.book("acme", PERIOD, "job_1", [call("a", 30)], {BUCKET: 20, other: 20}))
    assert available() == [50, 30]
    assert ledger.standing(database, "acme", PERIOD).available == 70
