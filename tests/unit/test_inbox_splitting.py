"""Splitting: a file becomes its jobs, or it is rejected with the reason."""

import json
import re
from typing import Any

import pytest
from broker.batches.batch import BEGUN_MS
from broker.batches.rows.planning import MOST_BYTES
from broker.batches.store import Batches
from broker.inbox.files import MAX_DOCUMENT_BYTES, MAX_REQUEST_BYTES

from tests.fakes.database import Crash
from tests.fakes.inbox import Files, chat
from tests.fakes.world import HOUR, NOW
from tests.unit.splitting_case import KEY, LINES


@pytest.fixture
def files() -> Files:
    return Files()


def test_a_file_of_requests_is_a_batch_of_the_keys_tenant(files: Files) -> None:
    event = files.inbox.put(KEY, LINES)
    taken = files.split(event)
    assert taken is not None
    assert (taken.tenant, taken.accepted, taken.refused, taken.error) == ("acme", 0, 0, None)
    assert (files.world.queue.sent, files.inbox.reads) == ([], 0), "its rows are run by whoever runs batches"
    batch = Batches(files.world.database).get(taken.batch_id, "acme")
    stored = event["detail"]["object"]
    place = {"bucket": "inbox", "key": KEY, "etag": stored["etag"], "version": stored["version-id"]}
    assert batch.source == {"kind": "object"} | place
    assert batch.asked["output"] == {"kind": "outbox", "key": KEY}
    assert (batch.principal, batch.ends_at, batch.due_at) == ("s3:inbox", NOW + 24 * HOUR, NOW + BEGUN_MS)
    assert files.workflows.started == [(taken.batch_id, 0)]


def test_the_same_version_twice_is_one_batch(files: Files) -> None:
    event = files.inbox.put(KEY, LINES)
    first, again = files.split(event), files.split(event, NOW + HOUR)
    assert first and again and first.batch_id == again.batch_id
    assert files.workflows.started == [(first.batch_id, 0)]
    batches = Batches(files.world.database)
    assert batches.get(first.batch_id).created_at == NOW
    other = files.taken(KEY, LINES + "{}")
    assert other.batch_id != first.batch_id


@pytest.mark.parametrize("crash_in", [0, 1])
def test_a_crash_before_the_workflow_starts_is_repaired_when_the_message_comes_again(
    files: Files, crash_in: int
) -> None:
    event = files.inbox.put(KEY, LINES)
    files.world.database.crash_in = crash_in
    if crash_in == 0:
        with pytest.raises(Crash):
            files.split(event)
    files.world.database.crash_in = None
    files.split(event)
    assert len(files.workflows.started) == 1


def test_a_document_is_put_into_the_tenants_prompt(files: Files) -> None:
    files.world.tenant("law", document_prompt="review")
    files.world.register({"pk": "PROMPT#review", "sk": "LATEST", "user": "Review {{document}}"})
    first, second = files.taken("acme/a.TXT", "\ufeffGrüße {{document}}\n"), files.taken("law/b.md", "Text")
    (one,), (other,) = files.jobs(first.batch_id), files.jobs(second.batch_id)
    mine, theirs = (files.world.prompt(job.id)["messages"][-1]["content"] for job in (one, other))
    assert re.fullmatch(r"Summarize:\n<(\w+)>Grüße {{document}}\n</\1>", mine)
    assert re.fullmatch(r"Review <(\w+)>Text</\1>", theirs)
    assert (one.lane, one.line, files.batch(first.batch_id).total) == ("bulk", 1, 1)


def test_a_json_file_is_one_request(files: Files) -> None:
    taken = files.taken("acme/a.json", json.dumps({**chat("Hello"), "priority": "bulk"}, indent=2))
    (head,) = files.jobs(taken.batch_id)
    assert (head.lane, taken.accepted) == ("bulk", 1)


def test_media_that_requests_point_to_is_no_work_by_itself(files: Files) -> None:
    assert files.split(files.inbox.put("acme/media/a.png", b"\x89PNG")) is None
    assert (files.outbox.objects, files.bus.events) == ({}, [])
    assert files.split(files.inbox.put("acme/mediation/a.txt", b"Hello")) is not None


