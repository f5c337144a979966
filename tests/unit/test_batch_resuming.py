"""A batch that was paused for long goes on soon, whatever is lost when it is resumed."""

from broker.batches.batch import LOOK_MS

from tests.fakes.batch_flow import Flow
from tests.fakes.batch_rows import chat, jsonl


def test_a_resumed_batch_whose_messages_are_lost_is_looked_at_as_soon_as_any_other() -> None:
    flow = Flow()
    flow.put(jsonl(*(chat(f"Row {row}") for row in range(250))))
    flow.plan()
    flow.run()
    flow.stops.pause(flow.batch(), flow.now)
    flow.tend_all()
    for _ in range(6):  # each look in vain puts off the next
        flow.now = flow.batch().due_at or 0
        flow.look("batch_1", flow.now)
    flow.tend_all()
    flow.stops.resume(flow.batch(), flow.now)
    flow.shards.sent.clear()
    flow.now += LOOK_MS
    assert flow.look("batch_1", flow.now)
    flow.tend_all()
    flow.finish()
    assert flow.batch().sums.counts == {"succeeded": 250}
