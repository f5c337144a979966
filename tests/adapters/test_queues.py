"""The SQS adapters: what is in a message, which lane and group it takes, and how the dead are read."""

import json
from typing import Any

import pytest
from broker.cloud.queues import MOST_BYTES, DeliveryQueue, Ends, JobDeadLetters, JobQueue, RejectedEvents
from broker.jobs.head import Head

from tests.adapters.conftest import Client
from tests.fakes.world import JOB_ID, a_head


@pytest.fixture
def sqs(client: Client) -> Any:
    return client("sqs")


def make(sqs: Any, name: str) -> str:
    return str(sqs.create_queue(QueueName=name)["QueueUrl"])


def read(sqs: Any, url: str) -> list[dict[str, Any]]:
    reply = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"]
    )
    return list(reply.get("Messages", []))


@pytest.mark.parametrize("lane", ["interactive", "bulk"])
def test_a_job_goes_to_its_lane_in_its_tenants_group(sqs: Any, lane: str) -> None:
    urls = {each: make(sqs, each) for each in ("interactive", "bulk")}
    head = a_head(lane=lane, holds={"acme/2026-11": 5}, webhook=("job.failed",))
    JobQueue(sqs, urls).send(head)
    (other,) = set(urls) - {lane}
    assert read(sqs, urls[other]) == []
    (message,) = read(sqs, urls[lane])
    told = json.loads(message["Body"])
    assert (told["job_id"], Head.from_item(told["head"])) == (JOB_ID, head)
    assert message["Attributes"]["MessageGroupId"] == "acme"


def test_what_is_left_in_a_lane_is_seen_later_in_its_tenants_group(sqs: Any) -> None:
    urls = {each: make(sqs, each) for each in ("interactive", "bulk")}
    some = [({"job_id": f"job_{number}", "left": 1}, f"t-{number}", 0) for number in range(9)]
    assert JobQueue(sqs, urls).send_later("bulk", [*some, ({"job_id": "later"}, "acme", 20)]) == []
    assert read(sqs, urls["interactive"]) == []
    found = {json.loads(each["Body"])["job_id"]: each for each in read(sqs, urls["bulk"])}
    assert found.keys() == {f"job_{number}" for number in range(9)}
    message = found["job_3"]
    assert message["Attributes"]["MessageGroupId"] == "t-3"
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    counts = sqs.get_queue_attributes(QueueUrl=urls["bulk"], AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessagesDelayed"] == "1"


def test_what_a_lane_did_not_take_is_told() -> None:
    class Queue:
        def send_message_batch(self, **request: Any) -> dict[str, Any]:
            return {"Successful": [{"Id": "0"}], "Failed": [{"Id": "1", "SenderFault": False, "Code": "InternalError"}]}

    assert JobQueue(Queue(), {"bulk": "url"}).send_later("bulk", [({}, "a", 1), ({}, "b", 1)]) == [1]


def test_a_delivery_names_its_note(sqs: Any) -> None:
    url = make(sqs, "deliveries")
    DeliveryQueue(sqs, url).send(JOB_ID, "acme", "DELIVERY#job.failed")
    (message,) = read(sqs, url)
    assert json.loads(message["Body"]) == {"owner": JOB_ID, "name": "DELIVERY#job.failed"}
    assert message["Attributes"]["MessageGroupId"] == "acme"


def test_a_delivery_may_be_delayed(sqs: Any) -> None:
    url = make(sqs, "deliveries")
    DeliveryQueue(sqs, url).send(JOB_ID, "acme", "DELIVERY#job.failed", 900)
    assert read(sqs, url) == []
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessagesDelayed"] == "1"


def test_a_rejected_event_is_kept_as_it_came_with_the_reason(sqs: Any) -> None:
    url = make(sqs, "rejected")
    RejectedEvents(sqs, url).send("{not json", "invalid_json: é")
    (message,) = read(sqs, url)
    assert message["Body"] == "{not json"
    assert message["MessageAttributes"]["reason"]["StringValue"] == "invalid_json: é"


@pytest.mark.parametrize(("over", "reasons"), [(0, {"reason"}), (1, set())])
def test_a_rejected_event_that_fills_a_message_is_kept_without_the_reason(over: int, reasons: set[str]) -> None:
    sent: list[dict[str, Any]] = []

    class Queue:
        def send_message(self, **message: Any) -> None:
            sent.append(message)

    body = "x" * (MOST_BYTES - len("reasonString") - len("é".encode()) + over)
    RejectedEvents(Queue(), "url").send(body, "é")
    assert (sent[0]["MessageBody"], set(sent[0]["MessageAttributes"])) == (body, reasons)


def test_dead_letters_of_all_lanes_are_read_and_deleted_on_demand(sqs: Any) -> None:
    lanes = {each: make(sqs, each) for each in ("interactive", "bulk")}
    queue = JobQueue(sqs, lanes)
    for number in range(23):
        queue.send(a_head(id=f"job_{number:02}", lane="interactive" if number % 2 else "bulk"))
    taken = dict(JobDeadLetters(sqs, list(lanes.values())).take())
    assert sorted(taken) == [f"job_{number:02}" for number in range(23)]
    kept = taken.pop("job_07")
    for delete in taken.values():
        delete()
    for url in lanes.values():
        counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        left = int(counts["ApproximateNumberOfMessages"]) + int(counts["ApproximateNumberOfMessagesNotVisible"])
        assert left == (1 if url == lanes["interactive"] else 0)
    kept()


def test_no_dead_letters(sqs: Any) -> None:
    assert list(JobDeadLetters(sqs, [make(sqs, "dead")]).take()) == []


def test_the_ends_that_have_messages_are_counted_and_left_as_they_are(sqs: Any) -> None:
    urls = [make(sqs, name) for name in ("files", "rejected", "rules")]
    for body in ("1", "2"):
        sqs.send_message(QueueUrl=urls[1], MessageBody=body)
    ends = Ends(sqs, urls)
    assert ends.messages() == ends.messages() == {"rejected": 2}
    assert len(read(sqs, urls[1])) == 2, "whoever mends the cause needs them"
