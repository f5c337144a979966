"""Jobs that circuits keep from their models: which wait for them, and which end."""

import pytest
from broker.errors import CircuitOpen, Conflict, Throttled, Unavailable
from broker.jobs.ending import cancel_job
from broker.jobs.head import Status
from broker.routing.circuits import State

from tests.fakes.provider import failing
from tests.fakes.stage import Stage
from tests.fakes.world import JOB_ID, MINUTE, NOW
from tests.unit.settling_case import failure, settle

SHUT = CircuitOpen("No model can do this job (…).", code="circuits_open", retry_after=60)


def test_a_run_that_no_circuit_let_through_leaves_its_job_waiting() -> None:
    stage = Stage(hold=500)
    head = settle(stage, failure(SHUT))
    assert (head.status, head.error, head.ended_at) == (Status.QUEUED, None, None)
    assert (head.due_at, head.limit) == (NOW + 5 + MINUTE + MINUTE // 2, 500)
    assert stage.world.spent() == {}, "nothing is booked or given back"
    assert (head.rev, head.run) == (2, 1), "accepted, claimed and put back: one write"
    with pytest.raises(Conflict):
        settle(stage, failure(SHUT))
    assert stage.head == head, "a repeat changes nothing"


def test_a_job_that_waits_runs_again_and_is_answered() -> None:
    stage = Stage()
    settle(stage, failure(SHUT))
    run = stage.world.start(JOB_ID, "exec-2", NOW + 2 * MINUTE)
    answer = stage(run=run, now=NOW + 2 * MINUTE)
    head = settle(stage, {"answer": answer}, run, NOW + 2 * MINUTE)
    assert (head.status, head.run, head.lease_expirations) == (Status.SUCCEEDED, 2, 0)


def test_a_circuit_that_opens_between_selection_and_call_leaves_the_job_waiting_too() -> None:
    stage = Stage()
    stage.circuits.known["small"] = State("open", NOW + MINUTE)
    with pytest.raises(CircuitOpen) as refused:
        stage()
    assert settle(stage, failure(refused.value)).status is Status.QUEUED


def test_a_circuit_that_opens_on_the_jobs_own_failure_is_no_reason_to_wait() -> None:
    stage = Stage()
    stage.fails(failing(Unavailable, code="http_503"))
    stage.circuits.known["small"] = State("open", NOW + MINUTE)
    with pytest.raises(CircuitOpen) as refused:
        stage()
    head = settle(stage, failure(refused.value))
    assert (head.status, head.error) == (
        Status.FAILED,
        {
            "type": "unavailable",
            "code": "http_503",
            "message": "The provider says Unavailable. The circuit of small is open.",
        },
    )


def test_a_job_that_was_failed_by_all_but_one_circuit_lists_its_attempts() -> None:
    stage = Stage()
    stage.fails(failing(Throttled))
    stage.fails(failing(Unavailable, code="http_503"))
    head = settle(stage, failure(CircuitOpen("The circuit of large is open.", code="circuit_open", retry_after=9)))
    assert head.status is Status.FAILED
    assert (head.error or {})["message"] == (
        "The provider says Unavailable. The circuit of large is open. "
        "Attempts: small: Throttled (throttled); small: Unavailable (http_503)."
    )


def test_a_call_that_is_not_settled_is_not_left_behind_in_the_queue() -> None:
    stage = Stage()
    stage()  # its function died before the workflow heard of the answer
    head = settle(stage, failure(SHUT))
    assert (head.status, head.open_calls, head.due_at) == (Status.FAILED, ["1.1"], NOW + 2 * MINUTE)


def test_a_job_that_was_canceled_meanwhile_does_not_come_back() -> None:
    stage = Stage()
    cancel_job(stage.world.jobs, JOB_ID, "acme", NOW)
    with pytest.raises(Conflict):
        settle(stage, failure(SHUT))
    assert stage.head.status is Status.CANCELED
