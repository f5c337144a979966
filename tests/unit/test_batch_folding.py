"""From rows that end to the files of a batch: each row in one of them, once, in order, and the counts add up."""

from typing import Any

import pytest
from broker.batches.shard import Sums
from broker.jobs.head import Status
from broker.jobs.transitions import Outcome, finish

from tests.fakes.batch_flow import Flow
from tests.fakes.batch_rows import chat, jsonl
from tests.fakes.database import Crash
from tests.fakes.world import NOW, SECOND


def texts(count: int) -> bytes:
    return jsonl(*(chat(f"Row {row}", custom_id=f"r-{row}") for row in range(count)))


def answer(line: dict[str, Any]) -> str:
    return str(line["job"]["output"]["text"])


def check_whole(flow: Flow, rows: int) -> None:
    """Each row stands in one file once, in order; counts and cost are those of the jobs."""
    batch = flow.batch()
    output, errors = flow.lines("output"), flow.lines("errors")
    lines = [line["line"] for line in output], [line["line"] for line in errors]
    assert lines == (sorted(lines[0]), sorted(lines[1]))
    assert sorted([*lines[0], *lines[1]]) == list(range(1, rows + 1))
    assert batch.sums.ended == batch.rows == rows
    assert batch.sums.counts.get("succeeded", 0) == len(output)
    assert batch.sums.cost == sum(head.spent for head in flow.jobs())
    assert batch.sums.cost == flow.world.spent().get("nusd", 0)


def test_every_row_stands_in_one_file_once_and_in_order() -> None:
    flow = Flow()
    bad = ["{", '{"input": 3}', "", "   ", b"\xff"]
    flow.begin(jsonl(*(chat(f"Row {row}", custom_id=f"r-{row}") for row in range(120)), *bad, chat("last")))
    first, second, third = flow.jobs()[:3]
    flow.end(first, Status.FAILED)
    flow.end(second, Status.BLOCKED)
    flow.end(third, Status.EXPIRED)
    flow.finish()
    batch, output, errors = flow.batch(), flow.lines("output"), flow.lines("errors")
    assert (batch.status, batch.rows) == ("completed", 124)
    assert [line["line"] for line in output] == [*range(4, 121), 126]
    assert [line["line"] for line in errors] == [1, 2, 3, 121, 122, 125]
    assert [line["custom_id"] for line in output][:2] == ["r-3", "r-4"]
    assert answer(output[0]) == "Answer to Row 3"
    assert [line["job"]["status"] for line in errors[:3]] == ["failed", "blocked", "expired"]
    assert [line["error"]["code"] for line in errors[3:]] == ["invalid_json", "invalid_field", "invalid_encoding"]
    assert batch.sums.counts == {"succeeded": 118, "failed": 1, "blocked": 1, "expired": 1, "rejected": 3}
    assert batch.sums.cost == flow.world.spent()["nusd"] == 3 * 121
    assert flow.results.kept == {}, "what they were made of is gone"


def test_its_end_is_told_with_what_came_of_it() -> None:
    flow = Flow()
    flow.begin(texts(3), asked={"webhook": {"url": "https://hooks.example/1"}})
    flow.finish()
    (told,) = flow.told("BatchCompleted")
    assert (told["total"], told["counts"]["succeeded"], told["status"]) == (3, 3, "completed")
    assert told["output_file_id"] in flow.files.created
    assert told["error_file_id"] is None
    assert told["usage"] == {"input_tokens": 6, "output_tokens": 3, "cost_usd": 9e-9}
    assert [(owner, name) for owner, _, name, _ in flow.deliveries.sent] == [("batch_1", "DELIVERY#batch.completed")]
    assert flow.batch().due_at is None, "the sweep has nothing to look for"
    flow.close()
    flow.close()
    assert len(flow.deliveries.sent) == 1
    assert flow.bus.kinds == ["BatchStarted", "BatchCompleted"]


@pytest.mark.parametrize("rows", [1, 5, 99, 100, 101, 250, 1_234])
def test_any_number_of_rows_is_collected_by_messages_alone(rows: int) -> None:
    flow = Flow()
    flow.begin(texts(rows))
    flow.finish()
    assert flow.batch().status == "completed"
    check_whole(flow, rows)


