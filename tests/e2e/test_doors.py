"""The doors: REST and events give the same job, checked by the same rules."""

import json
import uuid
from typing import Any

import pytest
import urllib3
from broker.cli.groups import dlq
from broker.cli.shell import Shell

from local.deployment import STACK
from local.listening import Listener
from tests.contract.published_events import check_event
from tests.e2e.stack import Stack, chat, put_event, until


def test_a_job_is_accepted_polled_and_told_in_full(stack: Stack) -> None:
    answer = stack.api.submit(chat(metadata={"order": "17"}))
    assert answer.status == 202
    url = answer.headers["location"]
    assert url == answer.body["urls"]["get"] == f"{stack.base_url}/jobs/{answer.body['id']}"
    assert answer.body["status"] == "queued"
    job = stack.api.finished(answer.body["id"])
    assert job["status"] == "succeeded"
    assert job["output"]["text"]
    assert job["model"] == "sonnet"
    assert job["usage"]["input_tokens"] > 0
    assert job["usage"]["cost_usd"] > 0
    assert job["metadata"] == {"order": "17"}
    assert stack.calls_of(job) == ["sonnet"]
    taken = [each["model"] for each in job["route"] if each["taken"]]
    assert taken[0] == "sonnet" and len(taken) < len(job["route"])
    assert all(each["why"] for each in job["route"])
    looked = urllib3.request("GET", url, headers={"authorization": f"Bearer {stack.seeded.api_key}"}, retries=False)
    assert [each["model"] for each in looked.json()["route"]] == taken, "in short, unless it is asked for"


def test_no_header_of_a_caller_says_where_a_job_is(stack: Stack) -> None:
    forged = {"x_forwarded_host": "evil.example", "forwarded": "host=evil.example", "x_forwarded_prefix": "/evil"}
    with Listener(stack.cloud, stack.outputs["BusName"]) as heard:
        answer = stack.api.submit(chat(), **forged)
        job_id = answer.body["id"]
        event = heard.wait("JobSucceeded", lambda detail: detail["data"]["job_id"] == job_id)
    assert answer.headers["location"] == f"{stack.base_url}/jobs/{job_id}"
    assert event and event["detail"]["data"]["url"] == answer.headers["location"]


def test_a_client_that_prefers_to_wait_gets_the_finished_job(stack: Stack) -> None:
    answer = stack.api.submit(chat(), prefer="wait=20")
    assert answer.status == 200
    assert answer.headers["preference-applied"] == "wait=20"
    assert answer.body["status"] == "succeeded"


def test_a_wait_that_is_too_short_gives_the_running_job(stack: Stack) -> None:
    answer = stack.api.submit(chat(model="slow"), prefer="wait=1")
    assert answer.status == 202
    assert answer.body["status"] in ("queued", "running")
    assert stack.api.finished(answer.body["id"])["status"] == "succeeded"


def test_embeddings_come_in_the_order_of_the_texts(stack: Stack) -> None:
    job = stack.run({"task": "embed", "input": {"text": ["one", "two"]}, "model": "answers"})
    other = stack.run({"task": "embed", "input": {"text": ["two"]}, "model": "answers"})
    assert len(job["output"]["embeddings"]) == 2
    assert job["output"]["embeddings"][1] == other["output"]["embeddings"][0]


STATUS = ("", "?status=blocked")


def test_the_list_is_newest_first_by_status_and_by_page(stack: Stack) -> None:
    api = stack.as_tenant("other")
    earlier = {status: [each["id"] for each in api.call("GET", f"/jobs{status}").body["data"]] for status in STATUS}
    ids = [stack.run(chat(f"Summarize: {number}."), api)["id"] for number in range(3)]
    blocked = stack.run(chat("4111 1111 1111 1111"), api)["id"]
    assert [each["id"] for each in api.call("GET", "/jobs").body["data"]] == [blocked, *reversed(ids), *earlier[""]]
    found = [each["id"] for each in api.call("GET", "/jobs?status=blocked").body["data"]]
    assert found == [blocked, *earlier["?status=blocked"]]
    first = api.call("GET", "/jobs?limit=2").body
    second = api.call("GET", f"/jobs?limit=2&cursor={first['next_cursor']}").body
    assert [each["id"] for each in first["data"] + second["data"]] == [blocked, *reversed(ids)]


def test_the_timeline_tells_what_happened(stack: Stack) -> None:
    job = stack.run(chat(model="fails", routing={"fallbacks": ["answers"]}))
    events = stack.api.call("GET", f"/jobs/{job['id']}/events").body["data"]
    assert [each["event"] for each in events] == [
        "job.accepted",
        "job.started",
        "attempt.ended",
        "attempt.ended",
        "attempt.ended",
        "job.succeeded",
    ]
    assert [each["at"] for each in events] == sorted(each["at"] for each in events)


