"""Canceled, paused, expired, given up: what has not begun does not begin, and nothing that was paid for is lost."""

import pytest
from broker.errors import Conflict, NotCancelable
from broker.jobs.head import Status

from tests.fakes.batch_flow import Flow
from tests.fakes.batch_rows import chat, jsonl
from tests.fakes.database import Crash
from tests.fakes.world import HOUR, MINUTE, SECOND


def texts(count: int) -> bytes:
    return jsonl(*(chat(f"Row {row}", custom_id=f"r-{row}") for row in range(count)))


def begun(rows: int = 230) -> Flow:
    """A batch of which row 0 has ended, row 1 runs, and the others wait."""
    flow = Flow()
    flow.begin(texts(rows))
    first, second = flow.jobs()[:2]
    flow.end(first)
    flow.claimed(second)
    flow.publish()
    return flow


def check_stopped(flow: Flow, rows: int, status: str, counts: dict[str, int]) -> None:
    batch = flow.batch()
    assert (batch.status, batch.sums.counts) == (status, counts)
    lines = sorted(line["line"] for kind in ("output", "errors") for line in flow.lines(kind))
    assert lines == list(range(1, rows + 1))
    assert batch.sums.cost == flow.world.spent().get("nusd", 0)


def test_cancel_ends_what_nobody_has_begun_and_keeps_what_runs() -> None:
    flow = begun()
    assert flow.stops.cancel(flow.batch(), flow.now).status == "cancelling"
    flow.tend_all()
    statuses = [head.status for head in flow.jobs()]
    assert statuses == [Status.SUCCEEDED, Status.RUNNING, *[Status.CANCELED] * 228]
    assert flow.batch().status == "cancelling", "one runs still"
    flow.finish()
    check_stopped(flow, 230, "cancelled", {"succeeded": 2, "canceled": 228})
    assert [line["custom_id"] for line in flow.lines()] == ["r-0", "r-1"]


def test_rows_that_are_not_sent_when_it_is_canceled_become_no_jobs() -> None:
    flow = Flow()
    flow.put(texts(4_300))
    flow.plan()
    flow.run()
    sent, flow.shards.sent = flow.shards.sent[0], []
    flow.tend({"batch_id": sent[0], "shard": sent[1]})
    flow.stops.cancel(flow.batch(), flow.now)
    flow.tend_all()
    assert len(flow.jobs()) == 100
    flow.finish()
    check_stopped(flow, 4_300, "cancelled", {"canceled": 100, "passed_over": 4_200})
    assert {line["error"]["code"] for line in flow.lines("errors")[100:]} == {"batch_cancelled"}


def test_cancel_before_it_is_planned_begins_nothing() -> None:
    flow = Flow()
    flow.put(texts(120))
    flow.stops.cancel(flow.batch(), flow.now)
    flow.plan()
    flow.run()
    flow.tend_all()
    flow.finish()
    check_stopped(flow, 120, "cancelled", {"passed_over": 120})
    assert flow.jobs() == []


def test_cancel_again_changes_nothing_and_what_has_ended_cannot_be_canceled() -> None:
    flow = begun()
    once = flow.stops.cancel(flow.batch(), flow.now)
    again = flow.stops.cancel(flow.batch(), flow.now + MINUTE)
    assert (again.status, again.stamps) == (once.status, once.stamps)
    flow.tend_all()
    flow.finish()
    with pytest.raises(NotCancelable):
        flow.stops.cancel(flow.batch(), flow.now)
    assert flow.batch().status == "cancelled"


@pytest.mark.parametrize("lost", [False, True], ids=["told", "lost"])
def test_a_batch_that_is_paused_begins_nothing_until_it_is_resumed(lost: bool) -> None:
    flow = Flow()
    flow.put(texts(250))
    flow.plan()
    flow.run()
    paused = flow.stops.pause(flow.batch(), flow.now)
    assert paused.is_paused
    flow.tend_all()
    assert flow.jobs() == []
    flow.now += HOUR
    flow.look("batch_1", flow.now)
    flow.tend_all()
    assert flow.jobs() == [], "the sweep resumes nothing"
    assert not flow.stops.resume(flow.batch(), flow.now).is_paused
    if lost:
        flow.shards.sent.clear()
        flow.now += 2 * HOUR
        flow.look("batch_1", flow.now)
    flow.tend_all()
    flow.finish()
    check_stopped(flow, 250, "completed", {"succeeded": 250})


