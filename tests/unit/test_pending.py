"""Work that a provider does by itself: started once, asked after, and never started again while it goes on."""

from dataclasses import replace

import pytest
from broker.errors import BadOutput, BrokerError, Conflict, Pending, Throttled, TimedOut, Unavailable
from broker.jobs.ending import cancel_job
from broker.jobs.head import job_pk
from broker.jobs.reconciling import reconcile
from broker.jobs.transitions import Fence, claim, put_back
from broker.providers.wire.base import OperationStarted
from broker.steps.exchanging import AFTER_CALL_MS
from broker.steps.timing import LONGEST_POLL_S
from broker.storage import Update

from tests.fakes.asking import row
from tests.fakes.provider import ANSWER, failing
from tests.fakes.stage import Stage
from tests.fakes.world import JOB_ID, MINUTE, NOW, SECOND, a_model

STARTED = OperationStarted({"job": "t-1"}, check_after_s=7)


@pytest.fixture
def invoke() -> Stage:
    """A job that may take ten minutes, and whose provider has begun to work on it."""
    stage = Stage(timeout_s=600)
    assert stage.fails_with(Pending, STARTED).retry_after == 7
    return stage


def test_it_is_asked_after_until_it_is_there(invoke: Stage) -> None:
    invoke.fails_with(Pending, STARTED)
    result = invoke(now=NOW + 9 * SECOND)
    assert (result["output"], result["facts"]["outcome"]) == ("OUTPUT#1.1", "succeeded")
    assert (len(invoke.provider.calls), invoke.provider.checks) == (1, [{"job": "t-1"}] * 2)
    assert invoke.world.payloads.load(JOB_ID, "OUTPUT#1.1") == ANSWER.output


def test_each_call_has_a_name_that_stays(invoke: Stage) -> None:
    invoke()
    assert [call.token for call in invoke.provider.calls] == [f"{JOB_ID}-1-1"]
    assert invoke.provider.checked[0].token == f"{JOB_ID}-1-1"


def test_it_is_asked_after_ever_later(invoke: Stage) -> None:
    pauses = []
    for seconds in (10, 200, 590):
        invoke.provider.script.append(STARTED)
        with pytest.raises(Pending) as failure:
            invoke(now=NOW + seconds * SECOND)
        pauses.append(failure.value.retry_after)
    assert pauses == [7, 20, 59]
    assert max(pauses) <= LONGEST_POLL_S


def test_work_whose_handle_was_lost_with_its_function_is_begun_under_the_same_name() -> None:
    class Killed(BaseException):
        pass

    stage = Stage(timeout_s=600)
    stage.world.register(a_model("small", asynchronous=True))
    stage.provider.script.append(Killed())
    with pytest.raises(Killed):
        stage()
    with pytest.raises(TimedOut):
        stage(now=NOW + 600 * SECOND)
    assert stage.provider.stopped == [], "without its operation_id it cannot be found"
    stage.fails_with(Pending, STARTED)
    assert [call.token for call in stage.provider.calls] == [f"{JOB_ID}-1-1"] * 2
    assert stage()["output"] == "OUTPUT#1.1"
    assert list(stage.head.calls) == ["1.1"], "one call is on record, and paid for once"


@pytest.mark.parametrize("lost", [True, False])
def test_work_whose_handle_was_lost_is_not_told_again_to_a_model_outside_of_its_residency(lost: bool) -> None:
    stage = Stage(timeout_s=600)
    stage.world.register(a_model("small", asynchronous=True), a_model("large", regions=["eu"]))
    stage.fails_with(Pending, STARTED)
    if lost:
        key, call = next(iter(stage.head.calls.items()))
        known = {key: {name: value for name, value in call.items() if name != "h"}}
        stage.world.database.write(Update("jobs", job_pk(JOB_ID), "HEAD", set={"calls": known}))
    stage.world.register(row("all", residency={"regions": ["eu"]}))
    assert stage("large")["facts"]["model"] == ("large" if lost else "small")
    assert [call.model for call in stage.provider.calls] == (["small-1", "large-1"] if lost else ["small-1"])


def test_a_probe_that_began_work_is_given_back(invoke: Stage) -> None:
    """Whether the work succeeds is told when it is there; until then others may probe."""
    assert [(model, outcome) for model, outcome, _ in invoke.circuits.recorded] == [("small", "Pending")]
    invoke()
    assert [outcome for _, outcome, _ in invoke.circuits.recorded] == ["Pending", "succeeded"]


def test_asking_writes_nothing(invoke: Stage) -> None:
    before = invoke.head
    invoke.fails_with(Pending, STARTED)
    assert invoke.head == before


def test_the_lease_covers_the_wait(invoke: Stage) -> None:
    assert invoke.head.lease_until == NOW + 600 * SECOND + AFTER_CALL_MS


