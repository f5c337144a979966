"""A batch with hours: rows begin in them alone, through several nights, and nobody takes its waiting for an end."""

from datetime import UTC, datetime

from broker.batches.batch import BatchStatus
from broker.clock import iso

from tests.fakes.batch_flow import Flow
from tests.fakes.batch_rows import TOKEN, chat, jsonl
from tests.fakes.world import HOUR, NOW

HOURS = {"start": "22:00", "end": "23:00", "time_zone": "UTC"}
WEEK = NOW + 7 * 24 * HOUR


def rows(count: int) -> bytes:
    return jsonl(*(chat(f"Row {number:05}") for number in range(count)))


def clock(flow: Flow) -> datetime:
    return datetime.fromtimestamp(flow.now / 1000, UTC)


def test_rows_begin_in_their_hours_alone_and_go_on_the_next_night() -> None:
    flow = Flow()
    flow.put(rows(4_250), asked={"window": HOURS}, ends_at=WEEK)
    assert flow.plan()["not_before"] == iso(flow.batch().opens_at(NOW))
    flow.run()
    flow.tend_all()
    assert flow.jobs() == [], "before its hours"
    flow.now = flow.batch().due_at or 0
    assert clock(flow).hour == 22
    assert flow.look("batch_1", flow.now)
    flow.tend_all()
    assert len(flow.jobs()) == 4_000
    flow.now += HOUR
    while flow.end_all():
        flow.publish()
        flow.tend_all()
    assert len(flow.jobs()) == 4_000, "after its hours no more begin, and what has begun ends"
    batch = flow.batch()
    assert (batch.status, batch.is_done, batch.open) == (BatchStatus.IN_PROGRESS, False, ())
    assert flow.workflows.told == [], "what waits for its hours is not done"
    flow.now = batch.due_at or 0
    assert clock(flow).hour == 22
    flow.look("batch_1", flow.now)
    assert TOKEN not in flow.workflows.told
    flow.tend_all()
    flow.finish()
    assert flow.batch().sums.counts == {"succeeded": 4_250}


def test_a_look_outside_of_its_hours_neither_ends_a_batch_nor_starts_its_workflow_anew() -> None:
    flow = Flow()
    flow.put(rows(3), asked={"window": HOURS}, ends_at=WEEK)
    flow.plan()
    flow.run()
    before = list(flow.workflows.started)
    flow.now = (flow.batch().due_at or 0) - HOUR
    flow.look("batch_1", flow.now)
    flow.batches.change("batch_1", lambda batch: batch.looked_in_vain(flow.now - 2 * HOUR))
    flow.look("batch_1", flow.now)
    assert (flow.workflows.told, flow.workflows.started) == ([], before)


def test_its_time_may_be_over_before_its_hours_begin() -> None:
    flow = Flow()
    flow.put(rows(3), asked={"window": HOURS}, ends_at=NOW + HOUR)
    flow.plan()
    flow.run()
    flow.now = NOW + HOUR
    flow.expire()
    flow.tend_all()
    flow.close()
    batch = flow.batch()
    assert (batch.status, batch.sums.counts) == (BatchStatus.EXPIRED, {"passed_over": 3})