def test_a_batch_that_is_resumed_at_any_moment_goes_on_at_once() -> None:
    resumed = 0
    for writes in range(40):
        flow = Flow()
        flow.put(texts(6))
        flow.plan()
        flow.run()
        flow.shards.sent.clear()
        asked = 0

        def resume(flow: Flow = flow) -> None:
            nonlocal resumed
            resumed += 1
            flow.stops.resume(flow.batch(), flow.now)
            flow.shards.sent.clear()
            flow.tend({"batch_id": "batch_1", "shard": 0})  # which finds that another has the lease

        def time_left(flow: Flow = flow, writes: int = writes) -> bool:
            nonlocal asked
            asked += 1
            if asked == 3:
                flow.stops.pause(flow.batch(), flow.now)
                flow.now += 10 * SECOND
                flow.world.database.meanwhile = [*[lambda: None] * writes, lambda: resume(flow)]
            return True

        before = resumed
        flow.tend({"batch_id": "batch_1", "shard": 0}, time_left)
        if resumed == before:
            break
        flow.tend_all()
        assert len(flow.jobs()) == 6, f"resumed before write {writes} after the pause"
    assert resumed > 1


def test_jobs_that_there_are_go_on_while_it_is_paused() -> None:
    flow = begun(100)
    flow.stops.pause(flow.batch(), flow.now)
    flow.finish()
    check_stopped(flow, 100, "completed", {"succeeded": 100})


def test_a_paused_batch_can_be_canceled_and_expires() -> None:
    for end in ("cancelled", "expired"):
        flow = Flow()
        flow.put(texts(150))
        flow.plan()
        flow.run()
        flow.stops.pause(flow.batch(), flow.now)
        flow.tend_all()
        if end == "cancelled":
            flow.stops.cancel(flow.batch(), flow.now)
        else:
            flow.now = flow.batch().ends_at
            flow.expire()
        flow.tend_all()
        flow.finish()
        check_stopped(flow, 150, end, {"passed_over": 150})


@pytest.mark.parametrize("change", ["pause", "resume"])
def test_what_has_stopped_is_neither_paused_nor_resumed(change: str) -> None:
    flow = begun()
    flow.stops.cancel(flow.batch(), flow.now)
    with pytest.raises(Conflict):
        getattr(flow.stops, change)(flow.batch(), flow.now)


def test_a_batch_whose_time_is_over_leaves_partial_results() -> None:
    flow = begun()
    flow.now = flow.batch().ends_at
    flow.expire()
    flow.tend_all()
    for head in flow.jobs():
        if head.status is Status.RUNNING:
            flow.end(head, Status.EXPIRED)
    flow.finish()
    check_stopped(flow, 230, "expired", {"succeeded": 1, "expired": 1, "canceled": 228})


def test_a_batch_whose_workflow_is_gone_expires_by_the_sweeps_look() -> None:
    flow = Flow()
    flow.put(texts(50))
    flow.plan()
    flow.run()
    flow.shards.sent.clear()
    flow.workflows.waiting.clear()
    flow.now = max(flow.batch().ends_at, flow.batch().due_at or 0)
    assert flow.look("batch_1", flow.now)
    flow.tend_all()
    flow.finish()
    check_stopped(flow, 50, "expired", {"passed_over": 50})


@pytest.mark.parametrize("crash_in", range(12))
def test_whoever_dies_while_it_is_canceled_the_sweep_ends_it(crash_in: int) -> None:
    flow = begun(150)
    flow.world.database.crash_in = crash_in
    try:
        flow.stops.cancel(flow.batch(), flow.now)
        flow.tend_all()
    except Crash:
        flow.shards.sent.clear()
    flow.world.database.crash_in = None
    if flow.batch().stop is None:
        flow.stops.cancel(flow.batch(), flow.now)  # its caller heard nothing, and asks again
    flow.now = (flow.batch().due_at or flow.now) + SECOND
    flow.look("batch_1", flow.now)
    flow.tend_all()
    flow.finish()
    check_stopped(flow, 150, "cancelled", {"succeeded": 2, "canceled": 148})


def test_two_that_stop_it_at_once_agree() -> None:
    flow = begun()
    flow.now = flow.batch().ends_at
    flow.world.database.meanwhile = [lambda: flow.stops.cancel(flow.batch(), flow.now)]
    flow.expire()
    assert (flow.batch().stop, flow.batch().status) == ("cancelled", "cancelling")
