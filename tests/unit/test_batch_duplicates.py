"""Identical rows of a batch are paid once, where it asks for that, and each has the answer."""

from collections import Counter
from random import Random
from typing import Any

import pytest
from broker.jobs.head import Status

from tests.fakes.batch_flow import Flow
from tests.fakes.batch_rows import chat, jsonl
from tests.fakes.counting import CountingDatabase
from tests.fakes.database import Crash
from tests.fakes.world import SECOND, World

DEDUPE: dict[str, Any] = {"asked": {"dedupe": True}}


def rows_of(*texts: str) -> bytes:
    return jsonl(*(chat(text, custom_id=f"r-{row}") for row, text in enumerate(texts)))


def check_paid_once(flow: Flow, texts: list[str]) -> None:
    """Each text is one job; each row has its answer, under its own name, in one file, and is counted."""
    jobs = flow.jobs()
    assert len(jobs) == len(set(texts))
    lines = flow.lines()
    assert [line["custom_id"] for line in lines] == [f"r-{row}" for row in range(len(texts))]
    assert [line["job"]["output"]["text"] for line in lines] == [f"Answer to {text}" for text in texts]
    first = {text: place for place, text in reversed(list(enumerate(texts, start=1)))}
    for place, (line, text) in enumerate(zip(lines, texts, strict=True), start=1):
        ran = {head.row: head for head in jobs}.get(place - 1)
        assert (line.get("duplicate_of") is None) is (ran is not None)
        assert line.get("duplicate_of", place) in {head.line for head in jobs}, (text, first[text])
    batch = flow.batch()
    assert batch.sums.counts == {"succeeded": len(texts)}
    assert batch.sums.duplicates == len(texts) - len(jobs)
    assert batch.sums.cost == flow.world.spent()["nusd"] == 3 * len(jobs)


def test_identical_rows_are_paid_once_and_told_so() -> None:
    flow = Flow()
    flow.begin(rows_of("a", "b", "a", "c", "a", "b"), **DEDUPE)
    flow.finish()
    check_paid_once(flow, ["a", "b", "a", "c", "a", "b"])
    assert [line.get("duplicate_of") for line in flow.lines()] == [None, None, 1, None, 1, 2]


def test_without_being_asked_each_row_runs() -> None:
    flow = Flow()
    flow.begin(rows_of("a", "a"))
    flow.finish()
    assert len(flow.jobs()) == 2
    assert [line.get("duplicate_of") for line in flow.lines()] == [None, None]


@pytest.mark.parametrize("seed", range(6))
def test_duplicates_across_shards_in_any_order_come_to_their_end_by_messages_alone(seed: int) -> None:
    chance = Random(seed)
    texts = [f"t{chance.randrange(chance.choice([5, 150, 400]))}" for _ in range(420)]
    flow = Flow()
    flow.begin(rows_of(*texts), **DEDUPE)
    heads = flow.jobs()
    chance.shuffle(heads)
    for head in heads:
        flow.end(head, text=f"Answer to {flow.asked(head)}")
        if chance.random() < 0.1:
            flow.publish()
            flow.tend_all()
    flow.finish()
    check_paid_once(flow, texts)


def test_two_thousand_times_the_same_is_one_job_and_no_item_grows_with_it() -> None:
    flow = Flow()
    flow.begin(rows_of(*["a"] * 2_000), **DEDUPE)
    (head,) = flow.jobs()
    flow.end(head, text="Answer to a")
    flow.finish()
    check_paid_once(flow, ["a"] * 2_000)
    assert max(len(str(item)) for item in flow.world.database.items()) < 8_000


def test_rows_are_told_apart_by_all_that_they_ask_but_their_names() -> None:
    flow = Flow()
    different = [chat("a"), chat("a", parameters={"temperature": 1}), chat("a", metadata={"k": "v"}), chat("a")]
    flow.begin(jsonl(*different), **DEDUPE)
    assert [head.row for head in flow.jobs()] == [0, 1, 2]


@pytest.mark.parametrize("status", [Status.FAILED, Status.BLOCKED, Status.EXPIRED])
def test_the_others_share_the_end_of_the_first_whatever_it_is(status: Status) -> None:
    flow = Flow()
    flow.begin(rows_of("a", "a", "b"), **DEDUPE)
    flow.end(flow.jobs()[0], status)
    flow.finish()
    assert flow.batch().sums.counts == {status.value: 2, "succeeded": 1}
    assert [(line["line"], line["job"]["status"]) for line in flow.lines("errors")] == [(1, status), (2, status)]


def test_the_others_of_a_row_that_is_refused_are_refused_as_it_was() -> None:
    flow = Flow()
    body = chat("a", model="nobody-knows-it")
    flow.begin(jsonl(body, body, chat("b")), **DEDUPE)
    flow.finish()
    assert flow.batch().sums.counts == {"rejected": 2, "succeeded": 1}
    errors = flow.lines("errors")
    assert [line["error"]["code"] for line in errors] == ["unknown_model"] * 2
    assert errors[1]["duplicate_of"] == 1


def test_two_batches_and_two_tenants_share_nothing() -> None:
    flow = Flow()
    flow.world.tenant("other")
    for batch_id, tenant in (("batch_1", "acme"), ("batch_2", "acme"), ("batch_3", "other")):
        flow.put(rows_of("a", "a"), batch_id, tenant, **DEDUPE)
        flow.plan(batch_id)
        flow.run(batch_id)
    flow.tend_all()
    assert [len(flow.jobs(f"batch_{number}")) for number in (1, 2, 3)] == [1, 1, 1]


def test_a_cancel_while_others_wait_passes_no_answer_by() -> None:
    flow = Flow()
    flow.begin(rows_of("a", "b", *["a"] * 150), **DEDUPE)
    flow.claimed(flow.jobs()[0])
    flow.stops.cancel(flow.batch(), flow.now)
    flow.tend_all()
    flow.finish()
    assert flow.batch().status == "cancelled"
    assert flow.batch().sums.counts == {"succeeded": 151, "canceled": 1}


@pytest.mark.parametrize("crash_in", range(0, 40, 2))
def test_whoever_dies_on_the_way_no_row_is_paid_twice_or_forgotten(crash_in: int) -> None:
    texts = ["a", "b", "a", *["c"] * 5, "b", "a"] * 13
    flow = Flow()
    flow.put(rows_of(*texts), **DEDUPE)
    flow.plan()
    flow.run()
    for restart in range(8):
        flow.world.database.crash_in = crash_in + 7 * restart
        seen = flow.seen
        try:
            flow.tend_all()
            flow.end_all()
            flow.publish()
        except Crash:
            flow.seen = seen
        flow.world.database.crash_in = None
        flow.shards.sent.clear()
        flow.now = (flow.batch().due_at or flow.now) + 300 * SECOND
        flow.look("batch_1", flow.now)
    flow.tend_all()
    flow.finish()
    check_paid_once(flow, texts)


def work(texts: list[str]) -> Counter[str]:
    database = CountingDatabase()
    flow = Flow(World(database))
    flow.begin(rows_of(*texts), **DEDUPE)
    flow.finish()
    return Counter(writes=database.writes, reads=database.reads)


def test_a_duplicate_takes_as_much_whether_there_are_a_hundred_or_two_thousand() -> None:
    few, many = work(["a"] * 100), work(["a"] * 2_000)
    for name, count in few.items():
        assert many[name] / 2_000 <= 1.3 * count / 100 + 1, name
    assert many["writes"] / 2_000 <= 4.5, "it is cheaper than a job"
