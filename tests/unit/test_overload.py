"""More jobs than Lambda lets run at once: they wait, none fails, and no call is made twice.

`python -m bench waiting` prints the same for full-sized loads.
"""

from collections import Counter

import pytest
from broker.jobs import pacing
from broker.jobs.head import Status

from tests.contract.stack import functions, queues
from tests.fakes.world import MINUTE, SECOND
from tests.unit.overload_case import BATCH, MOST_RECEIVES, READERS, VISIBLE_AGAIN_MS, Arrival, Overload

LOADS = {
    "20 jobs at once, a new account": (10, [0] * 20, 10),
    "30 jobs in ten seconds, a new account": (10, [number * 333 for number in range(30)], 5),
    "a file of 100 lines, a new account": (10, [number * 10 for number in range(100)], 5),
    "twice as many as can run, at once": (50, [0] * 100, 30),
    "a file of ten times as many, within 100 s": (50, [number * 200 for number in range(500)], 30),
    "a fifth more than can run, for ten minutes": (50, [number * 500 for number in range(1_200)], 30),
}
"""How many run at once, when jobs arrive (ms), and how long their model takes (s). The last three are those of an
account where 1,000 run at once, twenty times smaller."""


@pytest.mark.parametrize("load", LOADS)
def test_overload_makes_jobs_wait_and_fails_none(load: str) -> None:
    concurrency, arrivals, model_s = LOADS[load]
    lane = "bulk" if load.startswith("a file") else "interactive"
    overload = Overload(concurrency, [Arrival(at, model_s * SECOND, lane=lane) for at in arrivals])
    heads = overload.run()
    assert Counter(head.status for head in heads) == {Status.SUCCEEDED: len(arrivals)}
    assert {len(head.calls) for head in heads} == {1}, "no call is made twice"
    assert overload.starts == len(arrivals), "no run was started for nothing"
    assert overload.dead_letters == 0
    throttled = sum(number for what, number in overload.throttles.items() if what not in ("dispatch", "sweep"))
    assert throttled <= len(arrivals) / 20, "nearly all that was started had a function at once"


def test_without_a_bound_they_are_throttled_again_and_again_and_succeed_all_the_same() -> None:
    overload = Overload(10, [Arrival(number * 10, 5 * SECOND) for number in range(100)], bounded=False)
    heads = overload.run()
    assert Counter(head.status for head in heads) == {Status.SUCCEEDED: 100}
    assert {len(head.calls) for head in heads} == {1}
    assert overload.starts > 100
    assert overload.throttles["Check Input"] > 100


@pytest.mark.parametrize(
    ("concurrency", "jobs", "lane", "model_s"),
    [(10, 2_000, "interactive", 60), (10, 500, "bulk", 60), (100, 500, "interactive", 300)],
)
def test_a_flood_of_slow_jobs_makes_no_other_tenant_wait(concurrency: int, jobs: int, lane: str, model_s: int) -> None:
    """Half of another tenant's jobs are begun at once, and all within a minute, though nothing here is a fair queue.

    On ten functions the flood's own messages, looked at one after the other, take most of them for a while.
    """
    flood = [Arrival(number * 5, model_s * SECOND, "hostile", lane) for number in range(jobs)]
    quiet = [Arrival(number * 20 * SECOND, 3 * SECOND, "quiet") for number in range(12)]
    overload = Overload(concurrency, [*flood, *quiet])
    overload.run(until_ms=5 * MINUTE)
    waits = overload.waits_ms("quiet")
    assert len(waits) == len(quiet)
    assert waits[len(waits) // 2] <= SECOND
    assert waits[-1] <= (MINUTE if concurrency == 10 else 10 * SECOND)
    assert len(overload.waits_ms("hostile")) >= concurrency // 2, "who floods has most of what there is"


def test_twenty_floods_keep_nobody_out() -> None:
    """Nearly all tenants want more than there is; one that asks for little is begun before most of theirs."""
    floods = [Arrival(0, MINUTE, f"hostile-{each}") for each in range(20) for _ in range(50)]
    quiet = [Arrival((2 + number) * 30 * SECOND, SECOND, "quiet") for number in range(8)]
    overload = Overload(100, [*floods, *quiet])
    overload.run(until_ms=6 * MINUTE)
    waits = overload.waits_ms("quiet")
    assert len(waits) == len(quiet)
    assert waits[len(waits) // 2] <= 10 * SECOND


def test_the_simulation_has_the_templates_numbers() -> None:
    for name, lane in (("Interactive", "interactive"), ("Bulk", "bulk")):
        source = functions()["DispatchFunction"]["Events"][name]["Properties"]
        assert (source["BatchSize"], source["ScalingConfig"]["MaximumConcurrency"]) == (BATCH, READERS[lane])
        assert lane != "bulk" or pacing.READERS == READERS[lane]
        queue = queues()[f"{name}Queue"]
        assert queue["VisibilityTimeout"] * SECOND == VISIBLE_AGAIN_MS
        assert queue["RedrivePolicy"]["maxReceiveCount"] == MOST_RECEIVES
