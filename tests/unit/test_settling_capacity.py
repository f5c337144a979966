"""Jobs for which there was no function to run in: they wait, and an answer that is there is not given up."""

from dataclasses import replace
from typing import Any

import pytest
from broker.errors import CircuitOpen, Conflict, Pending, Throttled, Unavailable
from broker.jobs.ending import cancel_job
from broker.jobs.head import Head, Status, job_pk
from broker.jobs.reading import timeline
from broker.jobs.reconciling import reconcile
from broker.jobs.reviewing import let_go
from broker.providers.wire.base import OperationStarted
from broker.routing.circuits import State
from broker.steps.selecting import SelectModel
from broker.steps.settling import NOT_STARTED
from broker.storage import Update
from broker.tenants.registry import Tenants

from tests.fakes.circuits import FakeCircuits
from tests.fakes.provider import failing
from tests.fakes.questions import cache_lookup_of
from tests.fakes.settling import settling_of
from tests.fakes.stage import Stage
from tests.fakes.world import HOUR, JOB_ID, MINUTE, NOW, a_model
from tests.unit.settling_case import failure, settle

THROTTLED = {"failure": {"Error": "Lambda.TooManyRequestsException", "Cause": "Rate Exceeded."}}
DIED = {"failure": {"Error": "States.Timeout", "Cause": ""}}


def waited(head: Head) -> dict[str, Any]:
    return next(each for each in timeline(head, {}) if each["event"] == "job.waiting")


@pytest.mark.parametrize("error", sorted(NOT_STARTED))
def test_a_run_that_was_not_let_in_leaves_its_job_waiting(error: str) -> None:
    stage = Stage(hold=500)
    head = settle(stage, {"failure": {"Error": error, "Cause": ""}})
    assert (head.status, head.error, head.ended_at, head.limit) == (Status.QUEUED, None, None, 500)
    assert head.due_at == NOW + 5 + MINUTE // 2, "spread over a minute"
    assert stage.world.spent() == {}
    assert (waited(head)["reason"], waited(head)["times"]) == ("capacity", 1)
    with pytest.raises(Conflict):
        settle(stage, THROTTLED)
    assert stage.head == head, "a repeat changes nothing"