def test_what_stands_for_a_folder_is_left_alone(files: Files) -> None:
    assert files.split(files.inbox.put("acme/orders/", b"")) is None
    assert (files.outbox.objects, files.bus.events) == ({}, [])


REJECTED: list[tuple[str, str, bytes | str, str]] = [
    ("no tenant", "readme.txt", "Hello", "unknown_tenant"),
    ("an empty tenant", "/readme.txt", "Hello", "unknown_tenant"),
    ("a stranger", "stranger/a.txt", "Hello", "unknown_tenant"),
    ("a disabled tenant", "gone/a.txt", "Hello", "tenant_disabled"),
    ("nothing", "acme/a.txt", b"", "empty_file"),
    ("blanks", "acme/a.json", b"\xef\xbb\xbf \n\n", "empty_file"),
    ("another encoding", "acme/a.jsonl.json", b'{"input": "\xff"}', "invalid_encoding"),
    ("UTF-16", "acme/a.json", json.dumps(chat("x")).encode("utf-16"), "invalid_encoding"),
    ("no JSON", "acme/a.json", "{", "invalid_json"),
    ("too deep", "acme/a.json", "[" * 100_000, "too_deep"),
    ("deeper than is taken", "acme/a.json", '{"input": ' + "[" * 64 + "]" * 64 + "}", "too_deep"),
    ("a name for a request", "acme/a.json", json.dumps({**chat("x"), "custom_id": "a"}), "invalid_field"),
    ("a bad field", "acme/a.json", json.dumps({**chat("x"), "modle": "y"}), "invalid_field"),
    ("an unknown model", "acme/a.json", json.dumps({**chat("x"), "model": "y"}), "unknown_model"),
    ("a long document", "acme/a.txt", b"x" * (MAX_DOCUMENT_BYTES + 1), "file_too_large"),
    ("a long request", "acme/a.json", b" " * (MAX_REQUEST_BYTES + 1), "file_too_large"),
    ("a stranger's lines", "stranger/a.jsonl", "{}", "unknown_tenant"),
]


@pytest.mark.parametrize(("key", "data", "code"), [each[1:] for each in REJECTED], ids=[each[0] for each in REJECTED])
def test_a_file_of_which_nothing_can_become_a_job_is_rejected_with_the_reason(
    files: Files, key: str, data: bytes | str, code: str
) -> None:
    files.world.tenant("gone", enabled=False)
    taken = files.taken(key, data)
    assert (taken.error, taken.accepted) == (code, 0)
    body = json.loads(files.outbox.objects[f"{key}.error.json"])
    assert (body["error"]["code"], body["error"]["request_id"]) == (code, taken.batch_id)
    ((kind, detail),) = files.bus.events
    assert kind == "RequestRejected"
    assert (detail["data"]["key"], detail["data"]["error"]["code"]) == (key, code)
    assert detail["metadata"]["tenant"] == ("acme" if key.startswith("acme") else None)
    assert files.world.queue.sent == []


def test_lines_are_limited_by_size_before_they_are_read(files: Files) -> None:
    event = files.inbox.put(KEY, LINES)
    event["detail"]["object"]["size"] = MOST_BYTES + 1
    taken = files.split(event)
    assert taken is not None
    assert (taken.error, files.inbox.reads) == ("file_too_large", 0)


def test_a_key_that_leaves_no_room_for_a_suffix_is_only_told_of(files: Files) -> None:
    assert files.taken(f"acme/{'x' * 1000}", "Hello").error == "key_too_long"
    assert (files.outbox.objects, files.bus.kinds) == ({}, ["RequestRejected"])


def test_nothing_of_a_document_is_told(files: Files) -> None:
    files.taken("acme/a.txt", "my secret \x00")
    files.taken("stranger/a.txt", "my secret")
    files.taken("acme/b.json", '{"input": {"text": ["my secret", 7]}}')
    written: list[Any] = [files.bus.events, [str(head) for head in files.world.queue.sent]]
    assert "my secret" not in json.dumps(written)
    assert b"my secret" not in b"".join(files.outbox.objects.values())