def test_rows_that_end_before_their_shard_is_all_sent_are_counted() -> None:
    flow = Flow()
    flow.put(texts(100))
    flow.plan()
    flow.run()
    left = iter([True] * 60 + [False])
    (batch_id, shard), flow.shards.sent = flow.shards.sent[0], []
    flow.tend({"batch_id": batch_id, "shard": shard}, lambda: next(left))
    assert flow.end_all() == 60
    flow.publish()
    assert flow.shards.sent == [], "nobody looks at a shard that somebody is still at"
    flow.tend_all()
    flow.finish()
    check_whole(flow, 100)


def test_the_stream_told_twice_and_every_message_doubled_changes_nothing() -> None:
    flow = Flow()
    flow.begin(texts(230))
    while flow.end_all():
        before = flow.seen
        flow.publish()
        flow.publish(flow.world.database.stream[before : flow.seen])
        flow.shards.sent *= 2
        flow.tend_all()
    flow.close()
    flow.close()
    check_whole(flow, 230)


@pytest.mark.parametrize("crash_in", range(30))
def test_whoever_dies_between_two_writes_the_sweep_and_the_stream_bring_it_to_its_end(crash_in: int) -> None:
    flow = Flow()
    flow.begin(texts(120))
    flow.end_all()
    flow.world.database.crash_in = crash_in * 5
    seen = flow.seen
    try:
        flow.publish()
        flow.tend_all()
        flow.close()
    except Crash:
        flow.world.database.crash_in = None
        flow.shards.sent.clear()  # what was in flight is lost
        flow.seen = seen  # the stream tells again what was not done
        flow.publish()
        flow.shards.sent.clear()
        for _ in range(4):
            flow.now = (flow.batch().due_at or flow.now) + SECOND
            if flow.look("batch_1", flow.now):
                flow.tend_all()
        assert flow.workflows.told or flow.workflows.started or flow.batch().due_at is None
    flow.world.database.crash_in = None
    flow.close()
    assert flow.batch().status == "completed"
    check_whole(flow, 120)
    assert len(set(flow.bus.ids)) == len(flow.bus.kinds) - flow.bus.kinds.count("BatchCompleted") + 1


def test_two_that_collect_the_same_shard_at_once_count_it_once() -> None:
    flow = Flow()
    flow.begin(texts(100))
    flow.end_all()
    flow.publish()
    (batch_id, shard) = flow.shards.sent[0]
    flow.shards.sent.clear()
    message = {"batch_id": batch_id, "shard": shard}
    flow.world.database.meanwhile = [lambda: flow.tend(message)]
    flow.tend(message)
    flow.close()
    check_whole(flow, 100)


def test_one_that_assembles_while_another_is_done_writes_nothing_over_it() -> None:
    flow = Flow()
    flow.begin(texts(150))
    flow.end_all()
    flow.publish()
    flow.tend_all()
    kept = dict(flow.results.kept)
    flow.assemble()
    stored = flow.batch()
    half = {key: value for key, value in kept.items() if key[1] == 0}
    flow.results.kept = half  # what the slower one still finds
    flow.world.database.write(_as_before(flow, stored.id))
    with pytest.raises(Exception, match="Of 150 results"):
        flow.assemble()
    assert len(flow.lines("output")) == 150


def _as_before(flow: Flow, batch_id: str) -> Any:
    from dataclasses import replace

    from broker.batches.batch import BatchStatus
    from broker.storage import Put

    return Put("jobs", replace(flow.batch(batch_id), status=BatchStatus.FINALIZING).to_item())


