"""Reads are on record or do not happen; what is done already is told, whatever becomes of its note."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from broker.audit.notes import taken
from broker.audit.record import Record, record
from broker.rest.http import Reply, Request
from handlers.answering import on_record

GIVEN = Reply(200, {"object": "job", "output": {"text": "The lamp needed nobody."}}, job_id="job_1")


@pytest.fixture(autouse=True)
def _trail(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AUDIT_QUEUE", "https://sqs/audit")
    yield
    taken()


def request(method: str) -> Request:
    return Request(method, "/jobs", {}, {}, {}, None, "acme", "ann", frozenset("*"), "r-1", "https://b")


def unsent(*kinds: str) -> list[Record]:
    return [record(kind, "r-1.0", 1) for kind in kinds]


@pytest.mark.parametrize("kind", ["payload.read", "review.read", "audit.read"])
def test_a_read_that_cannot_be_put_on_record_gives_nothing(kind: str) -> None:
    reply = on_record(request("GET"), GIVEN, lambda: unsent("key.used", kind))
    assert (reply.status, reply.body["error"]["code"]) == (503, "audit_unavailable")
    assert (reply.headers["x-should-retry"], "retry-after" in reply.headers) == ("true", True)
    assert "lamp" not in str(reply)


def test_an_answer_that_is_withheld_of_a_call_that_made_a_job_names_the_job_and_is_not_to_be_repeated() -> None:
    reply = on_record(request("POST"), GIVEN, lambda: unsent("payload.read"))
    assert (reply.status, reply.headers["x-should-retry"], reply.job_id) == (503, "false", "job_1")
    assert "job_1" in reply.body["error"]["message"]


@pytest.mark.parametrize("name", ["idempotency-key", "x-stainless-retry-count"])
def test_where_the_same_call_again_gets_the_job_that_it_made_it_may_be_repeated(name: str) -> None:
    asked = replace(request("POST"), headers={name: "0"})
    reply = on_record(asked, GIVEN, lambda: unsent("payload.read"))
    assert (reply.status, reply.headers["x-should-retry"], reply.job_id) == (503, "true", "job_1")


@pytest.mark.parametrize("kinds", [(), ("cancel.asked",), ("erase.asked", "call.denied"), ("key.used",)])
def test_what_is_done_is_told(kinds: tuple[str, ...]) -> None:
    assert on_record(request("DELETE"), GIVEN, lambda: unsent(*kinds)) is GIVEN


def test_an_error_stays_what_it_is() -> None:
    error = Reply(404, {"error": {}})
    assert on_record(request("GET"), error, lambda: unsent("payload.read")) is error


def test_without_a_trail_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIT_QUEUE", "")

    def never() -> list[Record]:
        raise AssertionError("asked")

    assert on_record(request("GET"), GIVEN, never) is GIVEN
