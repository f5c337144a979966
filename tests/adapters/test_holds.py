"""Holds of several buckets, places to wait, and counts of usage on DynamoDB as they are on the tables in memory."""

from collections.abc import Mapping, Sequence
from datetime import date

import pytest
from broker.errors import BudgetExceeded, TooManyAtOnce
from broker.jobs.holding import Hold, Holding, Prepared
from broker.storage import Database, If, Put, Update
from broker.tenants.budgets import Budgets, Crossed
from broker.tenants.ledger import release
from broker.tenants.rules import Rule, Subject
from broker.tenants.slices import read_all
from broker.tenants.usage import Usage
from broker.tenants.waits import GENERATION_MS, Room, Waits

from tests.fakes.world import NOW

RULES = (Rule("daily", 100, period="day", warn_at=(50, 90)), Rule("keys", 60, per="key", period="total"))


def accept(database: Database, job_id: str, nusd: int, key: str = "k-1") -> tuple[dict[str, int], dict[str, int]]:
    """What a job holds from where, and which marks it passed."""
    prepared = Prepared({"task": "chat"}, Hold(nusd, worst=nusd), rules=RULES, queued_jobs=5)
    holding = Holding.of(prepared, "acme", Subject(key=key), None, (), NOW)
    told: list[tuple[dict[str, int], dict[str, int]]] = []

    def write(names: Mapping[str, str], writes: Sequence[Put | Update], crossed: Crossed) -> None:
        holds = {names[bucket]: amount for bucket, amount in holding.wanted.items()}
        told.append((holds, dict(crossed)))
        database.write(Put("jobs", {"pk": job_id, "sk": "HEAD"}, (If("pk", "absent"),)), *writes)

    process = Budgets(database)
    holding.open(process)
    process.hold_all(holding.wanted, job_id, write, holding.refusals, holding.marks)
    return told[-1]


def test_a_job_holds_of_all_buckets_or_of_none(database: Database) -> None:
    holds, crossed = accept(database, "j-1", 40)
    assert (len(holds), crossed) == (3, {})
    with pytest.raises(BudgetExceeded, match="'keys'"):
        accept(database, "j-2", 40)
    _, crossed = accept(database, "j-3", 30, "k-2")
    assert list(crossed.values()) == [1]
    with pytest.raises(BudgetExceeded, match="'daily'"):
        accept(database, "j-4", 31, "k-3")
    assert list(accept(database, "j-5", 30, "k-3")[1].values()) == [2]
    left = {bucket: read_all(database, bucket).available for bucket in holds}
    assert sorted(left.values()) == [0, 2, 20]
    database.write(*[release(bucket, amount) for bucket, amount in holds.items()])
    assert sorted(read_all(database, bucket).available for bucket in holds) == [3, 40, 60]


def test_places_among_jobs_are_a_bucket_as_well(database: Database) -> None:
    for number in range(5):
        accept(database, f"j-{number}", 1, f"k-{number}")
    with pytest.raises(TooManyAtOnce):
        accept(database, "j-5", 1)


def test_a_place_to_wait_is_taken_and_given_back_over_generations(database: Database) -> None:
    def process() -> Waits:
        return Waits(database, lambda tenant, now: Room(2, 100))

    first, mine = process().claim("acme", NOW), process()
    assert first and mine.claim("acme", NOW) and process().claim("acme", NOW) is None
    mine.give_back(first)
    assert process().claim("acme", NOW + GENERATION_MS), "and one of before goes on"
    assert process().claim("acme", NOW + GENERATION_MS) is None
    assert process().claim("acme", NOW + 2 * GENERATION_MS), "that is forgotten"


def test_usage_is_read_by_day_and_value(database: Database) -> None:
    for sk in ("2026-11-29#ann#0", "2026-11-30#a%23b#1", "2026-11-30#a%23b#3", "2026-11-30#ann#2", "2026-12-01#ann#2"):
        database.write(Update("ledger", "USAGE#acme#user", sk, set={"expires_at": 9**10}, add={"jobs": 1, "nusd": 5}))
    days = date(2026, 11, 29), date(2026, 11, 30)
    rows, following = Usage(database).by_day("acme", "user", *days, 2, None)
    assert [(row.period, row.value, row.counts["jobs"]) for row in rows] == [
        ("2026-11-29", "ann", 1),
        ("2026-11-30", "a#b", 2),
    ]
    rows, following = Usage(database).by_day("acme", "user", *days, 2, following)
    assert [row.value for row in rows] == ["ann"] and following is None
