"""A function's request and reply are as small as Lambda's have to be, and so is the event of a batch."""

import asyncio
import json
from typing import Any

import pytest
from ministack.services import dynamodb, lambda_svc, sqs

from local.emulator.limits.figures import EVENT_REQUEST_BYTES, REQUEST_BYTES, RESPONSE_BYTES
from local.emulator.limits.invocations import in_one_event
from tests.unit.emulator.conftest import Invoke


@pytest.mark.parametrize(("letter", "width"), [("x", 1), ("é", 2), ("\U0001f600", 4)])
def test_a_reply_has_as_many_bytes_as_lambda_takes(invoke: Invoke, letter: str, width: int) -> None:
    most = (RESPONSE_BYTES - len('""')) // width
    largest = invoke({"letters": letter, "many": most})
    assert (len(largest["body"]), largest.get("error")) == (most, None)
    failed = invoke({"letters": letter, "many": most + 1})
    assert (failed["error"], failed["body"]["errorType"]) == (True, "Function.ResponseSizeTooLarge")
    assert str(RESPONSE_BYTES) in failed["body"]["errorMessage"]
    assert invoke({"replies": 1})["body"] == 1, "it serves the next"


@pytest.mark.parametrize(
    ("kind", "most"), [("RequestResponse", REQUEST_BYTES), (None, REQUEST_BYTES), ("Event", EVENT_REQUEST_BYTES)]
)
def test_a_request_has_as_many_bytes_as_lambda_takes(invoke: Invoke, kind: str | None, most: int) -> None:
    def asked(size: int) -> Any:
        headers = {"x-amz-invocation-type": kind} if kind else {}
        path = "/2015-03-31/functions/none/invocations"
        body = b'"' + b"x" * (size - 2) + b'"'
        return asyncio.run(lambda_svc.handle_request("POST", path, headers, body, {}))

    assert asked(most)[0] == 404, "there is no such function"
    status, _, body = asked(most + 1)
    assert (status, json.loads(body)["__type"]) == (413, "RequestTooLargeException")


def test_a_batch_ends_where_its_event_would_be_too_large() -> None:
    large = [{"body": "x" * 1_000_000, "number": number} for number in range(10)]
    assert in_one_event(large) == large[:6]
    assert in_one_event(large[:1] * 3) == large[:1] * 3
    assert in_one_event([{"body": "x" * 7_000_000}, *large]) == [{"body": "x" * 7_000_000}], "one at least"
    small = [{"body": "x"}] * 1000
    assert in_one_event(small) == small


def test_what_a_batch_leaves_in_the_queue_was_not_received(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    message = {"visible_at": 0, "receive_count": 0, "first_receive_at": None, "body": "x" * 1_000_000}
    queue = {"attributes": {"VisibilityTimeout": "30"}, "is_fifo": False, "messages": [dict(message) for _ in range(9)]}
    monkeypatch.setattr(sqs, "_get_q", lambda url: queue)
    monkeypatch.setattr(sqs, "_expire_retained", lambda queue: None)
    assert [len(sqs._receive_messages_for_esm("url", 10)) for _ in range(3)] == [6, 3, 0]
    assert {each["receive_count"] for each in queue["messages"]} == {1}


def test_a_streams_batch_is_cut_too(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [{"new": "x" * 400_000, "old": "x" * 400_000, "number": number} for number in range(20)]
    monkeypatch.setattr(dynamodb, "_live_stream_records", lambda *which: records)
    monkeypatch.setattr(dynamodb, "_trim_stream_records", lambda *which, **where: None)
    first = dynamodb.stream_records_since("jobs", 0, 100)
    assert [each["number"] for each in first] == list(range(7))
    assert dynamodb.stream_records_since("jobs", 7, 100)[0]["number"] == 7
