"""Splitting: a file becomes its jobs, or it is rejected with the reason."""

import json
import re
from typing import Any

import pytest
from broker.inbox.file_work import KEEP_S, LOOK_MS
from broker.inbox.files import MAX_DOCUMENT_BYTES, MAX_LINES, MAX_LINES_BYTES, MAX_REQUEST_BYTES

from tests.fakes.inbox import Files, chat, jsonl
from tests.fakes.world import NOW
from tests.unit.splitting_case import KEY, LINES


@pytest.fixture
def files() -> Files:
    return Files()


def test_each_line_becomes_a_job_of_the_keys_tenant(files: Files) -> None:
    taken = files.taken(KEY, LINES)
    heads = files.jobs(taken.batch_id)
    assert (taken.tenant, taken.accepted, taken.refused, taken.error) == ("acme", 3, 2, None)
    assert [head.line for head in heads] == [1, 4, 6]
    assert {(head.tenant, head.door, head.principal, head.correlation_id) for head in heads} == {
        ("acme", "s3", "s3:inbox", taken.batch_id)
    }
    batch = files.batch(taken.batch_id)
    assert (batch.total, batch.done, batch.state, batch.split) == (5, 2, "open", True)
    assert (batch.expires_at, batch.due_at) == (NOW // 1000 + KEEP_S, NOW + LOOK_MS)
    assert files.collects.sent == []


def test_a_bad_line_is_kept_with_its_error(files: Files) -> None:
    taken = files.taken(KEY, LINES)
    bad = files.world.database.query("jobs", f"BATCH#{taken.batch_id}", "LINE#")
    assert [(item["sk"], item["status"], item["error"]["code"]) for item in bad] == [
        ("LINE#000003", "rejected", "invalid_json"),
        ("LINE#000005", "rejected", "unknown_model"),
    ]
    assert bad[1]["error"]["param"] == "model"
    assert all(item["expires_at"] == NOW // 1000 + KEEP_S for item in bad)


def test_a_batch_is_not_among_the_tenants_jobs(files: Files) -> None:
    taken = files.taken(KEY, LINES)
    listed, _ = files.world.jobs.of_tenant("acme", limit=100, cursor=None)
    assert sorted(head.id for head in listed) == sorted(head.id for head in files.jobs(taken.batch_id))
    assert len(files.world.database.index("tenant", "acme", limit=100).items) == 3


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


def test_lines_go_through_the_bulk_lane_unless_they_say_otherwise(files: Files) -> None:
    taken = files.taken(KEY, jsonl(chat("One."), {**chat("Two."), "priority": "interactive"}))
    other = files.taken("acme/a.json", json.dumps(chat("Three.")))
    assert [head.lane for head in files.jobs(taken.batch_id)] == ["bulk", "interactive"]
    assert [head.lane for head in files.jobs(other.batch_id)] == ["interactive"], "one alone is waited for"


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
    ("blanks", "acme/a.jsonl", b"\xef\xbb\xbf \n\n", "empty_file"),
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
    ("many lines", "acme/a.jsonl", "{}\n" * (MAX_LINES + 1), "too_many_lines"),
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
    event["detail"]["object"]["size"] = MAX_LINES_BYTES + 1
    taken = files.split(event)
    assert taken is not None
    assert (taken.error, files.inbox.reads) == ("file_too_large", 0)


def test_the_limit_itself_is_taken(files: Files) -> None:
    taken = files.taken(KEY, "\n\n".join(["7"] * MAX_LINES))
    assert (taken.refused, taken.error) == (MAX_LINES, None)
    assert files.collects.sent == [taken.batch_id], "a file of bad lines only is collected too"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b'{"input": {"text": "\xff"}}', "invalid_encoding"),
        (b'{"input": {"text": "' + b"x" * MAX_REQUEST_BYTES + b'"}}', "body_too_large"),
        (b'{"input": {"text": "\\ud800"}}', "invalid_body"),
        (b"[" * 100_000, "too_deep"),
        (b'{"task": "custom", "input": {"body": ' + b"[" * 63 + b"]" * 63 + b"}}", "too_deep"),
        (b'{"input": "Hi", "custom_id": 5}', "invalid_field"),
    ],
    ids=["encoding", "size", "half a character", "depth", "a level too deep", "a name that is a number"],
)
def test_a_bad_line_does_not_spoil_the_others(files: Files, line: bytes, code: str) -> None:
    taken = files.taken(KEY, b"\n".join([json.dumps(chat("One.")).encode(), line, json.dumps(chat("Two.")).encode()]))
    assert (taken.accepted, taken.refused) == (2, 1)
    (bad,) = files.world.database.query("jobs", f"BATCH#{taken.batch_id}", "LINE#")
    assert (bad["line"], bad["error"]["code"]) == (2, code)


def test_a_key_that_leaves_no_room_for_a_suffix_is_only_told_of(files: Files) -> None:
    assert files.taken(f"acme/{'x' * 1000}", "Hello").error == "key_too_long"
    assert (files.outbox.objects, files.bus.kinds) == ({}, ["RequestRejected"])


def test_a_separator_that_json_allows_ends_no_line(files: Files) -> None:
    body = json.dumps(chat("One.\u2028Two."), ensure_ascii=False)
    assert files.taken(KEY, jsonl(body, body)).accepted == 2


def test_nothing_of_a_document_is_told(files: Files) -> None:
    files.taken("acme/a.txt", "my secret \x00")
    files.taken("stranger/a.txt", "my secret")
    files.taken("acme/b.json", '{"input": {"text": ["my secret", 7]}}')
    written: list[Any] = [files.bus.events, [str(head) for head in files.world.queue.sent]]
    assert "my secret" not in json.dumps(written)
    assert b"my secret" not in b"".join(files.outbox.objects.values())
