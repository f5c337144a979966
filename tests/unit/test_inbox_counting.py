"""Counting: a line counts once, whoever tells of it how often; and the last one has the batch collected."""

import json

import pytest
from broker.inbox.file_work import LOOK_MS, MOST_LOOK_MS
from broker.jobs.head import SHARDS, Status
from broker.jobs.sweeping import Sweep, Swept
from broker.storage import ConditionFailed

from tests.fakes.inbox import Files, chat
from tests.fakes.queue import Down, FakeDeadLetters
from tests.fakes.world import HOUR, NOW, a_head


@pytest.fixture
def files() -> Files:
    return Files()


@pytest.fixture
def batch_id(files: Files) -> str:
    return files.taken("acme/a.json", json.dumps(chat("One."))).batch_id


def sweep(files: Files, now: int) -> Swept:
    world = files.world
    return Sweep(
        world.jobs, world.payloads, world.queue, FakeDeadLetters(), lambda item, now: False, files.count.resend
    )(now)


def test_the_last_line_has_the_batch_collected(files: Files, batch_id: str) -> None:
    (only,) = (files.end(head) for head in files.jobs(batch_id))
    assert (files.batch(batch_id).done, files.collects.sent) == (0, [])
    files.publish(only)
    assert (files.batch(batch_id).done, files.collects.sent) == (1, [batch_id])


def test_a_line_counts_once_however_often_it_is_told(files: Files, batch_id: str) -> None:
    (only,) = (files.end(head) for head in files.jobs(batch_id))
    for _ in range(3):
        files.publish(only, only)
    assert files.batch(batch_id).done == 1


def test_its_end_is_recorded_with_the_job(files: Files, batch_id: str) -> None:
    (head,) = files.jobs(batch_id)
    files.publish(files.end(head, Status.FAILED))
    item = files.world.database.get("jobs", f"BATCH#{batch_id}", "LINE#000001")
    assert item is not None
    assert (item["job_id"], item["status"]) == (head.id, "failed")


def test_a_job_that_came_alone_counts_nowhere(files: Files) -> None:
    files.world.put(a_head())
    files.publish(files.end(a_head()))
    assert files.collects.sent == []


def test_a_message_that_cannot_be_sent_comes_again_with_the_stream(files: Files, batch_id: str) -> None:
    (only,) = (files.end(head) for head in files.jobs(batch_id))
    files.collects.down = True
    assert files.publish(only) == only.sequence
    files.collects.down = False
    assert files.publish(only) is None
    assert (files.batch(batch_id).done, files.collects.sent) == (1, [batch_id])


def test_a_batch_that_is_gone_waits_for_nobody(files: Files, batch_id: str) -> None:
    (first,) = (files.end(head) for head in files.jobs(batch_id))
    files.world.database.delete("jobs", f"BATCH#{batch_id}", "BATCH")
    assert files.publish(first) is None
    assert files.world.database.get("jobs", f"BATCH#{batch_id}", "BATCH") is None


def test_the_sweep_asks_again_for_a_collection_that_was_lost(files: Files, batch_id: str) -> None:
    files.finish(batch_id)
    files.collects.sent.clear()
    assert sweep(files, NOW + LOOK_MS - 1).batches == 0
    assert sweep(files, NOW + LOOK_MS).batches == 1
    assert sweep(files, NOW + LOOK_MS).batches == 0
    assert sweep(files, NOW + 2 * LOOK_MS).batches == 1
    assert files.collects.sent == [batch_id] * 2


def test_the_sweep_lets_an_open_batch_wait(files: Files, batch_id: str) -> None:
    assert sweep(files, NOW + LOOK_MS).batches == 0
    assert files.batch(batch_id).due_at == NOW + 2 * LOOK_MS
    assert files.collects.sent == []


def test_two_sweeps_at_once_ask_once(files: Files, batch_id: str) -> None:
    files.finish(batch_id)
    files.collects.sent.clear()
    (item,) = [item for shard in range(SHARDS) for item in files.world.jobs.due(shard, NOW + LOOK_MS, 100).items
               if item["sk"] == "BATCH"]  # fmt: skip
    files.world.database.meanwhile.append(lambda: files.count.resend(item, NOW + LOOK_MS))
    assert not files.count.resend(item, NOW + LOOK_MS)
    assert files.collects.sent == [batch_id]


def test_a_batch_that_was_told_is_out_of_the_sweeps_sight(files: Files, batch_id: str) -> None:
    files.finish(batch_id)
    files.collect(batch_id)
    files.collects.sent.clear()
    assert sweep(files, NOW + HOUR).batches == 0
    assert files.count.resend({"pk": f"BATCH#{batch_id}", "sk": "BATCH"}, NOW + HOUR) is False
    assert files.count.resend({"pk": "BATCH#batch_gone", "sk": "BATCH"}, NOW + HOUR) is False


def test_what_the_table_refuses_is_no_count(files: Files, batch_id: str) -> None:
    def fail() -> None:
        raise Down

    change = files.end(files.jobs(batch_id)[0])
    files.world.database.meanwhile.append(fail)
    assert files.publish(change) == change.sequence
    assert files.batch(batch_id).done == 0
    with pytest.raises(ConditionFailed):
        files.world.database.write(files.batch(batch_id).put())


def test_a_collection_that_never_succeeds_is_asked_for_ever_more_seldom(files: Files, batch_id: str) -> None:
    files.finish(batch_id)
    files.collects.sent.clear()
    (item,) = [item for shard in range(SHARDS) for item in files.world.jobs.due(shard, NOW + LOOK_MS, 100).items
               if item["sk"] == "BATCH"]  # fmt: skip
    pauses, now = [], NOW + LOOK_MS
    for _ in range(10):
        assert files.count.resend(item, now)
        after = files.batch(batch_id).due_at or 0
        pauses.append(after - now)
        now = after
    assert pauses[:3] == [LOOK_MS, 2 * LOOK_MS, 4 * LOOK_MS]
    assert pauses[-1] == MOST_LOOK_MS
    assert len(files.collects.sent) == 10


def test_a_batch_that_still_runs_is_looked_at_as_often_as_before(files: Files, batch_id: str) -> None:
    (item,) = [item for shard in range(SHARDS) for item in files.world.jobs.due(shard, NOW + LOOK_MS, 100).items
               if item["sk"] == "BATCH"]  # fmt: skip
    for look in range(1, 20):
        assert not files.count.resend(item, NOW + look * LOOK_MS)
        assert files.batch(batch_id).due_at == NOW + (look + 1) * LOOK_MS
