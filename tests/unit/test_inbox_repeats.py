"""Splitting the same file again: once is what becomes of it, whatever crashes or comes again."""

import json

import pytest
from broker.errors import KeyInFlight, Unavailable
from broker.jobs.head import Status
from broker.registry.applying import apply
from broker.registry.document import parse_registry

from tests.fakes.database import Crash
from tests.fakes.files import FakeInbox
from tests.fakes.inbox import Files, chat
from tests.fakes.texts import long_text
from tests.fakes.world import HOUR, MINUTE, NOW, a_model

KEY, ONE = "acme/a.json", json.dumps(chat("One."))


def lines_of_jobs(files: Files, batch_id: str) -> list[int | None]:
    return [head.line for head in files.jobs(batch_id)]


@pytest.fixture
def files() -> Files:
    return Files()


def test_the_same_version_twice_makes_the_same_jobs(files: Files) -> None:
    event = files.inbox.put(KEY, ONE)
    first, again = files.split(event), files.split(event, NOW + 48 * HOUR)
    assert first is not None
    assert again is not None
    assert (again.batch_id, again.accepted, again.refused) == (first.batch_id, 0, 0)
    assert len(files.world.queue.sent) == 1
    assert files.inbox.reads == 1


@pytest.mark.parametrize(("versioned", "data", "jobs"), [(True, ONE, 2), (False, ONE, 1), (False, ONE + " ", 2)])
def test_another_version_is_another_file(versioned: bool, data: str, jobs: int) -> None:
    files = Files(inbox=FakeInbox(versioned))
    files.taken(KEY, ONE)
    files.taken(KEY, data)
    assert len(files.world.queue.sent) == jobs


@pytest.mark.parametrize("key", [KEY, "acme/a.txt"])
@pytest.mark.parametrize("crash_in", range(12))
def test_a_crash_anywhere_is_repaired_when_the_message_comes_again(files: Files, key: str, crash_in: int) -> None:
    event = files.inbox.put(key, ONE)
    files.world.database.crash_in = crash_in
    try:
        files.split(event)
    except Crash:
        pass
    files.world.database.crash_in = None
    files.world.tenant("acme", document_prompt="another")  # not for a file that was begun
    files.world.register({"pk": "PROMPT#another", "sk": "LATEST", "user": "{{document}}"})
    taken = files.split(event, NOW + MINUTE)
    assert taken is not None
    assert lines_of_jobs(files, taken.batch_id) == [1]
    files.finish(taken.batch_id)
    assert files.collects.sent == [taken.batch_id]
    assert files.bus.events == []


def test_a_file_whose_prompts_text_cannot_be_read_comes_again(files: Files) -> None:
    document = parse_registry({"prompts": [{"id": "long", "user": long_text(150_000) + "{{document}}"}]})
    apply(files.world.registry(), document, by="ops", now=NOW)
    files.world.tenant("acme", document_prompt="long")
    kept, files.world.texts.kept = files.world.texts.kept, {}
    event = files.inbox.put("acme/a.txt", "The lamp.")
    with pytest.raises(Unavailable):
        files.split(event)
    assert (files.outbox.objects, files.bus.events) == ({}, [])
    files.world.texts.kept = kept
    taken = files.split(event, NOW + MINUTE)
    assert taken is not None
    (job,) = files.jobs(taken.batch_id)
    assert "The lamp." in files.world.prompt(job.id)["messages"][-1]["content"]


def test_two_at_once_make_one_batch(files: Files) -> None:
    event = files.inbox.put(KEY, ONE)
    files.world.database.meanwhile += [lambda: files.split(event)]
    again = files.split(event)
    assert again is not None
    assert (again.accepted, lines_of_jobs(files, again.batch_id)) == (0, [1])


def test_a_line_that_is_being_accepted_elsewhere_comes_again(files: Files) -> None:
    event = files.inbox.put("acme/a.json", json.dumps(chat("One.")))
    files.world.database.crash_in = 2
    with pytest.raises(Crash):
        files.split(event)
    files.world.database.crash_in = None
    with pytest.raises(KeyInFlight):
        files.split(event, NOW + 1)
    assert files.outbox.objects == {}


def test_a_rejected_request_closes_its_batch(files: Files) -> None:
    event = files.inbox.put("acme/a.json", json.dumps({**chat("One."), "model": "later"}))
    first = files.split(event)
    assert first is not None
    batch = files.batch(first.batch_id)
    assert (batch.state, batch.due_at) == ("rejected", None)
    files.world.register(a_model("later"))
    files.split(event)
    assert files.world.queue.sent == [], "what was rejected stays so"
    assert files.collect(first.batch_id) is None


def test_a_file_that_is_gone_is_said_so(files: Files) -> None:
    event = files.inbox.put(KEY, ONE)
    files.inbox.delete(KEY)
    taken = files.split(event)
    assert taken is not None
    assert taken.error == "file_gone"


def test_a_file_may_be_deleted_once_it_was_split(files: Files) -> None:
    event = files.inbox.put(KEY, ONE)
    first = files.split(event)
    files.inbox.delete(KEY)
    files.split(event)
    assert first is not None
    files.finish(first.batch_id)
    assert files.collects.sent == [first.batch_id]
    assert {head.status for head in files.jobs(first.batch_id)} == {Status.SUCCEEDED}


def test_a_tenant_that_was_disabled_since_keeps_its_results(files: Files) -> None:
    event = files.inbox.put(KEY, ONE)
    files.split(event)
    files.world.tenant("acme", enabled=False)
    files.split(event)
    assert (files.outbox.objects, files.bus.events) == ({}, [])
