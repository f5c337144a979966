"""A call on its job's head: who may begin it, what it holds, and how it is settled, once."""

from dataclasses import replace

import pytest
from broker.errors import BudgetExceeded, Conflict
from broker.jobs.call_transitions import end_call, keep_pending, late_calls, start_call
from broker.jobs.transitions import Fence, finish

from tests.fakes.world import HOUR, NOW
from tests.unit.transitions_case import FENCE, PAID, WON, ended, running, with_calls


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
