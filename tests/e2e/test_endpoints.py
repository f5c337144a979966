"""Registered endpoints on the whole stack: keys of KMS, the stream, deliveries, and receivers' own packages."""

import json
import time
from typing import Any

import openai
import pytest
from broker.cli import create_key
from broker.endpoints.telling import KEEP_MS
from standardwebhooks import Webhook
from svix.webhooks import Webhook as SvixWebhook

from local.receiver import Receiver
from tests.e2e.stack import Stack, chat, until

HEARS_AFTER_S = KEEP_MS / 1000 + 1


def client_of(stack: Stack) -> openai.OpenAI:
    return openai.OpenAI(base_url=stack.base_url, api_key=create_key(stack.database, "demo", "openai"))


def registered(stack: Stack, url: str, *events: str, **more: Any) -> Any:
    made = stack.api.call("POST", "/webhooks", {"url": url, "events": list(events) or ["job.*"], **more})
    assert made.status == 201, made.body
    return made.body


def test_the_life_of_an_endpoint(stack: Stack) -> None:
    with Receiver() as receiver:
        mine = registered(stack, receiver.url, headers={"x-shop": "7"}, payload="full", asymmetric=True)
        try:
            tested = stack.api.call("POST", f"/webhooks/{mine['id']}/test").body
            assert (tested["status"], tested["delivered"]) == (204, True)
            time.sleep(HEARS_AFTER_S)
            job = stack.run(chat())
            arrived = receiver.wait(2)[-1]
            for verifier in (Webhook(mine["secret"]), SvixWebhook(mine["secret"])):
                verifier.verify(arrived.body, arrived.headers)
            told = json.loads(arrived.body)
            assert (told["type"], told["data"]["job_id"]) == ("job.succeeded", job["id"])
            assert told["data"]["output"] == job["output"]
            assert arrived.headers["x-shop"] == "7"
            versions = [each.split(",")[0] for each in arrived.headers["webhook-signature"].split(" ")]
            assert versions == ["v1", "v1a"]
            rotated = stack.api.call("POST", f"/webhooks/{mine['id']}/rotate").body
            page = stack.api.call("GET", f"/webhooks/{mine['id']}/deliveries").body["data"]
            (delivery,) = [each for each in page if each["about"] == job["id"]]
            assert delivery["attempts"][0]["status"] == 204
            again = f"/webhooks/{mine['id']}/deliveries/{delivery['id']}/redeliver"
            assert stack.api.call("POST", again).status == 202
            last = receiver.wait(3)[-1]
            assert last.headers["webhook-id"] == arrived.headers["webhook-id"]
            for secret in (mine["secret"], rotated["secret"]):
                Webhook(secret).verify(last.body, last.headers)
            statistics = until(lambda: _statistics(stack, mine, 2))
            assert (statistics["delivered"], statistics["failed"]) == (2, 0)
            changed = stack.api.call("PATCH", f"/webhooks/{mine['id']}", {"events": ["batch.*"]})
            assert all(each.startswith("batch.") for each in changed.body["events"])
        finally:
            assert stack.api.call("DELETE", f"/webhooks/{mine['id']}").status == 204


def _statistics(stack: Stack, endpoint: Any, attempts: int) -> Any:
    found = stack.api.call("GET", f"/webhooks/{endpoint['id']}").body["statistics"]
    return found if found["attempts"] >= attempts else None


def test_openais_package_registers_an_endpoint_and_unwraps_what_it_gets(stack: Stack) -> None:
    client = client_of(stack)
    with Receiver() as receiver:
        mine = client.webhooks.create(url=receiver.url, name="here", event_types=["response.completed"])
        try:
            assert client.webhooks.test(mine.id, event_type="response.completed").status_code == 204
            time.sleep(HEARS_AFTER_S)
            made = client.responses.create(model="answers", input="Hello", background=True)
            stack.run(chat())  # no response
            arrived = receiver.wait(2)[-1]
            event = client.webhooks.unwrap(arrived.body, arrived.headers, secret=mine.signing_secret)
            assert (event.type, event.data.id) == ("response.completed", made.id)  # type: ignore[union-attr]
            assert client.responses.retrieve(made.id).status == "completed"
            assert len(receiver.received) == 2
        finally:
            client.webhooks.delete(mine.id)


def test_a_receiver_that_is_gone_disables_its_endpoint_and_what_it_missed_is_recovered(stack: Stack) -> None:
    with Receiver(answers=[410]) as receiver:
        mine = registered(stack, receiver.url, "job.succeeded")
        try:
            time.sleep(HEARS_AFTER_S)
            missed = [stack.run(chat()), stack.run(chat())]
            off = until(lambda: _off(stack, mine))
            assert off["disabled_by"] == "receiver"
            assert until(lambda: _states(stack, mine, missed) == ["disabled"] * 2)
            stack.api.call("POST", f"/webhooks/{mine['id']}/enable")
            since = {"since": off["created_at"]}
            recovered = stack.api.call("POST", f"/webhooks/{mine['id']}/recover", since)
            assert (recovered.status, recovered.body["queued"]) == (202, 2)
            assert until(lambda: _states(stack, mine, missed) == ["delivered"] * 2)
        finally:
            stack.api.call("DELETE", f"/webhooks/{mine['id']}")


def _off(stack: Stack, endpoint: Any) -> Any:
    found = stack.api.call("GET", f"/webhooks/{endpoint['id']}").body
    return None if found["enabled"] else found


def _states(stack: Stack, endpoint: Any, jobs: list[Any]) -> list[str]:
    page = stack.api.call("GET", f"/webhooks/{endpoint['id']}/deliveries").body["data"]
    ids = {job["id"] for job in jobs}
    return [each["state"] for each in page if each["about"] in ids]


@pytest.mark.parametrize("url", ["https://169.254.169.254/", "ftp://example.com/", "https://user:word@example.com/"])
def test_an_address_that_nobody_should_be_sent_to_is_refused(stack: Stack, url: str) -> None:
    reply = stack.api.call("POST", "/webhooks", {"url": url, "events": ["*"]})
    if reply.status == 201:  # the embedded cloud takes private addresses
        stack.api.call("DELETE", f"/webhooks/{reply.body['id']}")
        assert "169.254" in url
    else:
        assert (reply.status, reply.body["error"]["param"]) == (400, "url")
