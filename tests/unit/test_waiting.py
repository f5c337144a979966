"""Jobs that no circuit lets through: back to the queue, and sent again when one may."""

from dataclasses import replace

import pytest
from broker.errors import Conflict
from broker.jobs.head import Head, Status
from broker.jobs.reconciling import reconcile
from broker.jobs.transitions import cancel, claim, wait

from tests.fakes.world import HOUR, MINUTE, NOW
from tests.unit.transitions_case import FENCE, running


def waiting(head: Head | None = None, *, until: int = NOW + MINUTE, now: int = NOW, chance: float = 0.0) -> Head:
    return wait(head or running(), FENCE, until=until, now=now, chance=chance)


def test_a_job_that_no_circuit_lets_through_goes_back_to_its_queue() -> None:
    head = waiting(running(limit=7, lease_expirations=1))
    assert (head.status, head.run, head.started_at, head.due_at) == (Status.QUEUED, 1, NOW, NOW + MINUTE)
    assert (head.execution, head.claimed_by, head.lease_until) == (None, None, None)
    assert (head.limit, head.lease_expirations, head.waits) == (7, 1, {"since": NOW, "times": 1}), (
        "it is no loss, and stays held"
    )
    again = waiting(running(waits=head.waits), now=NOW + HOUR, until=NOW + HOUR)
    assert again.waits == {"since": NOW, "times": 2}


def test_waiting_is_sent_again_once_and_claimed_by_any_message() -> None:
    sent = reconcile(waiting(), now=NOW + MINUTE)
    assert (sent.status, sent.nudges, sent.lease_expirations) == (Status.QUEUED, 1, 0)
    again = claim(sent, now=NOW + MINUTE, lease_ms=90_000, by="m1")
    assert (again.run, again.started_at, again.claimed_at) == (2, NOW, NOW + MINUTE)
    assert waiting(replace(again, execution=FENCE.execution, run=1)).nudges == 0, "it waits for its time, not a message"


@pytest.mark.parametrize(
    ("waited", "times", "chance", "due"),
    [
        (0, 0, 0.5, 30_000),
        (0, 0, 1.0, MINUTE),
        (0, 1, 1.0, 2 * MINUTE),
        (40 * MINUTE, 9, 1.0, 5 * MINUTE),
        (80 * MINUTE, 9, 1.0, 10 * MINUTE),
        (80 * MINUTE, 9, 0.25, 2.5 * MINUTE),
    ],
)
def test_the_longer_jobs_wait_the_further_they_spread(waited: int, times: int, chance: float, due: int) -> None:
    now = NOW + waited
    waits = {"since": NOW, "times": times} if times else {}
    head = running(deadline_at=NOW + 24 * HOUR, waits=waits)
    assert waiting(head, now=now, until=now + MINUTE, chance=chance).due_at == now + MINUTE + due


@pytest.mark.parametrize(
    ("left", "due"),
    [
        (4 * MINUTE, 2 * MINUTE),
        (3 * MINUTE, 90_000),
        (2 * MINUTE, MINUTE),  # the sweep comes each minute: once more before the deadline
        (MINUTE + 1_000, MINUTE),
        (MINUTE, MINUTE),
        (1_000, 1_000),
        (-1_000, -1_000),
    ],
)
def test_what_is_due_before_the_deadline_leaves_time_for_the_work(left: int, due: int) -> None:
    assert waiting(running(deadline_at=NOW + left), chance=1.0).due_at == NOW + due


@pytest.mark.parametrize(
    ("call", "waits"),
    [
        ({"1.1": {"m": "small", "r": 1}}, False),
        ({"1.1": {"m": "small", "r": 1, "c": 0, "o": "Unavailable"}}, False),
        ({"1.1": {"m": "small", "r": 1, "c": 1, "o": "succeeded", "w": "embed"}}, True),
        ({"0.1": {"m": "small", "r": 1}}, True),
    ],
    ids=["open", "failed", "beside", "of a run that was lost"],
)
def test_only_a_run_that_asked_nobody_waits(call: dict[str, dict[str, object]], waits: bool) -> None:
    if waits:
        assert waiting(running(calls=call)).calls == call
    else:
        with pytest.raises(Conflict):
            waiting(running(calls=call))


def test_a_stale_run_cannot_send_its_job_back() -> None:
    for head in (running(run=2), replace(running(), execution="exec-2"), waiting()):
        with pytest.raises(Conflict):
            waiting(head)


def test_a_job_that_expires_says_that_circuits_kept_it_waiting() -> None:
    held_up = reconcile(waiting(), now=NOW + HOUR)
    assert (held_up.status, held_up.ended_at) == (Status.EXPIRED, NOW + HOUR)
    assert held_up.error == {
        "type": "expired",
        "code": "circuits_open",
        "message": "The job's deadline passed. Open circuits kept it waiting since 2026-11-18T11:06:40.000Z.",
    }
    let_through = reconcile(claim(waiting(), now=NOW + MINUTE, lease_ms=1, by="m2"), now=NOW + HOUR)
    assert let_through.error is not None
    assert (let_through.error["code"], "kept it waiting" in let_through.error["message"]) == ("deadline_passed", True)


def test_a_waiting_job_is_canceled_like_any_other() -> None:
    assert cancel(waiting(), now=NOW + 5).status is Status.CANCELED
