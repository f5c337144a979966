"""Live figures: what is sampled, what comes of it, and what it costs."""

import random

import pytest
from broker.consequences import SUCCEEDED
from broker.errors import Rejected, Throttled, Unavailable
from broker.routing.board import FRESH_MS, KEEP_MS, Board
from broker.routing.breakers import Breakers
from broker.routing.figures import (
    EVERY,
    LAST_BUCKET,
    SAMPLED_FROM,
    SLOT_MS,
    SPAN_MS,
    Figures,
    Meter,
    bucket,
    percentile,
)

from tests.fakes.counting import CountingDatabase
from tests.fakes.database import FakeDatabase
from tests.fakes.world import MINUTE, NOW, SECOND

START = NOW - NOW % SLOT_MS


def breakers(database: FakeDatabase, seed: int | None = 1) -> Breakers:
    """A process; with no seed it writes each call."""
    chance = random.Random(seed).random if seed is not None else lambda: 0.0
    return Breakers(database, Board(database), chance=chance)


def exact(database: FakeDatabase) -> Breakers:
    """A process that saw a failure this minute, so that each of its calls is written and counts once."""
    made = breakers(database)
    made.record("m", "acme", Unavailable.__name__, 1, START)
    return made


@pytest.mark.parametrize("ms", [0, 1, 2, 100, 1_000, 1_023, 1_024, 60_000, 3_600_000])
def test_a_bucket_is_never_wider_than_a_fifth(ms: int) -> None:
    buckets = [0] * (LAST_BUCKET + 1)
    buckets[bucket(ms)] = 1
    assert ms <= percentile(buckets, 1, 0.95) <= ms * 1.2 + 2


def test_what_takes_longer_than_an_hour_is_in_the_last_bucket() -> None:
    assert bucket(10**9) == LAST_BUCKET == bucket(2**22)


def test_mean_and_p95_are_of_the_calls_that_were_answered() -> None:
    database = FakeDatabase()
    process = exact(database)
    for latency in [100] * 94 + [2_000] * 6:
        process.record("m", "acme", SUCCEEDED, latency, START + 1)
    for _ in range(24):
        process.record("m", "acme", Unavailable.__name__, 60_000, START + 2)
    process.record("m", "acme", Rejected.__name__, 3, START + 3)
    process.record("m", "acme", SUCCEEDED, 100, START + SLOT_MS)  # the first of a new slot puts the figures together
    found = process.figures(START + SLOT_MS + KEEP_MS)["m"]
    assert (found.calls, found.failures, found.mean_ms) == (127, 25, round((95 * 100 + 6 * 2_000) / 101))
    assert found.p95_ms is not None
    assert 2_000 <= found.p95_ms <= 2_400
    assert found.error_rate == pytest.approx(25 / 127)


def test_figures_without_any_answer_know_no_latency() -> None:
    found = Figures.of([{"calls": 3, "failures": 3}], NOW)
    assert (found.mean_ms, found.p95_ms, found.error_rate) == (None, None, 1)
    assert Figures.of([], NOW).error_rate == 0


def test_figures_look_back_five_minutes_and_are_forgotten_after_a_quarter_of_an_hour() -> None:
    database = FakeDatabase()
    process = breakers(database, None)
    process.record("m", "acme", SUCCEEDED, 9_000, START)
    process.record("m", "acme", SUCCEEDED, 100, START + SPAN_MS + SLOT_MS)
    found = breakers(database).figures(START + SPAN_MS + SLOT_MS)["m"]
    assert (found.calls, found.mean_ms) == (EVERY, 100)
    assert process.figures(found.at + FRESH_MS)
    assert not process.figures(found.at + FRESH_MS + 1)


def test_a_sample_stands_for_all() -> None:
    database = FakeDatabase()
    process = breakers(database)
    for number in range(20_000):
        process.record("m", "acme", SUCCEEDED, 500, START + number // 2_000)
    slots = Meter(database).slots("m", START)
    assert sum(slot["calls"] for slot in slots) == pytest.approx(20_000, rel=0.1)
    assert sum(slot["writes"] for slot in slots) == pytest.approx(20_000 / EVERY, rel=0.1)
    assert len(slots) == 4


def test_a_process_that_saw_a_failure_writes_each_call_for_a_minute() -> None:
    database = FakeDatabase()
    process = breakers(database)
    process.record("m", "acme", Throttled.__name__, 5, START)
    for number in range(59):
        process.record("m", "acme", SUCCEEDED, 5, START + number * SECOND)
    slots = Meter(database).slots("m", START)
    assert (sum(slot["writes"] for slot in slots), sum(slot["calls"] for slot in slots)) == (60, 60)
    for _ in range(100):
        process.record("m", "acme", SUCCEEDED, 5, START + MINUTE)
    assert sum(slot["writes"] for slot in Meter(database).slots("m", START + MINUTE)) < 20


def test_each_call_of_a_sick_model_is_counted_by_all() -> None:
    database = FakeDatabase()
    breakers(database).record("m", "acme", Throttled.__name__, 5, START)
    for _ in range(19):
        breakers(database).record("m", "acme", SUCCEEDED, 5, START + 1)
    slots = Meter(database).slots("m", START)
    assert (sum(slot["writes"] for slot in slots), sum(slot["calls"] for slot in slots)) == (20, 20)


@pytest.mark.parametrize(
    ("calls", "failures", "sick"),
    [(100, 5, True), (100, 4, False), (0, 0, False), (SAMPLED_FROM - 1, 9_000, True), (SAMPLED_FROM, 9_000, False)],
)
def test_a_model_is_sick_while_one_in_twenty_fails_and_a_sample_is_too_small(
    calls: int, failures: int, sick: bool
) -> None:
    assert Figures(NOW, calls, failures).sick is sick


def test_a_call_costs_a_tenth_of_a_write_and_next_to_no_reads() -> None:
    database = CountingDatabase()
    process = breakers(database)
    calls = 2_000
    for number in range(calls):  # twenty a second, for a hundred seconds
        at = START + number * 50
        process.admit("m", "acme", at, SECOND)
        process.record("m", "acme", SUCCEEDED, 400, at)
    assert database.writes <= calls / 10
    # The board every five seconds, and the slots once for each slot and shard.
    assert database.reads <= calls * 50 / KEEP_MS + 1 + 4 * (calls * 50 / SLOT_MS + 1)


def test_an_idle_process_reads_and_writes_nothing() -> None:
    database = CountingDatabase()
    breakers(database)
    assert (database.reads, database.writes) == (0, 0)


def test_one_query_reads_the_figures_of_all_models() -> None:
    database = CountingDatabase()
    process = breakers(database, None)
    for number in range(30):
        process.record(f"m{number}", "acme", SUCCEEDED, 100, START)
    database.reads = 0
    assert len(breakers(database).figures(START + 1)) == 30
    assert database.reads == 1


def test_everything_that_is_kept_expires() -> None:
    database = FakeDatabase()
    process = breakers(database, None)
    process.record("m", "acme", SUCCEEDED, 100, START)
    kept = [*database.query("ledger", "FIGURES#m"), *database.query("ledger", "HEALTH")]
    assert len(kept) == 2
    assert all(START // 1000 < item["expires_at"] <= START // 1000 + 86_400 for item in kept)