def test_an_erased_job_keeps_its_record_and_loses_its_texts(stack: Stack) -> None:
    job = stack.run(chat(metadata={"secret": "name"}))
    assert stack.api.call("DELETE", f"/jobs/{job['id']}").status == 204
    erased = stack.api.call("GET", f"/jobs/{job['id']}").body
    assert (erased["output"], erased["metadata"], erased["erased"]) == (None, {}, True)
    assert (erased["status"], erased["usage"]) == ("succeeded", job["usage"])
    assert stack.api.call("DELETE", f"/jobs/{job['id']}").status == 204


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": {"messages": [{"role": "nobody", "content": "?"}]}}, "input.messages.0.role"),
        ({"input": {"text": "?"}, "parameters": {"temperature": 9}}, "parameters.temperature"),
        ({"input": {"text": "?"}, "model": "no-such"}, "model"),
        ({"input": {"text": "?"}, "routing": {"fallbacks": ["no-such"]}}, "routing.fallbacks.0"),
        ({"input": {"text": "?"}, "temprature": 1}, "temprature"),
        ({"prompt": {"id": "summarize", "variables": {}}}, "prompt.variables.document"),
        ({"input": {"text": "?"}, "webhook": {"url": "ftp://receiver.example"}}, "webhook.url"),
    ],
)
def test_a_bad_body_gets_an_error_that_names_the_field(stack: Stack, body: dict[str, Any], param: str | None) -> None:
    answer = stack.api.submit(body)
    assert answer.status == 400
    assert answer.body["error"]["param"] == param
    assert answer.body["error"]["request_id"]


def test_what_is_not_json_is_said_so(stack: Stack) -> None:
    answer = stack.api.call("POST", "/jobs", b"{")
    assert (answer.status, answer.body["error"]["code"]) == (400, "invalid_json")


def test_an_event_becomes_a_job_of_its_sources_tenant(stack: Stack) -> None:
    with Listener(stack.cloud, stack.outputs["BusName"]) as heard:
        sent = put_event(stack, chat())
        event = heard.wait("JobSucceeded", lambda detail: detail["metadata"]["correlation_id"] == sent)
        assert event is not None
        job = stack.api.call("GET", f"/jobs/{event['detail']['data']['job_id']}").body
        mine = [each for each in heard.drain() if each["detail"]["metadata"]["correlation_id"] == sent]
    for each in mine:
        check_event(each)
    assert job["status"] == "succeeded"
    assert {each["detail-type"] for each in mine} == {"JobAccepted", "JobStarted", "JobSucceeded"}
    assert '"output":' not in json.dumps(event["detail"])


@pytest.mark.parametrize(
    ("detail", "source", "reason"),
    [
        ({"input": {"text": 7}}, "tests.orders", "input.text"),
        (chat(tenant="other"), "tests.orders", "tenant"),
        (chat(), "tests.strangers", "unknown_source"),
    ],
)
def test_an_event_that_is_not_valid_is_rejected_with_the_reason(
    stack: Stack, detail: dict[str, Any], source: str, reason: str
) -> None:
    sqs = stack.cloud.client("sqs")
    with Listener(stack.cloud, stack.outputs["BusName"]) as heard:
        sent = put_event(stack, detail, source)
        event = heard.wait("RequestRejected", lambda detail: detail["metadata"]["correlation_id"] == sent)
    assert event is not None
    assert reason in json.dumps(event["detail"]["data"]["error"])
    check_event(event)

    def dead() -> dict[str, Any] | None:
        reply = sqs.receive_message(
            QueueUrl=stack.outputs["RejectedQueueUrl"], MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        return next((each for each in reply.get("Messages", []) if json.loads(each["Body"])["id"] == sent), None)

    kept = until(dead)
    assert kept, "the event is in no dead letter"
    assert reason in kept["MessageAttributes"]["reason"]["StringValue"]


def test_a_rejected_event_becomes_a_job_by_redriving_once_its_source_is_registered(stack: Stack) -> None:
    source = f"tests.later-{uuid.uuid4().hex[:8]}"
    with Listener(stack.cloud, stack.outputs["BusName"]) as heard:
        sent = put_event(stack, chat(), source)
        assert heard.wait("RequestRejected", lambda detail: detail["metadata"]["correlation_id"] == sent)
        stack.register({"sources": [{"account": "000000000000", "source": source, "tenant": "demo"}]})
        shell = Shell({}, STACK)
        shell.__dict__["session"] = stack.cloud  # which makes clients, as a session does
        said = str(dlq.redrive(shell, "rejected").plain)
        assert "of RejectedQueue sent again" in said
        assert heard.wait("JobSucceeded", lambda detail: detail["metadata"]["correlation_id"] == sent), said


def test_an_event_that_comes_twice_is_one_job(stack: Stack) -> None:
    sqs = stack.cloud.client("sqs")
    event_id = str(uuid.uuid4())
    body = {"id": event_id, "account": "000000000000", "source": "tests.orders", "detail": chat()}
    with Listener(stack.cloud, stack.outputs["BusName"]) as heard:
        for _ in range(3):
            sqs.send_message(QueueUrl=stack.physical("IntakeQueue"), MessageBody=json.dumps(body))
        event = heard.wait("JobSucceeded", lambda detail: detail["metadata"]["correlation_id"] == event_id)
        assert event is not None
        jobs = {
            each["detail"]["data"]["job_id"]
            for each in heard.drain()
            if each["detail"]["metadata"]["correlation_id"] == event_id
        }
    assert len(jobs) == 1
