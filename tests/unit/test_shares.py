"""Turns among tenants where several processes read the lane: what each tells, and that together they keep to shares."""

from typing import Any

import pytest
from broker.jobs.fair_share import BITS, FairShare

from bench import batch as bench
from tests.fakes.world import HOUR, MINUTE, NOW, SECOND
from tests.unit.pacing_case import gap

SIZES = {"light": 100, "heavy": 10_000}


def waiting(now: int = NOW) -> FairShare:
    """A process that left a job of each of two tenants."""
    shares = FairShare()
    for tenant, size in SIZES.items():
        shares.sees(tenant, size, now)
        shares.left("small", tenant, now)
        shares.comes_back("small", tenant, now + SECOND)
    return shares


def heard(shares: FairShare, told: dict[str, Any], now: int, process: str = "b") -> FairShare:
    """After it heard what others told at that time."""
    shares.hear({name: (now, one) for name, one in told.items()}, process, now)
    return shares


def test_a_tenant_whose_jobs_are_still_to_come_keeps_others_back_and_one_that_is_gone_does_not() -> None:
    shares = waiting()
    shares.charge("heavy", 10_000, NOW)
    shares.comes_back("small", "light", NOW + 20 * SECOND)
    assert not shares.is_next("small", "heavy", NOW + SECOND)
    assert shares.is_next("small", "heavy", NOW + 10 * SECOND), "nothing lies idle for what comes in ten seconds"
    assert not shares.is_next("small", "heavy", NOW + 17 * SECOND)
    assert shares.is_next("small", "heavy", NOW + 26 * SECOND)


def test_what_another_process_left_keeps_others_back_here() -> None:
    other, mine = waiting(), waiting()
    other.comes_back("small", "light", NOW + 20 * SECOND)
    mine.charge("heavy", 10_000, NOW)
    heard(mine, {"a": other.told(NOW)}, NOW)
    assert not mine.is_next("small", "heavy", NOW + 18 * SECOND)
    assert mine.is_next("small", "heavy", NOW + 26 * SECOND)


def test_what_another_process_started_counts_here_once() -> None:
    other, mine = waiting(), waiting()
    heard(mine, {"a": other.told(NOW)}, NOW)
    other.charge("light", 30_000, NOW)
    for second in range(1, 5):
        heard(mine, {"a": other.told(NOW)}, NOW + second * SECOND)
    assert mine._known["light"].counter - mine._known["heavy"].counter == pytest.approx(30_000, rel=0.1)


def test_until_it_hears_more_a_process_takes_the_others_to_do_as_it_does() -> None:
    other, mine = waiting(), waiting()
    heard(mine, {"a": other.told(NOW)}, NOW)
    mine.charge("heavy", 10_000, NOW)
    assert mine._known["heavy"].counter == 20_000
    heard(mine, {"a": other.told(NOW)}, NOW + SECOND)
    assert 0 < mine._known["heavy"].counter - mine._known["light"].counter <= 10_000


def test_processes_that_began_to_count_at_different_times_come_to_agree() -> None:
    """Else each would have the tenant catch up that it believes to be behind."""
    processes = {"a": waiting(), "b": waiting()}
    processes["a"].charge("light", 50_000, NOW)
    for second in range(1, 60):
        for name, one in processes.items():
            others = {each: other.told(NOW + second * SECOND) for each, other in processes.items() if each != name}
            heard(one, others, NOW + second * SECOND, name)
    apart = [one._known["light"].counter - one._known["heavy"].counter for one in processes.values()]
    assert apart[0] == pytest.approx(apart[1], abs=5_000)


@pytest.mark.parametrize(
    "told",
    [
        None,
        "x",
        {"counters": {"light": [1]}, "due": {}},
        {"counters": {"light": ["x", 1]}, "due": {"small": {"light": 3}}},
        {"counters": 3, "due": {"small": None}},
        {"due": {"small": {"light": [NOW // SECOND + HOUR, 1], "heavy": [0, 1 << 2 * BITS]}}},
    ],
)
def test_what_cannot_be_read_of_others_changes_no_turn(told: Any) -> None:
    shares = heard(waiting(), {"a": told}, NOW)
    shares.charge("light", 100, NOW)
    assert shares.is_next("small", "heavy", NOW + 10 * SECOND)
    assert [each.counter for each in shares._known.values() if each.counter < 0] == []


def test_a_process_tells_nothing_where_no_two_tenants_wait_and_never_of_many() -> None:
    shares = FairShare()
    shares.sees("acme", 100, NOW)
    shares.left("small", "acme", NOW)
    assert shares.told(NOW) == {}
    for number in range(300):
        shares.sees(f"hostile-{number}", 100, NOW)
        shares.left("small", f"hostile-{number}", NOW)
        shares.comes_back("small", f"hostile-{number}", NOW + SECOND)
    told = shares.told(NOW)
    assert len(told["counters"]) == len(told["due"]["small"]) == 50


@pytest.mark.parametrize("seed", [1, 5])
def test_two_tenants_with_rows_of_one_and_a_hundred_stay_together_to_the_end_of_the_smaller(seed: int) -> None:
    """With three processes; the end is where few of the smaller rows are left, and are seldom seen."""
    batch = bench.uneven(300, seed)
    batch.run(2 * MINUTE)
    asked = [job_id for job_id in batch.asked if batch.jobs[job_id].tenant == "light"]
    assert len(asked) == 310, "the smaller rows came to their end"
    assert gap(batch, "light", "heavy", MINUTE + 5 * SECOND) <= bench.MOST_GAP * 10_000
