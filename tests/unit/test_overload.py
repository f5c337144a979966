"""More jobs than Lambda lets run at once: they wait, none fails, and no call is made twice.

`pytest -s tests/unit/test_overload.py` prints what happened.
"""

from collections import Counter

import pytest
from broker.jobs.head import Status

from tests.contract.stack import functions, queues
from tests.fakes.world import MINUTE, SECOND
from tests.unit.overload_case import BATCH, MOST_RECEIVES, READERS, VISIBLE_AGAIN_MS, Arrival, Overload

LOADS = {
    "20 jobs at once, a new account": (10, [0] * 20, 10),
    "30 jobs in ten seconds, a new account": (10, [number * 333 for number in range(30)], 5),
    "a file of 100 lines, a new account": (10, [number * 10 for number in range(100)], 5),
    "twice as many as can run, at once": (100, [0] * 200, 30),
    "a file of ten times as many, within 100 s": (100, [number * 100 for number in range(1_000)], 30),
    "a fifth more than can run, for ten minutes": (100, [number * 250 for number in range(2_400)], 30),
}
"""How many run at once, when jobs arrive (ms), and how long their model takes (s). The last three are those of an
account where 1,000 run at once, ten times smaller."""


@pytest.mark.parametrize("load", LOADS)
def test_overload_makes_jobs_wait_and_fails_none(load: str) -> None:
    concurrency, arrivals, model_s = LOADS[load]
    overload = Overload(concurrency, [Arrival(at, model_s * SECOND) for at in arrivals])
    heads = overload.run()
    ends = Counter(head.status.value for head in heads)
    took = sorted(((head.ended_at or 0) - head.created_at) / MINUTE for head in heads)
    ideal = len(arrivals) * model_s / concurrency / 60
    print(
        f"\n{load}: {dict(ends)}; ended after {took[len(took) // 2]:.1f} min (median), {took[-1]:.1f} min (last), "
        f"the models alone would take {ideal:.1f}; {overload.starts} executions, throttled {dict(overload.throttles)}; "
        f"dispatch {overload.invocations['dispatch']}, {overload.metered.requests}, {overload.metered.reads} RU, {overload.metered.writes} WU, sent again {overload.sent_again}, busy {overload.most_busy}, dead {overload.dead_letters}"
    )
    assert ends == {Status.SUCCEEDED: len(arrivals)}
    assert {len(head.calls) for head in heads} == {1}, "no call is made twice"


def test_the_simulation_has_the_templates_numbers() -> None:
    for name, lane in (("Interactive", "interactive"), ("Bulk", "bulk")):
        source = functions()["DispatchFunction"]["Events"][name]["Properties"]
        assert (source["BatchSize"], source["ScalingConfig"]["MaximumConcurrency"]) == (BATCH, READERS[lane])
        queue = queues()[f"{name}Queue"]
        assert queue["VisibilityTimeout"] * SECOND == VISIBLE_AGAIN_MS
        assert queue["RedrivePolicy"]["maxReceiveCount"] == MOST_RECEIVES
