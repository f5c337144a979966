"""What the sweep's look at a batch starts, and what it leaves alone; and what stamps tell of a batch's end."""

from broker.batches.batch import BEGUN_MS, LOOK_MS, BatchStatus
from broker.batches.results.assembling import Assemble
from broker.batches.results.pieces import Source

from tests.fakes.batch_flow import Flow
from tests.fakes.batch_rows import chat, jsonl
from tests.fakes.world import HOUR, MINUTE, NOW, SECOND

ROWS = jsonl(*map(chat, "abc"))


def test_a_batch_that_waits_for_its_time_gets_no_second_workflow() -> None:
    flow = Flow()
    flow.put(ROWS, asked={"not_before": NOW + HOUR})
    flow.plan()
    flow.now = flow.batch().due_at or 0
    assert flow.now == NOW + LOOK_MS
    assert flow.look("batch_1", flow.now) is False
    assert (flow.workflows.started, flow.batch().due_at) == ([], NOW + HOUR)


def test_if_its_workflow_died_while_it_waited_its_rows_begin_all_the_same() -> None:
    flow = Flow()
    flow.put(ROWS, asked={"not_before": NOW + HOUR})
    flow.plan()
    for _ in range(2):
        flow.now = flow.batch().due_at or 0
        flow.look("batch_1", flow.now)
    assert flow.now == NOW + HOUR
    flow.tend_all()
    assert flow.end_all() == 3
    flow.publish()
    flow.tend_all()
    flow.now = flow.batch().due_at or 0
    assert flow.look("batch_1", flow.now)
    assert len(flow.workflows.started) == 1, "another writes its results"


def test_finalizing_is_from_when_results_began_to_be_written_to_when_they_were() -> None:
    flow = Flow()
    flow.begin(ROWS)
    flow.end_all()
    flow.publish()
    flow.tend_all()
    began = flow.now

    def write(
        bucket: str, key: str, source: Source, batch_id: str, so_far: object = None, time_left: object = None
    ) -> None:
        flow.now += 40 * SECOND
        flow.files(bucket, key, source, batch_id)

    Assemble(flow.batches, flow.results, flow.files, write, "outbox")("batch_1", lambda: flow.now)
    batch = flow.batch()
    assert batch.status is BatchStatus.COMPLETED
    assert (batch.stamps["finalizing"], batch.stamps["completed"]) == (began, began + 40 * SECOND)


def test_one_that_is_canceled_before_its_time_ends_now_and_not_then() -> None:
    flow = Flow()
    flow.put(ROWS, asked={"not_before": NOW + HOUR})
    flow.plan()
    flow.stops.cancel(flow.batch(), flow.now)
    flow.tend_all()
    flow.shards.send("batch_1", "acme", [0])
    flow.tend_all()
    assert flow.workflows.started == [("batch_1", flow.batch().rev)], "one more, which waits for nothing"
    assert "not_before" not in flow.plan()
    flow.run()
    flow.tend_all()
    flow.close()
    assert (flow.batch().status, flow.batch().sums.counts) == (BatchStatus.CANCELLED, {"passed_over": 3})


def test_one_whose_start_was_lost_is_started_by_the_first_sweep_after_a_minute() -> None:
    flow = Flow()
    flow.put(ROWS, due_at=NOW + BEGUN_MS)
    assert BEGUN_MS == MINUTE
    assert flow.look("batch_1", NOW + BEGUN_MS)
    assert flow.workflows.started == [("batch_1", 0)]


def test_one_that_was_started_and_not_laid_out_yet_gets_no_second_workflow_then() -> None:
    flow = Flow()
    flow.put(ROWS, due_at=NOW + BEGUN_MS)
    flow.workflows.start("batch_1")
    flow.look("batch_1", NOW + BEGUN_MS)
    assert flow.workflows.started == [("batch_1", 0)], "a start of a name that is taken starts nothing"
    assert flow.batch().due_at == NOW + BEGUN_MS + LOOK_MS
    flow.look("batch_1", NOW + BEGUN_MS + LOOK_MS)
    assert len(flow.workflows.started) == 2, "if it died, another is started after the usual time"
