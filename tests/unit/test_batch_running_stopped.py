"""Rows of batches that are stopped, paused or over: what has begun stays, and nothing more begins."""

from dataclasses import replace

import pytest

from tests.fakes.batch_rows import Rows, chat
from tests.fakes.world import MINUTE, NOW, SECOND
from tests.unit.test_batch_running import begin, texts


@pytest.fixture
def rows() -> Rows:
    return Rows()


def stopped(rows: Rows, how: str = "cancelled") -> None:
    rows.batches.change("batch_1", lambda batch: batch.stopped(how, rows.now))  # type: ignore[arg-type]


def test_rows_of_a_stopped_batch_are_passed_over_and_no_byte_of_them_is_read(rows: Rows) -> None:
    begin(rows, *(chat(str(number)) for number in range(150)))
    stopped(rows)
    rows.rows.read.clear()
    rows.rows.objects.clear()
    rows.tend_all()
    assert rows.jobs() == []
    assert rows.ends() == dict.fromkeys(range(150), "passed_over")


def test_a_batch_that_is_stopped_while_its_rows_begin_keeps_what_has_begun(rows: Rows) -> None:
    begin(rows, *(chat(str(number)) for number in range(50)))
    rows.shards.sent.clear()
    count = 0

    def time_left() -> bool:
        nonlocal count
        count += 1
        rows.now += 100
        if count == 15:
            stopped(rows)
        return True

    rows.tend({"batch_id": "batch_1", "shard": 0}, time_left)
    begun = len(rows.jobs())
    assert 15 <= begun <= 40
    assert rows.ends() == dict.fromkeys(range(begun, 50), "passed_over")
    assert rows.shard_of(0).is_sent


def test_a_paused_batch_begins_no_row_until_it_is_resumed(rows: Rows) -> None:
    begin(rows, chat("One."))
    rows.batches.change("batch_1", lambda batch: replace(batch, is_paused=True))
    rows.tend_all()
    assert (rows.jobs(), rows.shards.later, rows.shard_of(0).is_sent) == ([], [], False)
    rows.batches.change("batch_1", lambda batch: replace(batch, is_paused=False))
    rows.tend({"batch_id": "batch_1", "shard": 0})
    assert texts(rows) == [(0, "One.")]


def test_a_batch_whose_time_is_over_passes_over_the_rest(rows: Rows) -> None:
    begin(rows, chat("One."), ends_at=NOW + MINUTE)
    assert rows.expire() == {"seconds": 60}, "it is not over yet"
    rows.now += MINUTE
    assert rows.expire()["seconds"] > MINUTE / SECOND
    assert rows.batch().stop == "expired"
    rows.tend_all()
    assert rows.ends() == {0: "passed_over"}
