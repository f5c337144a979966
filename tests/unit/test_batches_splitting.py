"""Splitting: a file becomes its jobs, once, whatever crashes or comes again; or it is rejected with the reason."""

import json
import re
from typing import Any

import pytest
from broker.batches.batch import KEEP_S, LOOK_MS
from broker.batches.files import MAX_DOCUMENT_BYTES, MAX_LINES, MAX_LINES_BYTES, MAX_REQUEST_BYTES
from broker.batches.tries import Pass
from broker.bounds import Overrun
from broker.errors import KeyInFlight, Unavailable
from broker.jobs.head import Status
from broker.registry.applying import apply
from broker.registry.document import parse_registry

from tests.fakes.batches import Files, chat, jsonl
from tests.fakes.database import Crash
from tests.fakes.files import FakeInbox
from tests.fakes.texts import long_text
from tests.fakes.world import HOUR, MINUTE, NOW, a_model

LINES = jsonl(chat("One."), "", "{not json", chat("Two."), {**chat("Three."), "model": "none"}, chat("Four.")) + "\r\n"
KEY = "acme/orders/today.jsonl"


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
    ("another encoding", "acme/a.txt", "Grüße".encode("latin-1"), "invalid_encoding"),
    ("UTF-16", "acme/a.json", json.dumps(chat("x")).encode("utf-16"), "invalid_encoding"),
    ("no JSON", "acme/a.json", "{", "invalid_json"),
    ("too deep", "acme/a.json", "[" * 100_000, "too_deep"),
    ("deeper than is taken", "acme/a.json", '{"input": ' + "[" * 64 + "]" * 64 + "}", "too_deep"),
    ("a PDF", "acme/a.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "unsupported_file"),
    ("a picture", "acme/a", b"\x89PNG\r\n\x1a\n", "unsupported_file"),
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


def test_a_file_that_is_no_text_is_told_where_to_go(files: Files) -> None:
    files.taken("acme/scan.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3")
    message = json.loads(files.outbox.objects["acme/scan.pdf.error.json"])["error"]["message"]
    assert "a PDF" in message
    assert "{tenant}/media/" in message
    assert "extract_text" in message


def test_a_key_that_leaves_no_room_for_a_suffix_is_only_told_of(files: Files) -> None:
    assert files.taken(f"acme/{'x' * 1000}", "Hello").error == "key_too_long"
    assert (files.outbox.objects, files.bus.kinds) == ({}, ["RequestRejected"])


def test_a_separator_that_json_allows_ends_no_line(files: Files) -> None:
    body = json.dumps(chat("One.\u2028Two."), ensure_ascii=False)
    assert files.taken(KEY, jsonl(body, body)).accepted == 2


def test_the_same_version_twice_makes_the_same_jobs(files: Files) -> None:
    event = files.inbox.put(KEY, LINES)
    first, again = files.split(event), files.split(event, NOW + 48 * HOUR)
    assert first is not None
    assert again is not None
    assert (again.batch_id, again.accepted, again.refused) == (first.batch_id, 0, 0)
    assert len(files.world.queue.sent) == 3
    assert files.inbox.reads == 1


@pytest.mark.parametrize(("versioned", "data", "jobs"), [(True, LINES, 6), (False, LINES, 3), (False, LINES + " ", 6)])
def test_another_version_is_another_file(versioned: bool, data: str, jobs: int) -> None:
    files = Files(inbox=FakeInbox(versioned))
    files.taken(KEY, LINES)
    files.taken(KEY, data)
    assert len(files.world.queue.sent) == jobs


def lines_of_jobs(files: Files, batch_id: str) -> list[int | None]:
    return [head.line for head in files.jobs(batch_id)]


@pytest.mark.parametrize("key", [KEY, "acme/a.txt"])
@pytest.mark.parametrize("crash_in", range(40))
def test_a_crash_anywhere_is_repaired_when_the_message_comes_again(files: Files, key: str, crash_in: int) -> None:
    event = files.inbox.put(key, LINES)
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
    assert lines_of_jobs(files, taken.batch_id) == ([1, 4, 6] if key == KEY else [1])
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


def test_a_line_that_ended_before_the_repeat_is_not_accepted_again(files: Files) -> None:
    event = files.inbox.put(KEY, LINES)
    files.world.database.crash_in = 8
    with pytest.raises(Crash):
        files.split(event)
    files.world.database.crash_in = None
    batch_id = files.world.database.stream[0][1]["batch"]
    files.finish(batch_id)
    begun = lines_of_jobs(files, batch_id)
    files.split(event, NOW + 48 * HOUR)  # their idempotency keys are forgotten by now
    assert (begun, lines_of_jobs(files, batch_id)) == ([1, 4], [1, 4, 6])


def test_two_at_once_make_one_batch(files: Files) -> None:
    event = files.inbox.put(KEY, LINES)
    files.world.database.meanwhile += [lambda: files.split(event)]
    again = files.split(event)
    assert again is not None
    assert (again.accepted, lines_of_jobs(files, again.batch_id)) == (0, [1, 4, 6])
    assert files.batch(again.batch_id).done == 2


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
    event = files.inbox.put(KEY, LINES)
    files.inbox.delete(KEY)
    taken = files.split(event)
    assert taken is not None
    assert taken.error == "file_gone"


def test_a_file_may_be_deleted_once_it_was_split(files: Files) -> None:
    event = files.inbox.put(KEY, LINES)
    first = files.split(event)
    files.inbox.delete(KEY)
    files.split(event)
    assert first is not None
    files.finish(first.batch_id)
    assert files.collects.sent == [first.batch_id]
    assert {head.status for head in files.jobs(first.batch_id)} == {Status.SUCCEEDED}


def test_a_tenant_that_was_disabled_since_keeps_its_results(files: Files) -> None:
    event = files.inbox.put(KEY, LINES)
    files.split(event)
    files.world.tenant("acme", enabled=False)
    files.split(event)
    assert (files.outbox.objects, files.bus.events) == ({}, [])


def test_nothing_of_a_document_is_told(files: Files) -> None:
    files.taken("acme/a.txt", "my secret \x00")
    files.taken("stranger/a.txt", "my secret")
    files.taken("acme/b.json", '{"input": {"text": ["my secret", 7]}}')
    written: list[Any] = [files.bus.events, [str(head) for head in files.world.queue.sent]]
    assert "my secret" not in json.dumps(written)
    assert b"my secret" not in b"".join(files.outbox.objects.values())


def poisoned(files: Files) -> dict[str, Any]:
    """A line that hangs while its webhook's address is looked at. Lines have less time now."""
    files.line_s = 0.3

    def hangs(url: str) -> None:
        while "never" in url:
            pass

    files.world.check_webhook = hangs
    return {**chat("Poison."), "webhook": {"url": "https://never.example/"}}


def ends(files: Files, batch_id: str) -> dict[int, str]:
    """How each line that has ended did, by number: a status, or the code of its error."""
    lines = files.world.database.query("jobs", f"BATCH#{batch_id}", "LINE#")
    return {item["line"]: item["error"]["code"] if "error" in item else item["status"] for item in lines}


def test_a_line_that_fails_as_nobody_foresaw_is_rejected_and_the_others_are_done(files: Files) -> None:
    poison = {**chat("Poison."), "webhook": {"url": "https://hooks.example/poison"}}

    def fails(url: str) -> None:
        raise ZeroDivisionError

    files.world.check_webhook = fails
    taken = files.taken(KEY, jsonl(chat("One."), poison, chat("Three.")))
    assert lines_of_jobs(files, taken.batch_id) == [1, 3], "nobody waits for it"
    assert (taken.accepted, taken.error, ends(files, taken.batch_id)) == (2, None, {})
    waited_s = files.go_on()
    assert 60 <= waited_s <= 900, "a pause for what passes by itself, and minutes in all"
    assert ends(files, taken.batch_id) == {2: "line_failed"}
    assert files.failed == [(2, "ZeroDivisionError")] * 4
    files.finish(taken.batch_id)
    files.collect(taken.batch_id)
    assert [row["line"] for row in files.rows(f"{KEY}.results.jsonl")] == [1, 2, 3]


def test_a_line_that_hangs_is_rejected_and_a_file_of_another_tenant_goes_on(files: Files) -> None:
    files.world.tenant("careful")
    careless = files.taken(KEY, jsonl(chat("One."), poisoned(files), chat("Three.")))
    careful = files.taken("careful/a.jsonl", jsonl(chat("One."), chat("Two.")))
    assert lines_of_jobs(files, careless.batch_id) == [1, 3]
    assert (careful.accepted, files.batch(careful.batch_id).split) == (2, True)
    files.go_on()
    assert ends(files, careless.batch_id) == {2: "line_failed"}
    assert {error for _, error in files.failed} == {"Overrun"}


def test_a_line_that_failed_and_works_again_is_a_job(files: Files) -> None:
    down = iter([True])

    def fails_once(url: str) -> None:
        if next(down, False):
            raise ZeroDivisionError

    files.world.check_webhook = fails_once
    hooked = {**chat("One."), "webhook": {"url": "https://hooks.example/"}}
    taken = files.taken(KEY, jsonl(hooked, chat("Two.")))
    files.go_on()
    assert (lines_of_jobs(files, taken.batch_id), ends(files, taken.batch_id)) == ([1, 2], {})
    assert files.batch(taken.batch_id).split


def test_a_file_that_is_one_request_which_fails_is_rejected_as_a_whole(files: Files) -> None:
    def fails(url: str) -> None:
        raise ZeroDivisionError

    files.world.check_webhook = fails
    hooked = {**chat("One."), "webhook": {"url": "https://hooks.example/"}}
    taken = files.taken("acme/a.json", json.dumps(hooked))
    files.go_on()
    error = json.loads(files.outbox.objects["acme/a.json.error.json"])
    assert (error["error"]["code"], files.batch(taken.batch_id).state) == ("line_failed", "rejected")
    assert files.bus.kinds == ["RequestRejected"]


def test_a_file_goes_on_in_another_message_when_the_time_is_over(files: Files) -> None:
    left = iter([True] * 4)
    event = files.inbox.put(KEY, jsonl(*(chat(f"Number {number}.") for number in range(10))))
    taken = files.split(event, time_left=lambda: next(left, False))
    assert taken is not None
    assert (taken.accepted, files.batch(taken.batch_id).split) == (4, False)
    assert files.go_on() == 0, "at once"
    assert lines_of_jobs(files, taken.batch_id) == list(range(1, 11))
    assert files.batch(taken.batch_id).split


def test_what_failed_before_the_time_was_over_is_tried_again(files: Files) -> None:
    left = iter([True] * 2)
    event = files.inbox.put(KEY, jsonl(poisoned(files), *(chat(f"Number {number}.") for number in range(3))))
    taken = files.split(event, time_left=lambda: next(left, False))
    assert taken is not None
    files.go_on()
    assert lines_of_jobs(files, taken.batch_id) == [2, 3, 4]
    assert ends(files, taken.batch_id) == {1: "line_failed"}


def test_lines_that_hang_are_given_ever_less_time(files: Files) -> None:
    event = {"detail": {}}
    way, spent = Pass.of(event), 0.0
    for line in range(MAX_LINES):
        spent += way.patience_s
        way.fail(line, Overrun())
        if line % 100 == 0:
            way = Pass.of(json.loads(json.dumps(way.cut([]))))
    assert spent < 1_200, "a file of nothing but lines that hang ends all the same, in minutes"
    assert len(way.failed) == MAX_LINES


def test_a_line_that_goes_well_restores_the_time_of_the_next() -> None:
    way = Pass.of({"detail": {}})
    first = way.patience_s
    way.fail(1, Overrun())
    way.fail(2, ValueError())
    assert way.patience_s == first / 2
    way.succeed()
    assert way.patience_s == first


def test_who_stands_behind_lines_that_hang_comes_first_in_the_next_pass(files: Files) -> None:
    taken = files.taken(KEY, jsonl(poisoned(files), poisoned(files)))
    ((event, _),) = files.collects.later
    files.split(event, NOW + MINUTE)
    assert [line for line, _ in files.failed] == [1, 2, 2, 1]
    assert not files.batch(taken.batch_id).split


def test_a_running_line_is_not_accepted_again_when_its_key_is_forgotten(files: Files) -> None:
    week = [
        {**chat(text), "deadline_seconds": 604_800, "ttl_seconds": 1_209_600} for text in ("One.", "Two.", "Three.")
    ]
    event = files.inbox.put(KEY, jsonl(*week))
    files.world.database.crash_in = 6
    with pytest.raises(Crash):
        files.split(event)
    files.world.database.crash_in = None
    before = {head.line: head.id for head in files.jobs(files.world.database.stream[0][1]["batch"])}
    taken = files.split(event, NOW + 48 * HOUR)
    assert taken is not None
    after = files.jobs(taken.batch_id)
    assert 0 < len(before) < 3, "it crashed in the middle"
    assert sorted(head.line or 0 for head in after) == [1, 2, 3], "each once"
    assert before.items() <= {head.line: head.id for head in after}.items()
    assert taken.accepted == 3 - len(before)
