"""Bulk operations: what is meant and no other job, once, whoever comes twice or dies between."""

from typing import Any

import pytest
from broker.bulk.finding import A_PAGE
from broker.bulk.record import LOOK_MS
from broker.bulk.working import TRIES
from broker.clock import iso
from broker.errors import InvalidRequest, KeyReused, NotFound, Unavailable
from broker.jobs.head import Status
from broker.jobs.request import JobRequest

from tests.fakes.database import Crash
from tests.fakes.world import MINUTE, a_model
from tests.unit.bulk_case import BulkWorld


@pytest.fixture
def world() -> BulkWorld:
    return BulkWorld()


def counts(shown: dict[str, Any]) -> dict[str, int]:
    return {name: count for name, count in shown["counts"].items() if count}


def test_a_cancel_ends_what_is_open_of_the_tenant_and_nothing_else(world: BulkWorld) -> None:
    queued, running, ended = world.job(), world.job(Status.RUNNING), world.job(Status.SUCCEEDED)
    strange = world.job(tenant="rich")
    shown = world.done("cancel", created_after=iso(queued.created_at))
    assert (world.status(queued), world.status(running)) == (Status.CANCELED, Status.CANCELED)
    assert (world.status(ended), world.status(strange)) == (Status.SUCCEEDED, Status.QUEUED)
    assert (shown["status"], counts(shown)) == ("completed", {"matched": 2, "done": 2})
    assert shown["by_status"] == {"queued": 1, "running": 1}


def test_a_retry_runs_the_same_request_as_a_job_of_its_own(world: BulkWorld) -> None:
    failed = world.job(Status.FAILED, metadata={"order": "17"}, parameters={"temperature": 0.5})
    kept = world.job(Status.SUCCEEDED)
    assert counts(world.done("retry", status="failed")) == {"matched": 1, "done": 1}
    (again,) = world.retries(failed, kept)
    first, second = (world.world.payloads.load(each.id, "BODY") for each in (failed, again))
    assert {**second, "priority": None} == {**first, "priority": None}
    assert (again.status, again.lane, again.tenant) == (Status.QUEUED, "bulk", "acme")
    assert world.world.jobs.notes(again.id)["ASKED"]["metadata"] == {"order": "17"}


def test_a_second_retry_of_a_job_makes_none(world: BulkWorld) -> None:
    failed = world.job(Status.FAILED)
    world.done("retry", status="failed")
    assert counts(world.done("retry", status="failed")) == {"matched": 1, "repeated": 1}
    assert len(world.retries(failed)) == 1


def test_a_retry_that_failed_is_retried_in_its_turn(world: BulkWorld) -> None:
    failed = world.job(Status.FAILED)
    world.done("retry", status="failed")
    (again,) = world.retries(failed)
    world.end(again, Status.FAILED)
    assert counts(world.done("retry", status="failed")) == {"matched": 2, "repeated": 1, "done": 1}
    assert len(world.retries(again)) == 1


def test_retries_are_not_met_by_the_bulk_that_makes_them(world: BulkWorld) -> None:
    failed = [world.job(Status.FAILED) for _ in range(A_PAGE + 3)]
    bulk = world.asked("retry", status=["failed", "canceled"])
    world.work(time_left=iter([True, False]).__next__)
    for head in world.retries(*failed):
        world.end(head, Status.FAILED)
    while world.shards.later:
        world.work()
    assert counts(world.shown(bulk)) == {"matched": A_PAGE + 3, "done": A_PAGE + 3}
    assert len(world.heads()) == 2 * (A_PAGE + 3)


@pytest.mark.parametrize("action", ["cancel", "retry"])
def test_a_dry_run_counts_and_does_nothing(world: BulkWorld, action: str) -> None:
    world.job()
    world.job(Status.FAILED)
    world.job(Status.EXPIRED)
    before = world.heads()
    status = ["failed", "expired"] if action == "retry" else ["queued"]
    shown = world.done(action, status=status, dry_run=True)
    assert world.heads() == before
    assert shown["dry_run"] is True
    assert shown["by_status"] == ({"failed": 1, "expired": 1} if action == "retry" else {"queued": 1})
    assert counts(shown) == {"matched": len(status), "done": len(status)}