def test_each_time_it_waits_for_longer_and_its_loss_is_not_counted() -> None:
    stage, now, dues = Stage(), NOW, []
    for number in range(4):
        run = stage.world.start(JOB_ID, f"exec-{number}", now) if number else stage.run
        head = settle(stage, THROTTLED, run, now)
        dues.append((head.due_at or 0) - now)
        now += 10 * MINUTE
    assert dues == [MINUTE // 2, MINUTE, 2 * MINUTE, 2.5 * MINUTE]
    assert (stage.head.lease_expirations, stage.head.waits["times"]) == (0, 4)


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_an_answer_that_kills_its_checks_is_checked_ever_more_rarely_and_once_more_at_the_end(chance: float) -> None:
    stage, times = Stage(timeout_s=12 * 3600), [NOW]
    answer, run = stage(), stage.run
    settling = replace(settling_of(stage.world), chance=lambda: chance)
    while True:
        head = settling(run, {"answer": answer, **DIED}, times[-1])
        now = max(head.due_at or 0, times[-1] + MINUTE)  # the sweep comes each minute
        if now >= head.deadline_at:
            break
        run = stage.world.start(JOB_ID, f"exec-{len(times)}", now)
        times.append(now)
    assert (head.deadline_at - NOW, len(stage.provider.calls)) == (24 * HOUR, 1)
    assert sum(at < NOW + HOUR for at in times) <= 12 and len(times) <= 24
    assert head.deadline_at - times[-1] <= 2 * MINUTE


def test_an_answer_waits_with_its_job_and_is_not_asked_for_again() -> None:
    for ending, reason in ((THROTTLED, "capacity"), (DIED, "moderation")):
        stage = Stage()
        answer = stage()
        head = settle(stage, {"answer": answer, **ending})
        assert (head.status, head.open_calls, waited(head)["reason"]) == (Status.QUEUED, ["1.1"], reason)
        run = stage.world.start(JOB_ID, "exec-2", NOW + 2 * MINUTE)
        again = stage(run=run, now=NOW + 2 * MINUTE)
        assert again["output"] == answer["output"]
        ended = settle(stage, {"answer": again}, run, NOW + 2 * MINUTE)
        assert (ended.status, ended.output, ended.spent) == (Status.SUCCEEDED, "OUTPUT#1.1", answer["facts"]["cost"])
        assert (len(stage.provider.calls), stage.world.spent()["calls"]) == (1, 1), "one call, paid for once"


def test_the_next_run_takes_it_though_no_model_could_be_asked_any_more() -> None:
    stage = Stage()
    stage.world.tenant()
    settle(stage, {"answer": stage(), **THROTTLED})
    run = stage.world.start(JOB_ID, "exec-2", NOW + 2 * MINUTE)
    released = selecting(stage)(run, NOW + 2 * MINUTE)["released"]
    assert settle(stage, {"answer": released}, run, NOW + 2 * MINUTE).status is Status.SUCCEEDED


def test_an_answer_that_the_workflow_was_not_told_of_waits_too() -> None:
    stage = Stage()
    answer = stage()  # its function died right after it, and there is no other candidate
    assert (settle(stage, DIED).status, waited(stage.head)["reason"]) == (Status.QUEUED, "moderation")
    run = stage.world.start(JOB_ID, "exec-2", NOW + 2 * MINUTE)
    assert settle(stage, DIED, run, NOW + 2 * MINUTE).status is Status.QUEUED, "the next run's checks died before it"
    run = stage.world.start(JOB_ID, "exec-3", NOW + 9 * MINUTE)
    assert stage(run=run, now=NOW + 9 * MINUTE)["output"] == answer["output"]


def test_a_reason_is_told_since_when_it_is_one() -> None:
    """Else a job that waited for hours for something else, or for a person, comes back hours later."""
    stage, later = Stage(timeout_s=12 * 3600), NOW + 10 * HOUR
    settle(stage, failure(CircuitOpen("…", code="circuits_open", retry_after=60)))
    run = stage.world.start(JOB_ID, "exec-2", later)
    answer = {name: fact for name, fact in stage(run=run, now=later).items() if name != "head"}
    head = settle(stage, {"answer": answer, **DIED}, run, later)
    assert (head.waits["since"], waited(head)["times"], waited(head)["reason"]) == (later, 2, "moderation")
    assert (head.due_at or 0) <= later + MINUTE
    run = stage.world.start(JOB_ID, "exec-3", later + MINUTE)
    held = {"stage": "output", "rules": ["secrets"], "message": "No."}
    head = settle(stage, {"answer": answer, "held": held}, run, later + MINUTE)
    assert waited(head)["until"] is None, "it waits for a person now"
    released = later + 10 * HOUR
    stage.world.jobs.change(JOB_ID, lambda current: let_go(current, now=released))
    run = stage.world.start(JOB_ID, "exec-4", released)
    head = settle(stage, {"answer": answer, **DIED}, run, released)
    assert (head.due_at or 0) <= released + 4 * MINUTE


def test_what_was_asked_in_vain_is_not_asked_again() -> None:
    stage = Stage()
    stage.fails(failing(Throttled))
    head = settle(stage, THROTTLED)
    assert (head.status, (head.error or {})["code"]) == (Status.FAILED, "throttled")
    assert (head.error or {})["message"].startswith("The provider says Throttled.")


def test_a_call_that_an_earlier_run_lost_lets_no_model_be_asked_again_and_again() -> None:
    stage = Stage()
    stage.world.payloads.drop(JOB_ID, stage()["output"])  # as where its function died before the answer came
    assert settle(stage, THROTTLED).status is Status.QUEUED
    run = stage.world.start(JOB_ID, "exec-2", NOW + 2 * MINUTE)
    stage.provider.script.append(failing(Throttled))
    with pytest.raises(Throttled):
        stage(run=run, now=NOW + 2 * MINUTE)
    head = settle(stage, THROTTLED, run, NOW + 2 * MINUTE)
    assert (head.status, (head.error or {})["code"]) == (Status.FAILED, "throttled")


def test_an_answer_after_a_failure_is_not_given_up_though_its_step_died() -> None:
    stage = Stage()
    stage.fails(failing(Unavailable))
    answer = stage("large")
    assert settle(stage, THROTTLED).status is Status.QUEUED
    run = stage.world.start(JOB_ID, "exec-2", NOW + 2 * MINUTE)
    assert stage(run=run, now=NOW + 2 * MINUTE)["output"] == answer["output"]


def selecting(stage: Stage) -> SelectModel:
    world = stage.world
    lookup, shut = cache_lookup_of(world), {name: State("open", NOW + HOUR) for name in ("small", "large")}
    return SelectModel(world.jobs, world.payloads, world.models(), Tenants(world.database), lookup, FakeCircuits(shut))


@pytest.mark.parametrize(
    "change", [{"status": "disabled"}, {"tasks": ["embed"]}, {"price_out": 10**9}, {}], ids=lambda change: str(change)
)
def test_work_that_goes_on_by_itself_is_asked_after_by_the_next_run(change: dict[str, Any]) -> None:
    """Whatever became of its model, also where the job's limit covers no second call."""
    stage = Stage(timeout_s=600)
    stage.world.tenant()
    stage.fails_with(Pending, OperationStarted({"job": "t-1"}, check_after_s=7))
    spent = stage.head.reserved
    stage.world.database.write(Update("jobs", job_pk(JOB_ID), "HEAD", set={"limit": spent}))
    assert settle(stage, THROTTLED).status is Status.QUEUED
    stage.world.register(a_model("small", asynchronous=True, **change))
    run = stage.world.start(JOB_ID, "exec-2", NOW + 2 * MINUTE)
    assert run.held == 0
    (model,) = selecting(stage)(run, NOW + 2 * MINUTE)["candidates"]
    answer = stage(model, run, NOW + 2 * MINUTE)
    head = settle(stage, {"answer": answer}, run, NOW + 2 * MINUTE)
    assert (head.status, list(head.calls), len(stage.provider.calls)) == (Status.SUCCEEDED, ["1.1"], 1)


def test_where_no_work_goes_on_the_next_run_is_refused_as_ever() -> None:
    stage = Stage()
    stage.world.tenant()
    settle(stage, THROTTLED)
    run = stage.world.start(JOB_ID, "exec-2", NOW + 2 * MINUTE)
    with pytest.raises(CircuitOpen):
        selecting(stage)(run, NOW + 2 * MINUTE)


def test_what_a_step_says_itself_ends_the_job_as_ever() -> None:
    stage = Stage()
    answer = stage()
    head = settle(stage, {"answer": answer, **failure(failing(Throttled))})
    assert (head.status, (head.error or {})["code"]) == (Status.FAILED, "throttled")
    assert settle(Stage(), DIED).status is Status.FAILED


def test_one_that_was_canceled_meanwhile_stays_so() -> None:
    stage = Stage()
    stage.world.database.meanwhile.append(lambda: cancel_job(stage.world.jobs, JOB_ID, "acme", NOW))
    with pytest.raises(Conflict):
        settle(stage, THROTTLED)
    assert stage.head.status is Status.CANCELED


@pytest.mark.parametrize(
    ("ending", "code", "why"),
    [(THROTTLED, "no_capacity", "no capacity for it"), (DIED, "not_moderated", "could not be checked")],
)
def test_at_its_deadline_it_is_told_what_it_waited_for(ending: dict[str, Any], code: str, why: str) -> None:
    stage = Stage()
    head = settle(stage, {"answer": stage(), **ending})
    ended = reconcile(head, now=head.deadline_at)
    assert (ended.status, (ended.error or {})["code"]) == (Status.EXPIRED, code)
    assert why in (ended.error or {})["message"]