def test_a_call_that_is_settled_late_is_waited_for_and_its_price_counted() -> None:
    flow = Flow()
    flow.begin(texts(2))
    slow, quick = flow.jobs()
    pending = {"1.1": {"m": "small", "r": 50, "s": NOW}}
    ended = Outcome(Status.CANCELED)
    flow.world.jobs.change(slow.id, lambda head: finish(head.next(calls=pending), ended, now=flow.now))
    flow.end(quick)
    flow.publish()
    while flow.shards.sent:
        batch_id, shard = flow.shards.sent.pop()
        flow.tend({"batch_id": batch_id, "shard": shard})
    assert flow.batch().open == (0,)
    assert [(message["shard"], delay) for message, delay in flow.shards.later] == [(0, 60)]
    settled = {"1.1": {**pending["1.1"], "c": 7, "o": "ok", "p": "yes", "a": NOW}}
    flow.world.jobs.change(slow.id, lambda head: head.next(calls=settled))
    flow.tend_all()
    flow.close()
    assert flow.batch().sums.cost == 10
    check_whole(flow, 2)


def test_a_call_that_nobody_settles_is_counted_at_its_worst_after_a_while() -> None:
    flow = Flow()
    flow.begin(texts(1))
    (slow,) = flow.jobs()
    pending = {"1.1": {"m": "small", "r": 50, "s": NOW}}
    flow.world.jobs.change(
        slow.id, lambda head: finish(head.next(calls=pending), Outcome(Status.CANCELED), now=flow.now)
    )
    flow.publish()
    waited = flow.tend_all()
    assert waited <= 25 * 60
    assert flow.batch().sums.cost == 50


def test_an_answer_that_was_kept_no_longer_is_an_error_and_counted_as_one() -> None:
    flow = Flow()
    flow.begin(texts(3))
    flow.end_all()
    gone = flow.jobs()[1]
    flow.publish()
    flow.world.database.delete("jobs", f"JOB#{gone.id}", "HEAD")
    flow.tend_all()
    flow.close()
    (error,) = flow.lines("errors")
    assert (error["line"], error["custom_id"], error["error"]["code"]) == (2, "r-1", "job_gone")
    assert flow.batch().sums.counts == {"succeeded": 2, "expired": 1}


def test_rows_whose_file_is_gone_are_found_by_what_their_jobs_know() -> None:
    flow = Flow()
    flow.begin(texts(3))
    flow.rows.objects.clear()
    flow.finish()
    assert [line["custom_id"] for line in flow.lines()] == ["r-0", "r-1", "r-2"]


def test_results_of_a_file_of_the_inbox_are_one_file_beside_it() -> None:
    flow = Flow()
    flow.begin(jsonl(chat("a"), "{", chat("c")), asked={"output": {"kind": "outbox", "key": "acme/in.jsonl"}})
    flow.finish()
    (place,) = flow.files.objects
    assert place == ("outbox", "acme/in.jsonl.results.jsonl")
    assert flow.files.objects[place].count(b"\n") == 3
    (told,) = flow.told("BatchCompleted")
    assert (told["key"], told["result_key"]) == ("acme/in.jsonl", "acme/in.jsonl.results.jsonl")


def test_a_shard_that_is_light_gives_way_to_another() -> None:
    flow = Flow()
    flow.begin(texts(4_500))
    batch = flow.batch()
    assert (len(batch.busy), batch.released) == (40, 40)
    for head in [head for head in flow.jobs() if head.row is not None and head.row < 90]:
        flow.end(head)
    flow.publish()
    flow.tend_all()
    after = flow.batch()
    assert (after.released, 0 in after.open, 0 in after.busy) == (41, True, False)


def test_progress_is_told_by_twentieths_and_no_more_than_once_a_minute() -> None:
    flow = Flow()
    flow.begin(texts(2_000))
    for number in range(20):
        flow.now += 20 * SECOND
        for head in [head for head in flow.jobs() if head.row is not None and head.row // 100 == number]:
            flow.end(head)
        flow.publish()
        flow.tend_all()
    told = flow.told("BatchProgressed")
    assert [each["percent"] for each in told] == [5, 20, 35, 50, 65, 80, 95]
    assert all(each["ended"] == each["counts"]["succeeded"] for each in told)
    assert len(set(flow.bus.ids)) == len(flow.bus.ids)


def test_sums_add_up() -> None:
    some = Sums({"succeeded": 1}, 1, 2, 3, 1) + Sums({"succeeded": 2, "failed": 1}, 1, 1, 1, 0)
    assert some == Sums({"succeeded": 3, "failed": 1}, 2, 3, 4, 1)
