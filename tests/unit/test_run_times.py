"""When a run's time begins: with its first call, so that waiting for a function takes none of it."""

from dataclasses import replace

import pytest
from broker.errors import TimedOut, Unavailable
from broker.jobs.call_transitions import EXPRESS_CALLS_MS, end_call, start_call
from broker.jobs.dispatching import EXPRESS_BUDGET_S

from tests.fakes.provider import failing
from tests.fakes.stage import Stage
from tests.fakes.world import HOUR, JOB_ID, MINUTE, NOW, SECOND, a_model

EXPRESS_END_MS = 300 * SECOND
"""An Express execution is cut then."""


def slow(timeout_s: int) -> Stage:
    """A job of so much time, and a model that may take longer."""
    stage = Stage(timeout_s=timeout_s)
    stage.world.register(a_model("slow", timeout_s=300))
    return stage


@pytest.mark.parametrize(("timeout_s", "waited_s"), [(1, 75), (5, 100), (120, 150), (600, 900)])
def test_a_run_that_waited_for_a_function_has_all_of_its_time(timeout_s: int, waited_s: int) -> None:
    stage = slow(timeout_s)
    stage("slow", now=NOW + waited_s * SECOND)
    assert stage.provider.calls[0].timeout == min(timeout_s, 300)


def test_what_follows_the_first_call_is_within_the_same_time() -> None:
    stage = slow(60)
    stage.provider.script.append(failing(Unavailable))
    with pytest.raises(Unavailable):
        stage("slow", now=NOW + 100 * SECOND)
    stage("slow", now=NOW + 150 * SECOND)
    assert [call.timeout for call in stage.provider.calls] == [60, 10]
    assert (stage.head.started_at, stage.head.claimed_at) == (NOW, NOW + 100 * SECOND)


@pytest.mark.parametrize("waited_s", [0, 20, 75, 150, 269, 271])
@pytest.mark.parametrize("timeout_s", [1, 120, 200, EXPRESS_BUDGET_S])
def test_an_express_run_asks_nobody_so_late_that_it_would_be_cut(timeout_s: int, waited_s: int) -> None:
    stage = slow(timeout_s)
    try:
        stage("slow", now=NOW + waited_s * SECOND)
    except TimedOut:
        assert waited_s > EXPRESS_CALLS_MS // SECOND, "no function waits for so long in an Express run"
        return
    (call,) = stage.provider.calls
    assert waited_s + call.timeout <= EXPRESS_CALLS_MS / SECOND < EXPRESS_END_MS / SECOND
    assert call.timeout == timeout_s or waited_s + call.timeout == EXPRESS_CALLS_MS / SECOND


def test_the_deadline_waits_for_nobody() -> None:
    stage = slow(60)
    stage.world.jobs.change(JOB_ID, lambda head: replace(head, rev=head.rev + 1, deadline_at=NOW + 2 * MINUTE))
    stage("slow", now=NOW + 100 * SECOND)
    assert stage.provider.calls[0].timeout == 20


def test_engines_that_judge_take_none_of_a_models_time() -> None:
    stage = slow(60)
    engine = {"model": "small", "reserve": 1, "lease_ms": MINUTE}
    head, key = start_call(stage.head, stage.run.fence, now=NOW + 50 * SECOND, **engine)
    judged = {"operation": "guard", "outcome": "succeeded", "paid": "no", "cost": 0}
    stage.world.jobs.change(JOB_ID, lambda _: replace(end_call(head, stage.run.fence, key, judged), rev=2))
    stage.next()
    stage("slow", now=NOW + 100 * SECOND)
    assert stage.provider.calls[0].timeout == 60


def test_work_that_goes_on_from_an_earlier_run_has_no_more_time_with_each_question() -> None:
    stage = slow(600)
    waiting = {"m": "slow", "r": 1, "h": {"id": "op"}, "s": NOW}
    stage.world.jobs.change(JOB_ID, lambda head: replace(head, rev=head.rev + 1, calls={"0.1": waiting}))
    stage.next()
    with pytest.raises(TimedOut):
        stage("slow", now=NOW + HOUR // 2)
