"""Rows that did not succeed, taken again: those and no others, under their own lines."""

import json
from typing import Any

import pytest
from broker.batches.batch import Batch
from broker.batches.rows.retrying import rows_to_retry
from broker.batches.shard import PASSED_OVER, REJECTED, RowEnd
from broker.batches.store import Batches
from broker.errors import NotFound

from tests.fakes.batch_flow import Flow
from tests.fakes.batch_rows import FakeRowBytes, chat, jsonl
from tests.fakes.batches import a_batch, a_shard
from tests.fakes.database import FakeDatabase

KEY = "acme/rows.jsonl"


def retried(data: bytes, ends: dict[int, str], *, wrapped: bool = False) -> list[dict[str, Any]]:
    """The rows of a file of one shard that are taken again."""
    database, rows = FakeDatabase(), FakeRowBytes()
    batches = Batches(database)
    count = sum(1 for line in data.split(b"\n") if line.strip())
    where = {"bucket": "inbox", "key": KEY, "etag": "e", "version": "v1"} | ({"wrapped": True} if wrapped else {})
    rows.objects[KEY] = data
    batch = a_batch(count, rows_in=where)
    batches.create(batch)
    shard = a_shard(
        rows=count, length=len(data), line=1, ends={place: RowEnd(status) for place, status in ends.items()}
    )
    batches.put_shards([shard])
    return [json.loads(line) for line in rows_to_retry(batches, rows, batch)]


def test_only_rows_that_did_not_succeed_are_taken_and_keep_their_lines() -> None:
    data = b'{"custom_id": "a"}\n\n{"custom_id": "b"}\n{"custom_id": "c"}\r\n{"custom_id": "d"}'
    found = retried(data, {0: "succeeded", 1: "failed", 2: REJECTED, 3: PASSED_OVER})
    assert found == [
        {"line": 3, "body": {"custom_id": "b"}},
        {"line": 4, "body": {"custom_id": "c"}},
        {"line": 5, "body": {"custom_id": "d"}},
    ]


@pytest.mark.parametrize("status", ["failed", "blocked", "canceled", "expired", REJECTED, PASSED_OVER])
def test_every_other_end_is_worth_another_try(status: str) -> None:
    assert len(retried(b'{"a": 1}\n{"a": 2}\n', {0: status, 1: "succeeded"})) == 1


def test_a_row_that_nobody_could_read_says_so_again() -> None:
    (row,) = retried(b'{broken\n{"a": 2}\n', {0: REJECTED, 1: "succeeded"})
    assert row["line"] == 1
    assert row["error"]["code"] == "invalid_json"


def test_rows_that_were_converted_stand_as_they_are() -> None:
    data = b'{"line": 2, "body": {"a": "1"}}\n{"line": 7, "body": {"a": "2"}}\n'
    assert retried(data, {0: "succeeded", 1: "blocked"}, wrapped=True) == [{"line": 7, "body": {"a": "2"}}]


def test_a_shard_all_of_whose_rows_succeeded_is_not_even_read() -> None:
    database, rows = FakeDatabase(), FakeRowBytes()
    batches = Batches(database)
    batches.create(a_batch(1))
    batches.put_shards([a_shard(rows=1, ends={0: RowEnd("succeeded")})])
    assert list(rows_to_retry(batches, rows, a_batch(1))) == []


def test_rows_that_were_deleted_cannot_be_taken_again() -> None:
    database, rows = FakeDatabase(), FakeRowBytes()
    batches = Batches(database)
    first: Batch = a_batch(1)
    batches.create(first)
    batches.put_shards([a_shard(rows=1, length=9, ends={0: RowEnd("failed")})])
    with pytest.raises(NotFound):
        list(rows_to_retry(batches, rows, first))


def test_a_row_whose_answer_was_kept_no_longer_is_taken_again() -> None:
    flow = Flow()
    flow.begin(jsonl(chat("a"), chat("b"), chat("c")))
    flow.end_all()
    gone = flow.jobs()[1]
    flow.publish()
    flow.world.database.delete("jobs", f"JOB#{gone.id}", "HEAD")
    flow.tend_all()
    flow.close()
    first = flow.batch()
    assert first.sums.counts == {"succeeded": 2, "expired": 1}
    assert [json.loads(line)["line"] for line in rows_to_retry(flow.batches, flow.rows, first)] == [2]
