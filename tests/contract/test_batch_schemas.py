"""What is told and written of batches is as published."""

import json
from typing import Any

import pytest
from broker.batches.flow.stopping import Stops
from broker.cloud import bus
from broker.jobs.head import Status
from jsonschema.exceptions import ValidationError

from tests.contract.test_schemas import check
from tests.fakes.batch_flow import Flow
from tests.fakes.batch_rows import chat, jsonl
from tests.fakes.batches import BATCH_ID
from tests.fakes.world import MINUTE

HOOK = {"webhook": {"url": "https://hooks.example/1"}}


def flow_of(data: bytes, **changes: Any) -> Flow:
    flow = Flow()
    flow.put(data, BATCH_ID, **changes)
    flow.plan(BATCH_ID)
    flow.run(BATCH_ID)
    flow.tend_all()
    return flow


def check_told(flow: Flow) -> list[str]:
    """All that was told is as published; gives of what."""
    for kind, detail in flow.bus.events:
        check("event", {"source": bus.SOURCE, "detail-type": kind, "detail": detail})
    notes = flow.world.database.query("jobs", f"BATCH#{BATCH_ID}", "NOTE#DELIVERY#")
    for note in notes:
        check("webhook", json.loads(note["body"]))
    return [*flow.bus.kinds, *(str(note["event"]) for note in notes)]


def check_lines(flow: Flow, *kinds: str) -> None:
    for kind in kinds:
        lines = flow.lines(kind, BATCH_ID)
        assert lines
        for line in lines:
            check("batch-line", line)


def test_a_batch_with_every_kind_of_row() -> None:
    rows = [chat("a", custom_id="1"), chat("a"), "{", chat("b", custom_id="1"), chat("c"), chat("d")]
    flow = flow_of(jsonl(*rows), asked={"dedupe": True, **HOOK})
    for head, status in zip(flow.jobs(BATCH_ID), [Status.SUCCEEDED, Status.FAILED, Status.BLOCKED], strict=True):
        flow.end(head, status)
    flow.publish()
    flow.finish(BATCH_ID)
    check_lines(flow, "output", "errors")
    assert check_told(flow) == ["BatchStarted", "BatchProgressed", "BatchCompleted", "batch.completed"]


def test_progress() -> None:
    flow = flow_of(jsonl(*map(chat, map(str, range(300)))))
    for head in flow.jobs(BATCH_ID)[:100]:
        flow.end(head)
    flow.now += MINUTE
    flow.publish()
    flow.tend_all()
    assert check_told(flow) == ["BatchStarted", "BatchProgressed"]


@pytest.mark.parametrize("why", ["cancelled", "expired"])
def test_a_batch_that_stopped(why: str) -> None:
    flow = Flow()
    flow.put(jsonl(*map(chat, map(str, range(150)))), BATCH_ID, asked=HOOK)
    flow.plan(BATCH_ID)
    if why == "cancelled":
        Stops(flow.release).cancel(flow.batch(BATCH_ID), flow.now)
    else:
        flow.now = flow.batch(BATCH_ID).ends_at
        flow.expire(BATCH_ID)
    flow.run(BATCH_ID)
    flow.tend_all()
    flow.finish(BATCH_ID)
    check_lines(flow, "errors")
    assert {line["error"]["code"] for line in flow.lines("errors", BATCH_ID)} == {f"batch_{why}"}
    assert check_told(flow)[-2:] == ["BatchCompleted", f"batch.{why}"]


def test_a_batch_that_failed() -> None:
    flow = Flow()
    flow.put(b"", BATCH_ID, asked=HOOK)
    flow.plan(BATCH_ID)
    flow.close(BATCH_ID)
    assert check_told(flow) == ["BatchFailed", "batch.failed"]


def test_an_end_without_counts_is_refused() -> None:
    flow = flow_of(jsonl(chat("a")))
    flow.finish(BATCH_ID)
    kind, detail = flow.bus.events[-1]
    del detail["data"]["counts"]
    with pytest.raises(ValidationError):
        check("event", {"source": bus.SOURCE, "detail-type": kind, "detail": detail})
