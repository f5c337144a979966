"""Erasing a batch reaches its files, its rows' jobs and its address, and nothing of another's."""

import pytest
from broker.errors import Conflict
from broker.jobs.head import Status

from tests.fakes.batch_flow import Flow
from tests.fakes.batch_rows import chat, jsonl
from tests.fakes.database import Crash
from tests.fakes.world import SECOND

HOOK = {"webhook": {"url": "https://hooks.example/?token=secret"}, "metadata": {"patient": "Jane"}}


def completed(rows: int = 230, **asked: object) -> Flow:
    flow = Flow()
    flow.begin(jsonl(*(chat(f"Secret {row}") for row in range(rows))), asked={**HOOK, **asked})
    flow.finish()
    return flow


def leftovers(flow: Flow) -> str:
    """All that is kept anywhere."""
    return str([flow.world.database.items(), flow.world.payloads._kept, flow.results.kept])


def test_nothing_of_what_rows_asked_and_were_answered_is_left() -> None:
    flow = completed()
    assert "Secret" in leftovers(flow)
    for note in flow.world.database.query("jobs", "BATCH#batch_1", "NOTE#DELIVERY#"):
        flow.world.database.delete("jobs", note["pk"], note["sk"])
    flow.erase()
    flow.tend_all()
    left = leftovers(flow)
    for word in ("Secret", "Jane", "token=secret", "Answer to"):
        assert word not in left, word
    assert flow.files.deleted == ["file-batch_1-output"]
    batch = flow.batch()
    assert (batch.status, batch.output, batch.asked.get("metadata")) == ("completed", {}, None)
    assert batch.sums.counts == {"succeeded": 230}, "the record stays"


def test_a_webhook_that_has_gone_out_forgets_its_address_at_once_and_another_with_its_last_attempt() -> None:
    flow = completed(3)
    flow.erase()
    (note,) = flow.world.database.query("jobs", "BATCH#batch_1", "NOTE#DELIVERY#")
    assert (note["state"], note["erased"], "url" in note) == ("pending", True, True)
    flow.world.database.delete("jobs", note["pk"], note["sk"])

    flow = completed(3)
    (note,) = flow.world.database.query("jobs", "BATCH#batch_1", "NOTE#DELIVERY#")
    from broker.storage import Put

    flow.world.database.write(Put("jobs", note | {"state": "delivered"}))
    flow.erase()
    (note,) = flow.world.database.query("jobs", "BATCH#batch_1", "NOTE#DELIVERY#")
    assert "url" not in note


def test_a_batch_that_has_not_ended_is_not_erased() -> None:
    flow = Flow()
    flow.begin(jsonl(chat("a")))
    with pytest.raises(Conflict):
        flow.erase()
    assert flow.batch().erased_at is None


def test_erasing_again_does_nothing_more_and_the_sweep_stops_looking() -> None:
    flow = completed()
    flow.erase()
    flow.tend_all()
    flow.erase()
    flow.tend_all()
    while flow.batch().due_at is not None:
        flow.now = flow.batch().due_at or 0
        flow.look("batch_1", flow.now)
        flow.tend_all()
    assert flow.bus.kinds.count("BatchCompleted") == 1
    assert flow.workflows.started == []


@pytest.mark.parametrize("crash_in", range(0, 200, 13))
def test_whoever_dies_on_the_way_all_rows_are_erased(crash_in: int) -> None:
    flow = completed(120)
    for note in flow.world.database.query("jobs", "BATCH#batch_1", "NOTE#DELIVERY#"):
        flow.world.database.delete("jobs", note["pk"], note["sk"])
    flow.world.database.crash_in = crash_in
    try:
        flow.erase()
        flow.tend_all()
    except Crash:
        flow.shards.sent.clear()
    flow.world.database.crash_in = None
    if flow.batch().erased_at is None:
        flow.erase()
    flow.now = (flow.batch().due_at or flow.now) + SECOND
    flow.look("batch_1", flow.now)
    flow.tend_all()
    assert "Secret" not in leftovers(flow)


def test_the_webhook_of_an_end_that_was_not_told_goes_out_all_the_same() -> None:
    flow = Flow()
    flow.begin(jsonl(chat("a")), asked=HOOK)
    flow.end_all()
    flow.publish()
    flow.tend_all()
    flow.assemble()
    flow.erase()
    flow.tend_all()
    assert len(flow.deliveries.sent) == 1
    (note,) = flow.world.database.query("jobs", "BATCH#batch_1", "NOTE#DELIVERY#")
    assert note["erased"], "and then its address goes"
    assert "webhook" not in flow.batch().asked


def test_jobs_that_run_still_when_a_failed_batch_is_erased_are_canceled_first() -> None:
    flow = Flow()
    flow.begin(jsonl(chat("Secret a"), chat("Secret b")))
    flow.claimed(flow.jobs()[0])
    flow.batches.change("batch_1", lambda batch: batch.failed({"code": "x"}, flow.now))
    flow.erase()
    flow.tend_all()
    assert {head.status for head in flow.jobs()} == {Status.CANCELED}
    assert "Secret" not in leftovers(flow)


def test_another_batch_of_the_tenant_and_another_tenants_stay_as_they_are() -> None:
    flow = completed(3)
    flow.world.tenant("other")
    flow.put(jsonl(chat("Others 1")), "batch_2", "other")
    flow.plan("batch_2")
    flow.run("batch_2")
    flow.tend_all()
    flow.erase()
    flow.tend_all()
    assert "Others 1" in leftovers(flow)
    assert flow.batch("batch_2").erased_at is None