def test_a_dry_run_of_a_retry_tells_what_the_retries_then_hold(world: BulkWorld) -> None:
    for _ in range(3):
        world.job(Status.FAILED, tenant="rich")
    left = world.world.available("rich", world.now)
    dry = world.done("retry", tenant="rich", status="failed", dry_run=True)
    assert world.world.available("rich", world.now) == left
    world.done("retry", tenant="rich", status="failed")
    held = left - world.world.available("rich", world.now)
    assert held > 0
    assert dry["worst_cost_usd"] == pytest.approx(held / 1e9)


def test_a_retry_never_goes_above_the_budget(world: BulkWorld) -> None:
    failed = [world.job(Status.FAILED, tenant="rich") for _ in range(4)]
    one = world.done("retry", tenant="rich", status="failed", dry_run=True)["worst_cost_usd"] / 4
    world.world.tenant("rich", monthly_budget=int(one * 1e9 * 2.5), version=2)
    shown = world.done("retry", tenant="rich", status="failed")
    assert counts(shown) == {"matched": 4, "done": 2, "refused": 2}
    assert shown["errors"] == {"budget_exceeded": 2}
    assert len(world.retries(*failed)) == 2
    assert world.world.available("rich", world.now) >= 0


def test_what_is_not_kept_any_more_is_told(world: BulkWorld) -> None:
    failed, erased = world.job(Status.FAILED), world.job(Status.FAILED)
    world.world.payloads.erase(erased.id)
    assert counts(world.done("retry", status="failed")) == {"matched": 2, "done": 1, "gone": 1}
    assert len(world.retries(failed, erased)) == 1


def test_a_request_that_is_against_the_rules_by_now_is_refused_with_its_code(world: BulkWorld) -> None:
    world.job(Status.FAILED, model="small")
    world.world.register(a_model("small", status="disabled"))
    shown = world.done("retry", status="failed")
    assert counts(shown) == {"matched": 1, "refused": 1}
    assert len(shown["errors"]) == 1


def test_tags_and_times_pick_their_jobs(world: BulkWorld) -> None:
    early, tagged, other, late = (world.job(metadata={"run": name}) for name in ("a", "b", "c", "b"))
    between = {"created_after": iso(tagged.created_at), "created_before": iso(late.created_at)}
    world.done("cancel", tag={"key": "run", "value": "b"}, **between)
    assert [world.status(each) for each in (early, tagged, other, late)] == [
        *(Status.QUEUED, Status.CANCELED, Status.QUEUED, Status.QUEUED),
    ]
    world.done("cancel", **between)
    assert [world.status(each) for each in (early, other, late)] == [Status.QUEUED, Status.CANCELED, Status.QUEUED]


def test_a_job_that_comes_after_the_bulk_is_none_of_it(world: BulkWorld) -> None:
    first = world.job()
    world.asked("cancel", status="queued")
    later = world.job()
    world.work()
    assert (world.status(first), world.status(later)) == (Status.CANCELED, Status.QUEUED)


@pytest.mark.parametrize("crash_in", range(20))
@pytest.mark.parametrize("action", ["retry", "cancel"])
def test_who_dies_anywhere_leaves_a_bulk_that_is_done_once_and_counted_once(
    world: BulkWorld, action: str, crash_in: int
) -> None:
    status = "failed" if action == "retry" else "queued"
    jobs = [world.job(Status(status)) for _ in range(3)]
    bulk = world.asked(action, status=status)
    message = world.shards.later[0]
    world.world.database.crash_in = crash_in
    try:
        world.work()
    except Crash:
        world.shards.later.append(message)
    world.world.database.crash_in = None
    while world.shards.later:
        world.work()
    assert counts(world.shown(bulk)) == {"matched": 3, "done": 3}
    if action == "retry":
        assert len(world.retries(*jobs)) == len(world.heads()) - 3 == 3
    else:
        assert {world.status(each) for each in jobs} == {Status.CANCELED}


