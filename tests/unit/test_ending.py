"""Ending: one terminal commit with its refund, and calls settled whatever became of their job."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from broker.errors import BudgetExceeded, Conflict, NotCancelable, NotFound
from broker.jobs.call_transitions import start_call
from broker.jobs.ending import cancel_job, settle_call, settle_job, settle_orphaned_calls
from broker.jobs.head import Head, Status
from broker.jobs.reading import view
from broker.jobs.reconciling import reconcile
from broker.jobs.transitions import Fence, Outcome, claim
from broker.storage import Item, Put, Update
from broker.tenants import ledger
from broker.tenants.budgets import Budgets

from tests.fakes.world import JOB_ID, MINUTE, NOW, World, a_head

BUDGET, HOLD, RESERVE = 1_000, 400, 100
WON = Outcome(Status.SUCCEEDED, model="small", output="OUTPUT#1.1")
LOST = Outcome(Status.FAILED, error={"type": "unavailable", "code": "unavailable", "message": "No."})
FENCE = Fence(1, "exec-1")


@pytest.fixture
def world() -> World:
    """A job with a hold, running."""
    made = World()
    ledger.open_period(made.database, "acme", "2026-11", BUDGET)
    made.database.write(ledger.hold("acme/2026-11", HOLD))
    made.put(a_head(limit=HOLD, holds={"acme/2026-11": HOLD}))
    made.start(JOB_ID)
    return made


def call(world: World, fence: Fence = FENCE, model: str = "small") -> tuple[Head, str]:
    """Record a call."""
    keys: list[str] = []

    def start(head: Head) -> Head:
        after, key = start_call(head, fence, model=model, reserve=RESERVE, now=NOW, lease_ms=MINUTE)
        keys[:] = [key]
        return after

    return world.jobs.change(JOB_ID, start), keys[0]


def facts(cost: int = 30, **changes: Any) -> dict[str, Any]:
    known = {"model": "small", "outcome": "succeeded", "error": None, "latency_ms": 5, "cost": cost, "paid": "yes"}
    return {**known, "input_tokens": 1, "output_tokens": 2, "ended_at": NOW, **changes}


def lost(cost: int = 0, **changes: Any) -> dict[str, Any]:
    return facts(cost, outcome="Unavailable", paid="unknown" if cost else "no", **changes)


def budget(world: World) -> Item:
    found = world.database.get("ledger", "BUDGET#acme", "2026-11")
    assert found is not None
    return found


def test_the_terminal_commit_books_the_answer_and_gives_back_the_rest(world: World) -> None:
    _, key = call(world)
    assert world.available() == BUDGET - HOLD
    head = settle_job(world.jobs, world.jobs.get(JOB_ID), FENCE, WON, NOW + 9, {key: facts(cost=30)})
    assert (head.status, head.ended_at, head.output) == (Status.SUCCEEDED, NOW + 9, "OUTPUT#1.1")
    assert world.available() == BUDGET - 30
    assert (world.spent()["nusd"], world.spent()["calls"]) == (30, 1)
    assert budget(world)["available"] == BUDGET - HOLD, "the item that all jobs share is not written at the end"


def test_what_came_back_can_be_held_again(world: World) -> None:
    _, key = call(world)
    settle_job(world.jobs, world.jobs.get(JOB_ID), FENCE, WON, NOW, {key: facts(cost=30)})

    def write(name: str, writes: Sequence[Put | Update]) -> None:
        world.jobs.create(a_head(id=f"job_{len(writes)}", holds={name: BUDGET - 30}), *writes)

    Budgets(world.database).hold("acme", "2026-11", BUDGET - 30, "job_2", write)
    assert budget(world)["available"] == 0 == world.available()
    with pytest.raises(BudgetExceeded):
        Budgets(world.database).hold("acme", "2026-11", 1, "job_3", write)


def test_calls_of_several_models_are_booked_in_one_commit(world: World) -> None:
    for model, cost in (("small", 0), ("small", 100), ("large", 30)):
        head, key = call(world, model=model)
        if model == "small":
            settle_call(world.jobs, JOB_ID, key, FENCE, lost(cost, model=model), known=head)
    assert world.spent() == {}, "nothing is booked before the end"
    settle_job(world.jobs, world.jobs.get(JOB_ID), FENCE, WON, NOW, {key: facts(cost=30, model="large")})
    spent = world.spent()
    assert (spent["nusd"], spent["calls"], spent["unknown"], spent["unknown_nusd"]) == (130, 3, 1, 100)
    assert world.available() == BUDGET - 130


def test_a_repeated_commit_gives_the_same_job(world: World) -> None:
    first = settle_job(world.jobs, world.jobs.get(JOB_ID), FENCE, WON, NOW)
    assert settle_job(world.jobs, world.jobs.get(JOB_ID), FENCE, WON, NOW + 9) == first
    assert world.available() == BUDGET


@pytest.mark.parametrize(("fence", "outcome"), [(Fence(1, "exec-2"), WON), (Fence(2, "exec-1"), WON), (FENCE, LOST)])
def test_nobody_else_ends_it_again(world: World, fence: Fence, outcome: Outcome) -> None:
    first = settle_job(world.jobs, world.jobs.get(JOB_ID), FENCE, WON, NOW)
    with pytest.raises(Conflict):
        settle_job(world.jobs, world.jobs.get(JOB_ID), fence, outcome, NOW)
    assert world.jobs.get(JOB_ID) == first


def test_a_commit_that_meets_a_cancel_gives_way(world: World) -> None:
    world.database.meanwhile.append(lambda: cancel_job(world.jobs, JOB_ID, "acme", NOW))
    with pytest.raises(Conflict):
        settle_job(world.jobs, world.jobs.get(JOB_ID), FENCE, WON, NOW)
    assert world.jobs.get(JOB_ID).status is Status.CANCELED
    assert world.available() == BUDGET


def test_cancel_ends_a_job_once_and_refunds_once(world: World) -> None:
    head = cancel_job(world.jobs, JOB_ID, "acme", NOW)
    assert (head.status, head.ended_at, (head.error or {})["code"]) == (Status.CANCELED, NOW, "canceled")
    with pytest.raises(NotCancelable) as failure:
        cancel_job(world.jobs, JOB_ID, "acme", NOW)
    assert failure.value.status == 409
    assert world.available() == BUDGET


@pytest.mark.parametrize(("job_id", "tenant"), [(JOB_ID, "other"), ("job_none", "acme")])
def test_only_its_tenant_cancels_a_job(world: World, job_id: str, tenant: str) -> None:
    with pytest.raises(NotFound):
        cancel_job(world.jobs, job_id, tenant, NOW)
    assert world.jobs.get(JOB_ID).status is Status.RUNNING


@pytest.mark.parametrize("cost", [0, 30, RESERVE, 250])
def test_a_late_answer_is_paid_for_and_changes_nothing_else(world: World, cost: int) -> None:
    _, key = call(world)
    canceled = cancel_job(world.jobs, JOB_ID, "acme", NOW)
    assert world.available() == BUDGET - RESERVE
    with pytest.raises(Conflict):
        settle_job(world.jobs, world.jobs.get(JOB_ID), FENCE, WON, NOW, {key: facts(cost=cost)})
    after = world.jobs.get(JOB_ID)
    assert (after.status, after.ended_at, after.spent, after.due_at) == (Status.CANCELED, canceled.ended_at, cost, None)
    assert world.available() == BUDGET - cost
    assert world.spent()["nusd"] == cost


def test_a_call_that_costs_more_than_its_reserve_comes_out_of_the_budget(world: World) -> None:
    _, key = call(world)
    settle_job(world.jobs, world.jobs.get(JOB_ID), FENCE, WON, NOW, {key: facts(cost=HOLD + 50)})
    assert world.available() == BUDGET - HOLD - 50


@pytest.mark.parametrize("cost", [0, RESERVE])
def test_a_late_failure_is_settled_whatever_became_of_the_job(world: World, cost: int) -> None:
    before, key = call(world)
    cancel_job(world.jobs, JOB_ID, "acme", NOW)
    with pytest.raises(Conflict):
        settle_call(world.jobs, JOB_ID, key, FENCE, lost(cost), known=before)
    assert (world.jobs.get(JOB_ID).spent, world.spent()["nusd"]) == (cost, cost)
    assert world.available() == BUDGET - cost


def test_a_late_answer_of_an_older_run_is_left_for_the_one_that_owns_the_job(world: World) -> None:
    _, key = call(world)
    world.jobs.change(JOB_ID, lambda head: reconcile(head, now=NOW + 10 * MINUTE))
    world.jobs.change(JOB_ID, lambda head: claim(head, now=NOW, lease_ms=MINUTE, by="m2"))
    with pytest.raises(Conflict):
        settle_job(world.jobs, world.jobs.get(JOB_ID), FENCE, WON, NOW, {key: facts(cost=30)})
    assert world.available() == BUDGET - HOLD
    settle_job(world.jobs, world.jobs.get(JOB_ID), Fence(2, "exec-2"), WON, NOW, {key: facts(cost=30)})
    assert world.available() == BUDGET - 30
    assert (world.spent()["nusd"], world.spent()["calls"]) == (30, 1)


def test_a_failure_settled_twice_is_booked_once(world: World) -> None:
    head, key = call(world)
    settle_call(world.jobs, JOB_ID, key, FENCE, lost(30), known=head)
    with pytest.raises(Conflict):
        settle_call(world.jobs, JOB_ID, key, FENCE, lost(30), known=head)
    settle_job(world.jobs, world.jobs.get(JOB_ID), FENCE, LOST, NOW)
    assert (world.spent()["nusd"], world.spent()["calls"]) == (30, 1)


def test_an_ended_jobs_lost_calls_are_reckoned_when_their_time_is_over(world: World) -> None:
    for model in ("small", "small", "large"):  # two of them died in the same model
        call(world, model=model)
    head = settle_job(world.jobs, world.jobs.get(JOB_ID), FENCE, LOST, NOW)
    assert head.due_at is not None
    with pytest.raises(Conflict):
        settle_orphaned_calls(world.jobs, world.payloads, head, head.due_at - 1)
    settle_orphaned_calls(world.jobs, world.payloads, head, head.due_at)
    with pytest.raises(Conflict):
        settle_orphaned_calls(world.jobs, world.payloads, world.jobs.get(JOB_ID), head.due_at)
    after = world.jobs.get(JOB_ID)
    assert (after.spent, after.open_calls, after.due_at, after.status) == (3 * RESERVE, [], None, Status.FAILED)
    assert world.available() == BUDGET - 3 * RESERVE
    spent = world.spent()
    assert (spent["nusd"], spent["calls"], spent["unknown"], spent["unknown_nusd"]) == (300, 3, 3, 300)
    shown = view(after, {}, None)["attempts"]
    assert [(each["outcome"], each["paid"]) for each in shown] == [("unknown", "unknown")] * 3


def test_an_answer_that_was_kept_is_reckoned_at_what_it_cost_and_dropped(world: World) -> None:
    head, key = call(world)
    world.payloads.save(head, f"OUTPUT#{key}", {"text": "Too late."}, facts(cost=30))
    head = cancel_job(world.jobs, JOB_ID, "acme", NOW)
    settle_orphaned_calls(world.jobs, world.payloads, head, head.due_at or 0)
    after = world.jobs.get(JOB_ID)
    assert (after.spent, after.calls[key]["p"], world.available()) == (30, "yes", BUDGET - 30)
    assert world.payloads.names(JOB_ID) == ["BODY"]


def test_an_answer_that_comes_after_the_reckoning_is_not_booked_again(world: World) -> None:
    _, key = call(world)
    head = settle_job(world.jobs, world.jobs.get(JOB_ID), FENCE, LOST, NOW)
    settle_orphaned_calls(world.jobs, world.payloads, head, head.due_at or 0)
    with pytest.raises(Conflict):
        settle_job(world.jobs, world.jobs.get(JOB_ID), FENCE, WON, NOW, {key: facts(cost=30)})
    assert (world.spent()["nusd"], world.spent()["calls"]) == (RESERVE, 1)
    assert world.available() == BUDGET - RESERVE


def test_a_job_that_never_holds_still_is_left_alone(world: World) -> None:
    def touch() -> None:
        head = world.jobs.get(JOB_ID)
        world.database.write(Put("jobs", replace(head, rev=head.rev + 1).to_item()))

    world.database.meanwhile += [step for _ in range(8) for step in (touch, lambda: None)]
    with pytest.raises(Conflict, match="changed 8 times"):
        settle_job(world.jobs, world.jobs.get(JOB_ID), FENCE, WON, NOW)
    assert world.jobs.get(JOB_ID).status is Status.RUNNING
