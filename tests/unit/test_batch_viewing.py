"""The public form of a batch: how far it has come, what it took, and when it may be done."""

from dataclasses import replace
from typing import Any

import pytest
from broker.batches.batch import Batch, BatchStatus
from broker.batches.shard import RowEnd, Sums
from broker.batches.store import Batches
from broker.batches.viewing import ShowBatch, live_sums
from broker.delivery.starting import StartDelivery

from tests.fakes.batches import BATCH_ID, a_batch, a_shard
from tests.fakes.counting import CountingDatabase
from tests.fakes.database import FakeDatabase
from tests.fakes.queue import FakeDeliveries
from tests.fakes.world import BASE_URL, MINUTE, NOW

DONE = RowEnd("succeeded", 2_000_000, 10, 5)


def stored(batch: Batch, database: FakeDatabase | None = None) -> Batches:
    batches = Batches(database or FakeDatabase())
    batches.create(batch)
    batches.put_shards([a_shard(n, min(100, batch.rows - 100 * n)) for n in range(batch.shards)])
    return batches


def show(batches: Batches, now: int = NOW + MINUTE, **more: Any) -> dict[str, Any]:
    return ShowBatch(batches, BASE_URL, **more)(batches.get(BATCH_ID), now)


def test_rows_of_open_and_of_folded_shards_are_counted_once_each() -> None:
    folded = Sums({"succeeded": 90, "failed": 4, "rejected": 6}, 180_000_000, 900, 450)
    batches = stored(a_batch(250, sums=folded, released=2, open=(1,), busy=(1,)))
    for row in (100, 101, 102):
        batches.end_row(BATCH_ID, row, DONE)
    batches.end_row(BATCH_ID, 102, DONE)  # told twice
    batches.end_row(BATCH_ID, 103, RowEnd("blocked"))
    shown = show(batches)
    assert shown["request_counts"] == {"total": 250, "completed": 93, "failed": 11}
    counts = {name: count for name, count in shown["counts"].items() if count}
    assert counts == {"waiting": 50, "open": 96, "succeeded": 93, "failed": 4, "rejected": 6, "blocked": 1}
    assert sum(counts.values()) == 250
    tokens = {"input_tokens": 930, "output_tokens": 465, "total_tokens": 1_395}
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    assert shown["usage"] == {**tokens, **details, "cost_usd": 0.186}


def test_when_it_may_be_done_is_told_with_what_that_is_reckoned_from() -> None:
    batches = stored(a_batch(250, released=3, open=(0, 1, 2)))
    assert (show(batches)["eta_seconds"], show(batches)["eta_basis"]) == (None, None), "nothing has ended"
    for row in range(50):
        batches.end_row(BATCH_ID, row, DONE)
    shown = show(batches)
    assert (shown["eta_seconds"], shown["eta_basis"]) == (240, {"rows_ended": 50, "in_seconds": 60})
    batches.change(BATCH_ID, lambda batch: replace(batch, is_paused=True))
    assert show(batches)["eta_seconds"] is None, "it does not go on"
    assert show(batches)["paused"]
    batches.change(BATCH_ID, lambda batch: replace(batch, status=BatchStatus.COMPLETED))
    assert not show(batches)["paused"], "what has ended waits for nobody"


def test_an_ended_batch_asks_nobody_about_others_or_shards() -> None:
    database = CountingDatabase()
    ended = a_batch(250, status=BatchStatus.COMPLETED, sums=Sums({"succeeded": 250}), released=1, open=(0,))
    batches = stored(ended, database)
    batches.end_row(BATCH_ID, 0, DONE)
    batch, before = batches.get(BATCH_ID), database.reads
    shown = ShowBatch(batches, BASE_URL)(batch, NOW)
    assert database.reads - before == 1, "of its webhooks"
    assert shown["request_counts"] == {"total": 250, "completed": 250, "failed": 0}
    assert (shown["counts"]["open"], shown["counts"]["waiting"], shown["eta_seconds"]) == (0, 0, None)


@pytest.mark.parametrize("rows", [100, 20_000, 1_000_000])
def test_showing_takes_as_many_reads_for_a_million_rows_as_for_twenty_thousand(rows: int) -> None:
    database = CountingDatabase()
    most = tuple(range(min(200, rows // 100)))
    batch = a_batch(rows, released=len(most), open=most)
    batches = Batches(database)
    batches.create(batch)
    batches.put_shards([a_shard(number) for number in most])
    before = database.reads
    live_sums(batches, batch)
    assert database.reads - before <= 2


def test_what_failed_as_a_whole_says_why_and_where() -> None:
    error = {"type": "invalid_request", "code": "unknown_header", "message": "No.", "param": "file", "line": 1}
    shown = show(stored(a_batch(0, shards=0, status=BatchStatus.FAILED, error=error)))
    assert shown["errors"] == {
        "object": "list",
        "data": [{"code": "unknown_header", "message": "No.", "param": "file", "line": 1}],
    }
    assert shown["status"] == "failed"


def test_its_webhooks_are_on_record_with_every_attempt() -> None:
    hook = {"webhook": {"url": "https://example.com/hook"}}
    batches = stored(a_batch(1, asked=hook, status=BatchStatus.COMPLETED))
    begun = {"event_id": "evt_1", "event": "batch.completed", "url": "https://example.com/hook"}
    StartDelivery(batches.database, FakeDeliveries())(
        BATCH_ID, "acme", NOW, "DELIVERY#batch.completed", NOW, {**begun, "body": "{}"}
    )
    (told,) = show(batches)["delivery"]
    assert (told["id"], told["event"], told["state"], told["attempts"]) == ("evt_1", "batch.completed", "pending", [])
    assert show(stored(a_batch(1)))["delivery"] == []


def test_where_to_go_on_and_what_was_asked_stands_in_it() -> None:
    batch = a_batch(
        250, asked={"max_cost": 5_000_000_000, "dedupe": True, "metadata": {"a": "b"}}, output={"output_file_id": "f"}
    )
    shown = show(stored(batch))
    assert shown["urls"]["cancel"] == f"{BASE_URL}/batches/{BATCH_ID}/cancel"
    assert (shown["max_cost_usd"], shown["dedupe"], shown["metadata"]) == (5.0, True, {"a": "b"})
    assert (shown["output_file_id"], shown["error_file_id"], shown["errors"]) == ("f", None, None)
    assert (shown["created_at"], shown["in_progress_at"]) == ("2026-11-18T11:06:40.000Z",) * 2
    assert shown["completed_at"] is None
