"""Collecting: the results in the file's order, written and told of until all is done, and the same each time."""

import json
from typing import Any

import pytest
from broker.jobs.head import Status
from broker.jobs.store import OUTPUT

from tests.fakes.bus import FakeBus
from tests.fakes.database import Crash
from tests.fakes.inbox import Files, chat
from tests.fakes.payloads import FakePayloads
from tests.fakes.queue import Down
from tests.fakes.world import HOUR, NOW

KEY = "acme/a.json"


class RefusingBus(FakeBus):
    """Takes nothing."""

    def put_one(self, kind: str, detail: dict[str, Any]) -> None:
        raise Down


class Unread(FakePayloads):
    """Answers as numbers are: a thousand embeddings of 3,072 take seconds of a processor to read and to write again."""

    def load(self, job_id: str, name: str, item: Any = None, *, fresh: bool = False, words: bool = False) -> Any:
        if name.startswith(OUTPUT):
            raise AssertionError
        return super().load(job_id, name, item, fresh=fresh, words=words)


@pytest.fixture
def files() -> Files:
    return Files()


@pytest.fixture
def batch_id(files: Files) -> str:
    return files.taken(KEY, json.dumps(chat("One."))).batch_id


def test_its_completion_is_told_with_the_counts(files: Files, batch_id: str) -> None:
    (one,) = files.jobs(batch_id)
    files.publish(files.end(one, Status.BLOCKED))
    files.collect(batch_id, NOW + 10)
    ((kind, detail),) = files.bus.events
    assert kind == "BatchCompleted"
    assert detail["metadata"]["event_id"] == f"evt_{batch_id.removeprefix('batch_')}_completed"
    assert (detail["metadata"]["correlation_id"], detail["metadata"]["tenant"]) == (batch_id, "acme")
    assert detail["data"] == {
        "batch_id": batch_id,
        "key": KEY,
        "result_key": f"{KEY}.result.json",
        "total": 1,
        "counts": {"succeeded": 0, "failed": 0, "blocked": 1, "canceled": 0, "expired": 0, "rejected": 0},
    }
    batch = files.batch(batch_id)
    assert (batch.state, batch.completed_at, batch.due_at) == ("completed", NOW + 10, None)


@pytest.mark.parametrize("name", ["a.json", "a.txt"])
def test_one_request_gives_the_job_itself(files: Files, name: str) -> None:
    taken = files.taken(f"acme/{name}", json.dumps(chat("One.")))
    files.finish(taken.batch_id)
    files.collect(taken.batch_id)
    (job,) = files.rows(f"acme/{name}.result.json")
    assert (job["object"], job["status"], job["output"]) == ("job", "succeeded", {"text": "Fine."})
    assert job["id"] == files.jobs(taken.batch_id)[0].id


def test_an_answer_that_is_too_large_for_a_reply_is_whole_and_never_loaded(files: Files) -> None:
    files.world.payloads = Unread()
    taken = files.taken(KEY, json.dumps(chat("One.")))
    large = 'é"\n' * 2_000_000
    files.publish(*(files.end(head, text=large) for head in files.jobs(taken.batch_id)))

    files.collect(taken.batch_id)
    (job,) = files.rows(f"{KEY}.result.json")
    assert job["output"] == {"text": large}
    assert (job["output_url"], job["erased"]) == (None, False)


def test_an_open_batch_is_not_collected(files: Files, batch_id: str) -> None:
    assert files.collect(batch_id) is None
    assert files.collect("batch_gone") is None
    assert (files.outbox.objects, files.bus.events) == ({}, [])


def test_a_collection_that_is_asked_for_again_does_nothing_more(files: Files, batch_id: str) -> None:
    files.finish(batch_id)
    files.collect(batch_id)
    files.collect(batch_id, NOW + HOUR)
    assert (files.outbox.puts, files.bus.kinds) == ([f"{KEY}.result.json"], ["BatchCompleted"])


@pytest.mark.parametrize("crash_in", [0, 1])
def test_a_crash_is_repaired_by_the_next_collection(files: Files, batch_id: str, crash_in: int) -> None:
    files.finish(batch_id)
    files.world.database.crash_in = crash_in
    with pytest.raises(Crash):
        files.collect(batch_id)
    files.world.database.crash_in = None
    before = files.outbox.objects.copy()
    files.collect(batch_id, NOW + HOUR)
    assert files.outbox.objects == before
    assert set(files.bus.ids) == {f"evt_{batch_id.removeprefix('batch_')}_completed"}
    assert len({json.dumps(detail) for _, detail in files.bus.events}) == 1, "a repeat tells the same fact"
    assert files.batch(batch_id).due_at is None


def test_two_collections_at_once_tell_the_same(files: Files, batch_id: str) -> None:
    files.finish(batch_id)
    files.world.database.meanwhile.append(lambda: files.collect(batch_id, NOW + 1))
    files.collect(batch_id, NOW + 2)
    assert files.bus.kinds == ["BatchCompleted"] * 2
    assert files.bus.events[0] == files.bus.events[1]
    assert files.batch(batch_id).completed_at == NOW + 1


def test_a_job_that_was_not_kept_as_long_is_said_so(files: Files, batch_id: str) -> None:
    gone = files.jobs(batch_id)[0]
    files.finish(batch_id)
    files.world.database.delete("jobs", f"JOB#{gone.id}", "HEAD")
    files.collect(batch_id)
    (row,) = files.rows(f"{KEY}.result.json")
    assert row["error"]["code"] == "job_gone"


def test_an_event_that_the_bus_refuses_is_told_the_next_time(files: Files, batch_id: str) -> None:
    files.finish(batch_id)
    files.bus = RefusingBus()
    with pytest.raises(Down):
        files.collect(batch_id)
    files.bus = FakeBus()
    assert files.batch(batch_id).state == "completed"
    files.collect(batch_id)
    assert (files.bus.kinds, len(files.outbox.puts)) == (["BatchCompleted"], 1)
