"""What queues and buses refuse, and how often a message comes."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from ministack.services import eventbridge, sqs

from local.emulator.limits.figures import ENTRIES_BYTES, MESSAGE_BYTES
from local.emulator.limits.messages import size


def put(*details: str) -> tuple[int, dict[str, Any]]:
    entries = [{"Source": "tests", "DetailType": "T", "Detail": detail} for detail in details]
    status, _, body = eventbridge._put_events({"Entries": entries})
    return status, json.loads(body)


def text(most: int) -> str:
    """JSON of so many bytes."""
    return json.dumps("x" * (most - 2))


def test_an_entrys_size_is_that_of_its_texts() -> None:
    entry = {"Source": "é", "DetailType": "type", "Detail": "{}", "EventBusName": "not counted"}
    assert size(entry) == 8
    assert size(entry | {"Time": 1, "Resources": ["a", "bc"]}) == 8 + 14 + 3


def test_the_entries_of_a_request_count_together(patched: None) -> None:
    half = (ENTRIES_BYTES - 2 * len("testsT")) // 2
    assert put(text(half), text(half - 1))[1]["FailedEntryCount"] == 0
    status, refused = put(text(half), text(half))
    assert (status, refused["__type"]) == (400, "ValidationException")
    assert "Total size of the entries" in refused["message"]


def test_an_event_that_is_larger_than_a_message_is_handed_to_no_queue(queue: str) -> None:
    arn = eventbridge.parse_arn("arn:aws:sqs:us-east-1:000000000000:limits")
    eventbridge._dispatch_to_sqs(arn, "x" * (MESSAGE_BYTES + 1))
    assert receive(queue) == []
    eventbridge._dispatch_to_sqs(arn, "x" * MESSAGE_BYTES)
    assert len(receive(queue)) == 1


@pytest.fixture
def queue(patched: None) -> Iterator[str]:
    dead = sqs._act_create_queue({"QueueName": "dead"}, "")["QueueUrl"]
    policy = {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead", "maxReceiveCount": "2"}
    attributes = {"VisibilityTimeout": "600", "RedrivePolicy": json.dumps(policy)}
    url = sqs._act_create_queue({"QueueName": "limits", "Attributes": attributes}, "")["QueueUrl"]
    yield url
    for each in (dead, url):
        sqs._act_delete_queue({"QueueUrl": each}, "")


def receive(url: str) -> list[dict[str, Any]]:
    asked = {"QueueUrl": url, "AttributeNames": ["ApproximateReceiveCount"], "WaitTimeSeconds": 0}
    found: list[dict[str, Any]] = asyncio.run(sqs._act_receive_message(asked, "")).get("Messages", [])
    return found


def test_a_message_is_hidden_and_counts_how_often_it_came(queue: str) -> None:
    sqs._act_send_message({"QueueUrl": queue, "MessageBody": "m"}, "")
    for count in ("1", "2"):
        (message,) = receive(queue)
        assert message["Attributes"]["ApproximateReceiveCount"] == count
        assert receive(queue) == [], "nobody else sees it meanwhile"
        shown = {"QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0}
        sqs._act_change_visibility(shown, "")
    assert receive(queue) == []
    (dead,) = receive(queue.replace("limits", "dead"))
    assert dead["Body"] == "m"


def test_a_message_is_of_a_mebibyte(queue: str) -> None:
    sqs._act_send_message({"QueueUrl": queue, "MessageBody": "x" * 1_048_576}, "")
    with pytest.raises(sqs._Err, match="1048576"):
        sqs._act_send_message({"QueueUrl": queue, "MessageBody": "x" * 1_048_577}, "")
    reason = {"why": {"DataType": "String", "StringValue": "é"}}
    asked = {"QueueUrl": queue, "MessageAttributes": reason}
    sqs._act_send_message(asked | {"MessageBody": "x" * (1_048_576 - len("whyString") - 2)}, "")
    with pytest.raises(sqs._Err, match="1048576"):
        sqs._act_send_message(asked | {"MessageBody": "x" * (1_048_576 - len("whyString") - 1)}, "")
    entries = [{"Id": str(number), "MessageBody": "x" * 524_289} for number in range(2)]
    with pytest.raises(sqs._Err, match="1048576"):
        sqs._act_send_message_batch({"QueueUrl": queue, "Entries": entries}, "")