def test_long_work_renews_its_lease_so_that_a_dead_run_is_found_within_it() -> None:
    stage = Stage(timeout_s=86_400)
    stage.fails_with(Pending, STARTED)
    leases = []
    for minutes in (10, 20, 300, 24 * 60 - 5):
        stage.provider.script.append(STARTED)
        with pytest.raises(Pending):
            stage(now=NOW + minutes * MINUTE)
        leases.append(((stage.head.lease_until or 0) - AFTER_CALL_MS - NOW) // MINUTE)
    assert leases == [30, 50, 330, 24 * 60], "half an hour each time, and not beyond the time budget"


@pytest.mark.parametrize("kind", [Throttled, Unavailable])
def test_a_question_that_fails_does_not_end_the_work(invoke: Stage, kind: type[BrokerError]) -> None:
    invoke.fails_with(Pending, failing(kind))
    assert invoke.head.open_calls == ["1.1"]
    assert invoke()["output"] == "OUTPUT#1.1"


@pytest.mark.parametrize("error", [failing(BadOutput, maybe_paid=True), failing(Unavailable, maybe_paid=True)])
def test_work_that_fails_is_settled(invoke: Stage, error: BrokerError) -> None:
    invoke.fails_with(type(error), error)
    assert (invoke.head.open_calls, invoke.head.calls["1.1"]["p"]) == ([], "unknown")


def test_a_later_run_asks_after_the_same_work(invoke: Stage) -> None:
    invoke.world.jobs.change(JOB_ID, lambda head: reconcile(head, now=NOW + 30 * MINUTE))
    later = NOW + 31 * MINUTE
    second = invoke.world.jobs.change(JOB_ID, lambda head: claim(head, now=later, lease_ms=MINUTE, by="m2"))
    run = replace(invoke.run, fence=Fence(second.run, "exec-2"))
    invoke.provider.script.append(STARTED)
    with pytest.raises(Pending):
        invoke("large", run=run, now=later)
    assert (invoke.head.lease_until or 0) > later + 600 * SECOND, "under the lease of its own run"
    assert invoke("large", run=run, now=later)["facts"]["model"] == "small"
    assert len(invoke.provider.calls) == 1


def test_it_is_not_waited_for_beyond_the_time_budget(invoke: Stage) -> None:
    with pytest.raises(TimedOut):
        invoke(now=NOW + 600 * SECOND)
    assert invoke.head.open_calls == ["1.1"], "what was begun may be paid for"


def test_work_that_nobody_waits_for_is_stopped(invoke: Stage) -> None:
    cancel_job(invoke.world.jobs, JOB_ID, "acme", NOW)
    with pytest.raises(Conflict):
        invoke()
    assert invoke.provider.stopped == [{"job": "t-1"}]
    assert invoke.head.open_calls == ["1.1"], "what was done until then may be paid for"


def test_work_of_a_job_that_ended_while_it_waited_in_its_queue_is_stopped(invoke: Stage) -> None:
    fence = Fence(1, invoke.head.execution or "")
    invoke.world.jobs.change(
        JOB_ID, lambda head: put_back(head, fence, "capacity", answered=False, now=NOW, chance=0.5)
    )
    invoke.invoke().leave_undone(JOB_ID, NOW)
    assert invoke.provider.stopped == [], "the next run asks after it"
    cancel_job(invoke.world.jobs, JOB_ID, "acme", NOW)
    for job_id in (JOB_ID, "job_gone"):
        invoke.invoke().leave_undone(job_id, NOW)
    assert invoke.provider.stopped == [{"job": "t-1"}]
    assert invoke.head.open_calls == ["1.1"], "what was done until then may be paid for"


def test_work_beyond_the_time_budget_is_stopped(invoke: Stage) -> None:
    with pytest.raises(TimedOut):
        invoke(now=NOW + 600 * SECOND)
    assert invoke.provider.stopped == [{"job": "t-1"}]


def test_work_that_another_run_waits_for_goes_on(invoke: Stage) -> None:
    invoke.world.jobs.change(JOB_ID, lambda head: reconcile(head, now=NOW + 30 * MINUTE))
    invoke.world.jobs.change(JOB_ID, lambda head: claim(head, now=NOW + 31 * MINUTE, lease_ms=MINUTE, by="m2"))
    with pytest.raises(Conflict):
        invoke()
    assert invoke.provider.stopped == []


def test_that_it_cannot_be_stopped_changes_nothing(invoke: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (failing(Unavailable), KeyError("job")):

        def refuse(*_: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(type(invoke.provider), "stop", refuse)
        with pytest.raises(TimedOut):
            invoke(now=NOW + 600 * SECOND)
    monkeypatch.delattr(type(invoke.provider), "stop")
    with pytest.raises(TimedOut):
        invoke(now=NOW + 600 * SECOND)


def test_work_that_begins_for_a_job_that_has_ended_stays_on_record() -> None:
    stage = Stage()
    stage.provider.script.append(STARTED)
    stage.provider.during = lambda: cancel_job(stage.world.jobs, JOB_ID, "acme", NOW)
    with pytest.raises(Conflict):
        stage()
    assert stage.head.open_calls == ["1.1"]


def test_a_provider_that_cannot_be_asked_is_an_error_that_may_have_been_paid_for(invoke: Stage) -> None:
    invoke.world.register(a_model("small", provider="mute"))
    with pytest.raises(Unavailable):
        invoke()
    assert invoke.head.calls["1.1"]["e"]["code"] == "no_check"


@pytest.mark.parametrize("kind", [BadOutput, Unavailable])
def test_work_that_keeps_failing_is_not_started_for_ever(kind: type[BrokerError]) -> None:
    stage = Stage(timeout_s=600)
    for _ in range(2):
        stage.fails_with(Pending, STARTED)
        stage.fails_with(kind, failing(kind, maybe_paid=True))
    with pytest.raises(kind):
        stage()
    assert len(stage.provider.calls) == 2
    assert stage("large")["facts"]["model"] == "large"
