"""The legal transitions of a job, and every other one refused."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from broker.errors import Conflict, NotCancelable
from broker.jobs.call_transitions import end_call, keep_pending, late_calls, start_call
from broker.jobs.head import Head, Status
from broker.jobs.reconciling import reconcile
from broker.jobs.transitions import Fence, Outcome, cancel, check_fence, claim, finish, release, wait

from tests.fakes.world import HOUR, NOW, a_head
from tests.unit.transitions_case import FENCE, PAID, WON, ended, running, with_calls

TERMINAL = [status for status in Status if status.terminal]
STEPS: dict[str, Callable[[Head], Head]] = {
    "claim": lambda head: claim(head, now=NOW, lease_ms=1, by="m2"),
    "release": lambda head: release(head, by="m1"),
    "start_call": lambda head: start_call(head, FENCE, model="small", reserve=1, now=NOW, lease_ms=1)[0],
    "end_call": lambda head: end_call(head, FENCE, "1.1", PAID),
    "finish": lambda head: finish(head, WON, now=NOW, fence=FENCE),
    "finish from outside": lambda head: finish(head, WON, now=NOW),
    "cancel": lambda head: cancel(head, now=NOW),
    "reconcile": lambda head: reconcile(head, now=NOW),
    "late_calls": lambda head: late_calls(head, {"1.1": PAID}),
    "wait": lambda head: wait(replace(head, calls={}), FENCE, until=NOW, now=NOW, chance=0),
    "keep_pending": lambda head: keep_pending(head, FENCE, "1.1", {"id": "x"}, now=NOW, lease_until=NOW),
}

OUTSIDE = {"finish from outside", "cancel", "reconcile", "late_calls"}
LEGAL = {
    Status.QUEUED: {"claim", *OUTSIDE},
    Status.RUNNING: {"start_call", "end_call", "keep_pending", "finish", "wait", *OUTSIDE},
}


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("status", Status)
def test_only_legal_steps_are_taken(status: Status, name: str) -> None:
    before = a_head() if status is Status.QUEUED else running()
    before = with_calls(replace(before, status=status), (5, None))
    if name in LEGAL.get(status, {"late_calls"}):
        assert STEPS[name](before).rev == before.rev + 1
    else:
        with pytest.raises(NotCancelable if name == "cancel" else Conflict):
            STEPS[name](before)


def test_claim_begins_a_run_under_a_lease() -> None:
    head = claim(a_head(nudges=2), now=NOW + 5, lease_ms=90_000, by="m1")
    assert (head.status, head.run, head.rev) == (Status.RUNNING, 1, 2)
    assert (head.claimed_by, head.execution, head.nudges) == ("m1", None, 2)
    assert (head.started_at, head.lease_until) == (NOW + 5, NOW + 90_005)


def test_claim_never_moves_what_is_due_further_away() -> None:
    assert claim(a_head(due_at=NOW + 10), now=NOW, lease_ms=90_000, by="m").due_at == NOW + 10
    assert claim(a_head(due_at=NOW + HOUR), now=NOW, lease_ms=90_000, by="m").due_at == NOW + 90_000


def test_a_second_claim_keeps_the_start_and_forgets_the_old_execution() -> None:
    again = claim(replace(running(), status=Status.QUEUED), now=NOW + HOUR - 1, lease_ms=1, by="m2")
    assert (again.run, again.started_at, again.execution) == (2, NOW, None)


def test_release_is_for_who_claimed_and_before_the_workflow_wrote() -> None:
    claimed = replace(running(), execution=None)
    back = release(claimed, by="m1")
    assert (back.status, back.run, back.claimed_by, back.lease_until) == (Status.QUEUED, 1, None, None)
    with pytest.raises(Conflict):
        release(claimed, by="m2")
    with pytest.raises(Conflict):
        release(running(), by="m1")


@pytest.mark.parametrize(
    ("head", "fence", "passes"),
    [
        (running(), Fence(1, "exec-1"), True),
        (running(), Fence(1, "exec-2"), False),
        (running(), Fence(2, "exec-1"), False),
        (running(run=2), Fence(1, "exec-1"), False),
        (replace(running(), execution=None), Fence(1, "exec-2"), True),
        (a_head(run=1), Fence(1, "exec-1"), False),
        *((ended(status), FENCE, False) for status in TERMINAL),
    ],
)
def test_the_fence_lets_one_execution_of_one_run_through(head: Head, fence: Fence, passes: bool) -> None:
    if passes:
        check_fence(head, fence)
    else:
        with pytest.raises(Conflict):
            check_fence(head, fence)


def test_finish_tells_how_it_ended() -> None:
    head = finish(running(), WON, now=NOW + 7, fence=FENCE)
    assert (head.status, head.ended_at, head.model, head.output) == (Status.SUCCEEDED, NOW + 7, "small", "OUTPUT#1.1")
    assert (head.usage, head.error, head.lease_until, head.due_at) == ({"input_tokens": 1}, None, None, None)


def test_a_job_that_ends_with_an_open_call_is_looked_at_when_its_time_is_over() -> None:
    head = with_calls(running(lease_until=NOW + 500), (5, None))
    assert finish(head, WON, now=NOW, fence=FENCE).due_at == NOW + 500
    assert finish(head, WON, now=NOW + 900).due_at == NOW + 900


@pytest.mark.parametrize(
    ("hold", "calls", "back"),
    [
        (100, [], 100),
        (100, [(40, 30)], 70),
        (100, [(40, None)], 60),
        (100, [(40, 30), (40, None)], 30),
        (100, [(100, None)], 0),
        (0, [], 0),
        (100, [(50, 130)], -30),
    ],
)
def test_what_can_no_longer_be_spent_is_given_back(hold: int, calls: list[tuple[int, int | None]], back: int) -> None:
    buckets = {"acme/2026-11": hold, "acme:web/2026-11-29": hold + 5}
    given = with_calls(ended(limit=hold, holds=buckets), *calls).refunds
    assert given == {"acme/2026-11": back, "acme:web/2026-11-29": back + 5}


def test_a_job_is_not_claimed_at_its_deadline() -> None:
    with pytest.raises(Conflict):
        claim(a_head(), now=NOW + HOUR, lease_ms=1, by="m1")
    assert claim(a_head(), now=NOW + HOUR - 1, lease_ms=1, by="m1").status is Status.RUNNING


def test_a_runs_reasons_are_there_from_its_first_write_and_go_with_the_next_run() -> None:
    fence = Fence(1, "exec-1", "why")
    called, _ = start_call(running(), fence, model="small", reserve=1, now=NOW, lease_ms=1)
    assert called.route == "why"
    assert finish(called, Outcome(Status.BLOCKED), now=NOW, fence=Fence(1, "exec-1", "other")).route == "why"
    for after in (
        finish(running(), Outcome(Status.FAILED), now=NOW, fence=fence),
        wait(running(), fence, until=NOW, now=NOW, chance=0),
    ):
        assert after.route == "why"
    again = claim(wait(running(), fence, until=NOW, now=NOW, chance=0), now=NOW, lease_ms=1, by="m2")
    assert again.route is None
