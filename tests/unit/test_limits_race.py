"""Sixty-four processes at one limit: never above it, and at most a hundredth below."""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Barrier

import pytest
from broker.errors import RateLimited
from broker.storage import Contended
from broker.tenants.limiting import KEEP_MS, Limits, Taken
from broker.tenants.limits import Limit, limits_of
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.counting import CountingDatabase
from tests.fakes.database import Crash, FakeDatabase
from tests.fakes.world import NOW

PROCESSES = 64
DAY = 86_400_000


def race(database: FakeDatabase, limits: Sequence[Limit], asked: int, tokens: int = 0) -> int:
    """How many of the requests of all processes, which ask at the same time, are allowed."""
    start = Barrier(PROCESSES)

    def ask(number: int) -> int:
        process, allowed = Limits(database), 0
        start.wait()
        for _ in range(asked):
            with suppress(RateLimited):
                process.take("acme", limits, tokens, NOW)
                allowed += 1
        return allowed

    with ThreadPoolExecutor(PROCESSES) as pool:
        return sum(pool.map(ask, range(PROCESSES)))


@pytest.mark.parametrize(
    ("said", "tokens", "allowed"),
    [
        ({"requests_per_second": 500}, 0, 500),
        ({"requests_per_minute": 1_000}, 0, 1_000),
        ({"requests_per_day": 700}, 0, 700),
        ({"tokens_per_minute": 100_000}, 99, 1_010),
        ({"requests_per_minute": 800, "tokens_per_month": 10**6}, 100, 800),
    ],
)
def test_who_races_for_a_limit_gets_all_of_it_and_no_more(said: dict[str, int], tokens: int, allowed: int) -> None:
    database = CountingDatabase()
    assert race(database, limits_of("tenant", "acme", said), 32, tokens) == allowed


def test_a_limit_that_processes_take_parts_of_is_hardly_less() -> None:
    """Each asks once and never again: the worst that there is, for what it has taken beyond is lost."""
    database, limits = CountingDatabase(), limits_of("tenant", "acme", {"requests_per_minute": 64_000})
    for _ in range(PROCESSES):
        Limits(database).take("acme", limits, 0, NOW)
    last, allowed = Limits(database), PROCESSES
    database.requests = 0
    with pytest.raises(RateLimited):
        while True:
            last.take("acme", limits, 0, NOW)
            allowed += 1
    assert 64_000 * 0.99 <= allowed <= 64_000
    assert database.requests <= 64_000 / 10, "eleven at a time"


@pytest.mark.parametrize("said", [{"requests_per_second": 100}, {"requests_per_minute": 6_000}])
def test_who_presses_on_a_limit_for_long_gets_all_that_refills_by_few_writes(said: dict[str, int]) -> None:
    """Sixty-four processes, each asked all the time, at thirty times the rate."""
    database, limits = CountingDatabase(), limits_of("tenant", "acme", said)
    processes, allowed, seconds = [Limits(database) for _ in range(PROCESSES)], 0, 20
    chance = random.Random(1)
    for number in range(3_000 * seconds):
        with suppress(RateLimited):
            chance.choice(processes).take("acme", limits, 0, NOW + number // 3)
            allowed += 1
    most = limits[0].amount + 100 * seconds
    assert most * 0.99 <= allowed <= most
    assert database.requests <= allowed + 4 * PROCESSES * seconds


def test_what_was_taken_of_a_part_is_given_back_to_it() -> None:
    limits = limits_of("tenant", "acme", {"requests_per_minute": 64_000})
    process = Limits(FakeDatabase())
    left = [process.take("acme", limits, 0, NOW).standings[0].left for _ in range(3)]
    process.give_back(process.take("acme", limits, 0, NOW))
    assert process.take("acme", limits, 0, NOW).standings[0].left == left[-1] - 1


def test_what_a_process_does_not_use_in_time_it_does_not_use_later() -> None:
    database, limits = CountingDatabase(), limits_of("tenant", "acme", {"requests_per_minute": 64_000})
    process = Limits(database)
    process.take("acme", limits, 0, NOW)
    database.requests = 0
    process.take("acme", limits, 0, NOW + KEEP_MS)
    assert database.requests == 0
    process.take("acme", limits, 0, NOW + KEEP_MS + 1)
    assert database.requests == 1


@dataclass
class Life:
    """What a limit has allowed, and when."""

    limit: Limit
    database: FakeDatabase = field(default_factory=FakeDatabase)
    allowed: list[tuple[int, int]] = field(default_factory=list)
    """Milliseconds, and how many units."""

    def within(self, since: int, until: int) -> int:
        return sum(count for at, count in self.allowed if since <= at <= until)


def lived(seed: int, limit: Limit, hours: float) -> Life:
    """Hours of traffic by four processes that crash, meet each other, give back, and whose clocks differ a little."""
    chance, life = random.Random(seed), Life(limit)
    processes = [Limits(life.database) for _ in range(4)]
    now, end = NOW, NOW + round(hours * 3_600_000)
    mean = {"second": 0.2, "minute": 4, "day": 900, "month": 20_000}[limit.window] * 1000
    while now < end:
        now += round(chance.expovariate(1 / mean))
        burst = chance.choice([1, 1, 1, 2, limit.amount])
        for _ in range(burst):
            number = chance.randrange(4)
            count = 1 if limit.what == "requests" else chance.choice([1, 7, limit.amount // 3, limit.amount])
            if chance.random() < 0.1:
                life.database.crash_in = chance.choice([0, 1])
            if chance.random() < 0.1:
                life.database.meanwhile = [partial(one, life, Limits(life.database), 1, now)]
            try:
                taken = one(life, processes[number], count, now)
                if taken and chance.random() < 0.1:
                    processes[number].give_back(taken)
                    life.allowed.remove((now, count))
            except Crash:
                processes[number] = Limits(life.database)
            finally:
                life.database.crash_in, life.database.meanwhile = None, []
    return life


def one(life: Life, process: Limits, count: int, now: int) -> Taken | None:
    try:
        taken = process.take("acme", (life.limit,), count, now)
    except (RateLimited, Contended):
        return None
    life.allowed.append((now, count if life.limit.what == "tokens" else 1))
    return taken


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    window=st.sampled_from(["second", "minute"]),
    amount=st.sampled_from([1, 3, 7, 60]),
)
def test_a_bucket_never_gives_more_than_its_amount_and_what_came_back(seed: int, window: str, amount: int) -> None:
    (limit,) = limits_of("tenant", "acme", {f"requests_per_{window}": amount})
    life = lived(seed, limit, 0.05 if window == "second" else 1)
    moments = sorted({at for at, _ in life.allowed})
    for first in moments[::7]:
        for last in (first, first + 500, first + 60_000, first + 3_600_000):
            most = amount + amount * (last - first) / (1_000 if window == "second" else 60_000)
            assert life.within(first, last) <= most + 1e-6, (first, last)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32), what=st.sampled_from(["requests", "tokens"]), amount=st.sampled_from([1, 7, 100]))
def test_a_count_never_gives_more_than_its_amount_in_a_day(seed: int, what: str, amount: int) -> None:
    (limit,) = limits_of("tenant", "acme", {f"{what}_per_day": amount})
    life = lived(seed, limit, 80)
    days = {at // DAY for at, _ in life.allowed}
    assert len(days) >= 3
    for day in days:
        assert life.within(day * DAY, day * DAY + DAY - 1) <= amount
