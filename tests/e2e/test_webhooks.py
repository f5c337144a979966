"""Webhooks: signed, repeated until they are taken, and on record."""

import json
import time
from typing import Any

import pytest
from standardwebhooks import Webhook

from local.receiver import Receiver
from tests.e2e.stack import Stack, chat, until


def _deliveries(stack: Stack, job_id: str, state: str) -> Any:
    found = stack.api.call("GET", f"/jobs/{job_id}").body["delivery"]
    return found if found and found[0]["state"] == state else None


def _hooked(receiver: Receiver, *events: str, **more: Any) -> dict[str, Any]:
    return chat(webhook={"url": receiver.url, "events": list(events) or ["job.succeeded"]}, **more)


def test_a_webhook_verifies_with_another_library(stack: Stack) -> None:
    with Receiver() as receiver:
        job = stack.run(_hooked(receiver))
        (arrived,) = receiver.wait()
    body = Webhook(stack.seeded.webhook_secret).verify(arrived.body, arrived.headers)
    assert (body["type"], body["data"]["job_id"]) == ("job.succeeded", job["id"])
    assert '"output":' not in json.dumps(body)
    (record,) = until(lambda: _deliveries(stack, job["id"], "delivered"))
    assert record["attempts"][0]["status"] == 204


def test_a_receiver_that_was_down_gets_the_same_message_later(stack: Stack) -> None:
    with Receiver(answers=[503]) as receiver:
        job = stack.run(_hooked(receiver))
        arrived = receiver.wait(2, 60)
    assert len(arrived) == 2
    assert arrived[0].headers["webhook-id"] == arrived[1].headers["webhook-id"]
    assert arrived[0].body == arrived[1].body
    Webhook(stack.seeded.webhook_secret).verify(arrived[1].body, arrived[1].headers)
    (record,) = until(lambda: _deliveries(stack, job["id"], "delivered"))
    assert [each["status"] for each in record["attempts"]] == [503, 204]


def test_a_receiver_that_nobody_hears_is_tried_again(stack: Stack) -> None:
    with Receiver() as receiver:
        body = _hooked(receiver)
    job = stack.run(body)
    (record,) = until(lambda: _deliveries(stack, job["id"], "pending"))
    attempts = until(lambda: stack.api.call("GET", f"/jobs/{job['id']}").body["delivery"][0]["attempts"])
    assert attempts[0]["status"] is None
    assert attempts[0]["error"] == "webhook_unreachable"
    assert record["next_at"]


def test_a_receiver_that_is_gone_is_not_asked_again(stack: Stack) -> None:
    with Receiver(answers=[410]) as receiver:
        job = stack.run(_hooked(receiver))
        assert until(lambda: _deliveries(stack, job["id"], "disabled"))
        time.sleep(6)  # the schedule's next attempt would come after five seconds
        assert len(receiver.received) == 1


def test_a_delivery_is_sent_again_on_request_with_its_id(stack: Stack) -> None:
    with Receiver() as receiver:
        job = stack.run(_hooked(receiver))
        receiver.wait()
        assert until(lambda: _deliveries(stack, job["id"], "delivered"))
        answer = stack.api.call("POST", f"/jobs/{job['id']}/redeliver")
        assert answer.status == 202
        first, second = receiver.wait(2)
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == answer.body["ids"][0]

    def recorded() -> bool:
        return len(stack.api.call("GET", f"/jobs/{job['id']}").body["delivery"][0]["attempts"]) == 2

    assert until(recorded)


def test_a_delivery_that_was_lost_is_sent_by_the_sweep(stack: Stack) -> None:
    with stack.disabled("DeliverFunction"):
        with Receiver() as receiver:
            job = stack.run(_hooked(receiver))
            assert until(lambda: _deliveries(stack, job["id"], "pending"))
            stack.cloud.client("sqs").purge_queue(QueueUrl=stack.physical("DeliveriesQueue"))
    with Receiver() as receiver:
        stack.readdress(job["id"], receiver.url)
        assert until(lambda: stack.sweep()["deliveries"])
        assert receiver.wait(1, 60)


@pytest.mark.parametrize(
    ("model", "event"), [("refuses", "job.blocked"), ("rejects", "job.failed"), ("answers", "job.succeeded")]
)
def test_only_the_events_asked_for_are_sent(stack: Stack, model: str, event: str) -> None:
    with Receiver() as receiver:
        job = stack.run(_hooked(receiver, event, model=model))
        (arrived,) = receiver.wait()
        other = stack.run(_hooked(receiver, "job.expired", model=model))
    told = json.loads(arrived.body)
    assert told["type"] == event == f"job.{job['status']}"
    assert told["data"]["error"] == job["error"]
    assert (job["error"] or {}).get("source") == ("provider" if event == "job.blocked" else None)
    assert other["delivery"] == []
    assert len(receiver.received) == 1
