"""Rows that hang, fail or wait, and messages that have no time for all of them: no row keeps another."""

from typing import Any

import pytest
from broker.batches.rows.running import HELD_S
from broker.errors import Unavailable
from broker.jobs.head import Head

from tests.fakes.batch_rows import Rows, chat, jsonl
from tests.fakes.queue import FakeQueue
from tests.unit.test_batch_running import begin, texts


class Hanging(FakeQueue):
    """A queue that never answers."""

    def send(self, head: Head) -> None:
        """See `Queue.send`."""
        while True:
            pass


@pytest.fixture
def rows() -> Rows:
    return Rows()


def test_what_there_is_no_time_for_goes_on_in_another_message(rows: Rows) -> None:
    begin(rows, *(chat(str(number)) for number in range(5)))
    answers = iter([True, True, False])
    rows.shards.sent.clear()
    rows.tend({"batch_id": "batch_1", "shard": 0}, lambda: next(answers))
    ((message, delay_s),) = rows.shards.later
    assert (delay_s, message["goes_on"]["lines"]) == (0, [2, 3, 4])
    assert not rows.shard_of(0).is_sent
    rows.tend_all()
    assert [text for _, text in texts(rows)] == list("01234")
    assert rows.shard_of(0).is_sent


def poisoned(rows: Rows, how: type[BaseException] | None) -> dict[str, Any]:
    """A row by which whoever accepts it fails, or hangs."""
    rows.line_s = 0.05

    def check(url: str) -> None:
        while how is None and "poison" in url:
            pass
        if how and "poison" in url:
            raise how("poison")

    rows.world.check_webhook = check
    return chat("Poison.", webhook={"url": "https://poison.example/"})


@pytest.mark.parametrize("how", [None, ZeroDivisionError], ids=["hangs", "fails"])
def test_a_row_that_hangs_or_fails_keeps_no_other_waiting(rows: Rows, how: type[BaseException] | None) -> None:
    poison = poisoned(rows, how)
    begin(rows, chat("One."), poison, chat("Three."))
    rows.tend({"batch_id": "batch_1", "shard": 0})
    assert [text for _, text in texts(rows)] == ["One.", "Three."]
    rows.shards.sent.clear()
    waited_s = rows.tend_all()
    assert 60 <= waited_s <= 900
    assert rows.errors() == {1: "line_failed"}
    assert rows.shard_of(0).is_sent
    assert rows.failed == [(1, "Overrun" if how is None else "ZeroDivisionError")] * 4


def test_a_careless_tenants_batch_keeps_anothers_not_waiting(rows: Rows) -> None:
    rows.world.tenant("careful")
    poison = poisoned(rows, None)
    rows.put(jsonl(*[poison] * 60), "batch_bad")
    rows.put(jsonl(*(chat(str(number)) for number in range(60))), "batch_good", "careful")
    for batch_id in ("batch_bad", "batch_good"):
        rows.plan(batch_id)
        rows.run(batch_id, f"token-{batch_id}")
    begun = rows.now
    rows.tend({"batch_id": "batch_bad", "shard": 0})
    rows.tend({"batch_id": "batch_good", "shard": 0})
    assert len(rows.jobs("batch_good")) == 60 and rows.now == begun
    rows.shards.sent.clear()
    rows.tend_all()
    assert set(rows.errors("batch_bad").values()) == {"line_failed"} and len(rows.errors("batch_bad")) == 60


def test_what_passes_by_itself_is_waited_for_without_end(rows: Rows) -> None:
    poison = poisoned(rows, Unavailable)
    begin(rows, chat("One."), poison)
    rows.tend({"batch_id": "batch_1", "shard": 0})
    rows.shards.sent.clear()
    for _ in range(10):
        ((message, delay_s),) = rows.shards.later
        assert (delay_s, message["goes_on"]["lines"]) == (HELD_S, [1])
        rows.shards.later.clear()
        rows.tend(message)
    rows.world.check_webhook = lambda url: None
    rows.tend_all()
    assert [text for _, text in texts(rows)] == ["One.", "Poison."]
    assert rows.failed == [] and rows.errors() == {}


def test_a_job_that_was_made_before_its_row_hung_stands(rows: Rows) -> None:
    begin(rows, chat("One."))
    rows.line_s, rows.world.queue = 0.05, Hanging()
    rows.tend_all()
    assert len(rows.jobs()) == 1 and rows.errors() == {} and rows.shard_of(0).is_sent