def test_messages_that_come_twice_change_nothing(world: BulkWorld) -> None:
    failed = [world.job(Status.FAILED) for _ in range(3)]
    bulk = world.asked("retry", status="failed")
    world.shards.later *= 3
    while world.shards.later:
        world.work()
    assert counts(world.shown(bulk)) == {"matched": 3, "done": 3}
    assert len(world.retries(*failed)) == 3


def test_a_large_bulk_goes_on_in_message_after_message(world: BulkWorld) -> None:
    jobs = [world.job() for _ in range(2 * A_PAGE + 1)]
    bulk, messages = world.asked("cancel", status="queued"), 0
    while world.shards.later:
        messages += 1
        world.work(time_left=iter([True, False, False]).__next__)
    assert messages > 2, "others had their turn between"
    assert counts(world.shown(bulk)) == {"matched": len(jobs), "done": len(jobs)}


def test_a_bulk_that_is_slow_leaves_the_queue_to_others_between_its_pages(world: BulkWorld) -> None:
    jobs = [world.job(Status.FAILED) for _ in range(2 * A_PAGE)]
    accept: Any = world.world.accepting()

    def slow(*what: Any, **named: Any) -> Any:
        world.now += 1_000
        return accept(*what, **named)

    world.asked("retry", status="failed")
    made, stuck = [0], slow
    while world.shards.later:
        world.work(accept=stuck)  # type: ignore[arg-type]
        made.append(len(world.retries(*jobs)))
    assert made[1] == A_PAGE
    assert made[-1] == 2 * A_PAGE
    assert len(made) > 2


def test_what_keeps_a_page_is_waited_for_and_what_never_passes_is_told(world: BulkWorld) -> None:
    world.job(Status.FAILED)
    broken, fine = world.job(Status.FAILED), world.job(Status.FAILED)
    accept: Any = world.world.accepting()

    def failing(request: JobRequest, *more: Any, **named: Any) -> Any:
        if request.input.text == "Question 2":
            raise Unavailable("Not now.")
        return accept(request, *more, **named)

    bulk = world.asked("retry", status="failed")
    waits: list[int] = []
    stuck: Any = failing
    while world.shards.later:
        waits.append(world.shards.later[0][1])
        world.work(accept=stuck)
    assert [wait > 0 for wait in waits] == [False] + [True] * (TRIES - 1)
    assert counts(world.shown(bulk)) == {"matched": 3, "done": 2, "faulty": 1}
    assert world.failures == [broken.id]
    assert len(world.retries(fine)) == 1


def test_a_lost_message_is_asked_for_by_the_sweep(world: BulkWorld) -> None:
    queued = world.job()
    world.shards.down = True
    bulk = world.asked("cancel", status="queued")
    world.shards.down = False
    assert not world.ask.look(bulk.id, world.now)
    assert world.ask.look(bulk.id, world.now + LOOK_MS)
    assert not world.ask.look(bulk.id, world.now + LOOK_MS), "it was asked for"
    world.work()
    assert world.status(queued) is Status.CANCELED
    assert not world.ask.look(bulk.id, world.now + 100 * LOOK_MS), "it is over"


def test_a_key_stands_for_one_bulk(world: BulkWorld) -> None:
    queued = world.job()
    first = world.asked("cancel", status="queued", key="k")
    assert world.asked("cancel", status="queued", key="k").id == first.id
    assert world.asked("cancel", status="queued", key="k", tenant="rich").id != first.id
    with pytest.raises(KeyReused):
        world.asked("retry", status="failed", key="k")
    assert [message["bulk_id"] for message, _ in world.shards.later].count(first.id) == 1
    assert queued.status is Status.QUEUED


def test_a_bulk_is_its_tenants_alone(world: BulkWorld) -> None:
    bulk = world.asked("cancel", status="queued")
    with pytest.raises(NotFound):
        world.bulks.get(bulk.id, "rich")
    listed, _ = world.world.jobs.of_tenant("acme", limit=10, cursor=None)
    assert bulk.id not in [head.id for head in listed], "it stands in no list of jobs"


def test_a_batch_of_another_is_unknown(world: BulkWorld) -> None:
    with pytest.raises(InvalidRequest) as failed:
        world.asked("cancel", batch="batch_1")
    assert (failed.value.code, failed.value.param) == ("unknown_batch", "filter.batch")
    world.now += MINUTE
