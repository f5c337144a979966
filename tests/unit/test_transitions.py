"""The legal transitions of a job, and every other one refused."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from broker.errors import BudgetExceeded, Conflict, NotCancelable
from broker.jobs.call_transitions import end_call, keep_pending, late_calls, start_call
from broker.jobs.head import Head, Status
from broker.jobs.reconciling import reconcile
from broker.jobs.transitions import Fence, Outcome, cancel, check_fence, claim, finish, release, wait

from tests.fakes.world import HOUR, MINUTE, NOW, a_head

FENCE = Fence(1, "exec-1")
TERMINAL = [status for status in Status if status.terminal]
PAID = {"outcome": "succeeded", "cost": 3, "paid": "yes", "ended_at": NOW}
WON = Outcome(Status.SUCCEEDED, model="small", output="OUTPUT#1.1", usage={"input_tokens": 1})


def running(**changes: object) -> Head:
    head = claim(a_head(), now=NOW, lease_ms=90_000, by="m1")
    return replace(head, **{"execution": "exec-1", **changes})  # type: ignore[arg-type]


def ended(status: Status = Status.SUCCEEDED, **changes: object) -> Head:
    return replace(finish(running(), Outcome(status), now=NOW + 5, fence=FENCE), **changes)  # type: ignore[arg-type]


def with_calls(head: Head, *calls: tuple[int, int | None]) -> Head:
    """Calls of the first run as `(reserve, cost)`; None where it is open."""
    made = {
        f"1.{place}": {"m": "small", "r": reserve} | ({} if cost is None else {"c": cost, "o": "succeeded"})
        for place, (reserve, cost) in enumerate(calls, start=1)
    }
    return replace(head, calls=made)


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
    assert (head.claimed_by, head.execution, head.nudges) == ("m1", None, 0)
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


def test_the_first_call_binds_the_run_to_its_execution() -> None:
    head, key = start_call(replace(running(), execution=None), FENCE, model="a", reserve=7, now=NOW, lease_ms=9)
    assert (key, head.execution, head.calls) == ("1.1", "exec-1", {"1.1": {"m": "a", "r": 7}})
    with pytest.raises(Conflict):
        start_call(head, Fence(1, "exec-2"), model="a", reserve=7, now=NOW, lease_ms=9)


def test_calls_are_numbered_over_all_runs() -> None:
    _, key = start_call(
        with_calls(running(run=2), (5, 1)), Fence(2, "exec-1"), model="a", reserve=1, now=NOW, lease_ms=9
    )
    assert key == "2.2"


def test_a_call_extends_the_lease_and_never_shortens_it() -> None:
    longer, _ = start_call(running(), FENCE, model="a", reserve=0, now=NOW, lease_ms=100_000)
    same, _ = start_call(running(), FENCE, model="a", reserve=0, now=NOW, lease_ms=10)
    assert (longer.lease_until, same.lease_until) == (NOW + 100_000, NOW + 90_000)


@pytest.mark.parametrize(
    ("hold", "calls", "reserve", "passes"),
    [
        (10, [], 10, True),
        (10, [], 11, False),
        (10, [(5, 4)], 6, True),
        (10, [(5, 4)], 7, False),
        (10, [(5, None)], 5, True),
        (10, [(5, None)], 6, False),
        (0, [(5, None)], 1_000_000, True),
    ],
)
def test_a_call_stays_within_the_hold(
    hold: int, calls: list[tuple[int, int | None]], reserve: int, passes: bool
) -> None:
    head = with_calls(running(limit=hold), *calls)
    if passes:
        assert start_call(head, FENCE, model="a", reserve=reserve, now=NOW, lease_ms=1)[0].reserved >= reserve
        return
    with pytest.raises(BudgetExceeded) as failure:
        start_call(head, FENCE, model="a", reserve=reserve, now=NOW, lease_ms=1)
    assert failure.value.code == "max_cost_reached"


def test_a_call_is_settled_once() -> None:
    head = end_call(with_calls(running(), (5, None)), FENCE, "1.1", PAID)
    assert (head.spent, head.reserved, head.calls["1.1"]["o"]) == (3, 0, "succeeded")
    for again in (
        lambda: end_call(head, FENCE, "1.1", PAID),
        lambda: late_calls(head, {"1.1": PAID}),
        lambda: keep_pending(head, FENCE, "1.1", {}, now=NOW, lease_until=NOW),
    ):
        with pytest.raises(Conflict):
            again()


def test_late_calls_change_nothing_but_what_they_cost() -> None:
    before = with_calls(ended(due_at=NOW + 9), (5, None), (6, None))
    first = late_calls(before, {"1.2": PAID | {"cost": 2}})
    assert replace(first, calls=before.calls, rev=before.rev) == before
    assert (first.spent, first.reserved) == (2, 5)
    last = late_calls(first, {"1.1": PAID | {"cost": 1, "outcome": "Throttled"}})
    assert (last.due_at, last.spent, last.status) == (None, 3, before.status)


def test_a_late_call_of_a_job_that_runs_again_leaves_it_due() -> None:
    before = with_calls(running(run=2), (5, None))
    assert late_calls(before, {"1.1": PAID}).due_at == before.due_at


def test_the_commit_that_ends_a_job_settles_its_answer() -> None:
    head = finish(with_calls(running(), (5, 1), (6, None)), WON, now=NOW, fence=FENCE, ends={"1.2": PAID})
    assert (head.spent, head.open_calls, head.due_at, head.rev) == (4, [], None, 3)


def test_work_that_goes_on_keeps_its_handle_and_its_lease() -> None:
    before = with_calls(running(), (5, None))
    head = keep_pending(before, FENCE, "1.1", {"id": "x"}, now=NOW + 1, lease_until=NOW + HOUR)
    assert (head.calls["1.1"]["h"], head.calls["1.1"]["s"], head.lease_until) == ({"id": "x"}, NOW + 1, NOW + HOUR)
    again = keep_pending(head, FENCE, "1.1", {"id": "x"}, now=NOW + 9, lease_until=NOW)
    assert (again.calls["1.1"]["s"], again.lease_until, again.open_calls) == (NOW + 1, NOW + HOUR, ["1.1"])


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


TENDED = [
    ("past its deadline while queued", a_head(), HOUR, Status.EXPIRED, None),
    ("past its deadline while running", running(lease_until=NOW + 2 * HOUR), HOUR, Status.EXPIRED, None),
    ("never sent", a_head(), MINUTE, Status.QUEUED, NOW + 11 * MINUTE),
    ("still not claimed", a_head(nudges=1), 11 * MINUTE, Status.QUEUED, NOW + HOUR),
    ("not claimed before its deadline", a_head(nudges=5), 50 * MINUTE, Status.QUEUED, NOW + HOUR),
    ("under its lease", running(lease_until=NOW + 2 * MINUTE), MINUTE, Status.RUNNING, NOW + 2 * MINUTE),
    ("with a dead run", running(), 2 * MINUTE, Status.QUEUED, NOW + 3 * MINUTE),
    ("with a third dead run", running(lease_expirations=2), 2 * MINUTE, Status.FAILED, None),
    (
        "with a run that never began",
        running(lease_expirations=2, execution=None),
        2 * MINUTE,
        Status.QUEUED,
        NOW + 3 * MINUTE,
    ),
]


@pytest.mark.parametrize(
    ("head", "later", "status", "due_at"), [each[1:] for each in TENDED], ids=[e[0] for e in TENDED]
)
def test_what_the_sweep_does_with_a_job(head: Head, later: int, status: Status, due_at: int | None) -> None:
    after = reconcile(head, now=NOW + later)
    assert (after.status, after.due_at, after.rev) == (status, due_at, head.rev + 1)


def test_the_sweep_counts_what_it_did() -> None:
    assert reconcile(a_head(), now=NOW + MINUTE).nudges == 1
    lost = reconcile(running(), now=NOW + 2 * MINUTE)
    assert (lost.lease_expirations, lost.lease_until, lost.claimed_by, lost.run) == (1, None, None, 1)
    assert (reconcile(running(lease_expirations=2), now=NOW + 2 * MINUTE).error or {})["code"] == "runs_exhausted"
    assert (reconcile(a_head(), now=NOW + HOUR).error or {})["code"] == "deadline_passed"


def test_a_job_is_not_claimed_at_its_deadline() -> None:
    with pytest.raises(Conflict):
        claim(a_head(), now=NOW + HOUR, lease_ms=1, by="m1")
    assert claim(a_head(), now=NOW + HOUR - 1, lease_ms=1, by="m1").status is Status.RUNNING


def test_a_nudged_job_waits_an_hour_at_most() -> None:
    head = a_head(nudges=7, deadline_at=NOW + 24 * HOUR)
    assert reconcile(head, now=NOW).due_at == NOW + HOUR


# waiting for a circuit


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
    assert (again.run, again.started_at, again.claimed_at, again.nudges) == (2, NOW, NOW + MINUTE, 0)


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


def test_a_runs_reasons_are_there_from_its_first_write_and_go_with_the_next_run() -> None:
    fence = Fence(1, "exec-1", "why")
    called, _ = start_call(running(), fence, model="small", reserve=1, now=NOW, lease_ms=1)
    assert called.route == "why"
    assert finish(called, Outcome(Status.BLOCKED), now=NOW, fence=Fence(1, "exec-1", "other")).route == "why"
    for ended in (
        finish(running(), Outcome(Status.FAILED), now=NOW, fence=fence),
        wait(running(), fence, until=NOW, now=NOW, chance=0),
    ):
        assert ended.route == "why"
    again = claim(wait(running(), fence, until=NOW, now=NOW, chance=0), now=NOW, lease_ms=1, by="m2")
    assert again.route is None
