"""After a run of all doors, nothing that a caller said is anywhere but where the security page says that it is kept.

Each canary is looked for in all that the stack stored, logged, queued, traced and told.
"""

import json
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ClientError
from broker.cloud.attributes import decode_item

from local.listening import Listener
from tests.e2e.files import Files
from tests.e2e.stack import Stack, put_event, until

WORD = f"kanarie{uuid.uuid4().hex}"
MAIL = f"ann.{uuid.uuid4().hex[:12]}@lamps.example"
HOOK = f"hook{uuid.uuid4().hex}"
TEXT = f"Repeat: {WORD}. Write to {MAIL}."

PAYLOADS = ("INPUT", "OUTPUT", "TURN", "CACHE", "ASKED", "SUMMARY", "REQUEST")
"""Where the jobs table has prompts, answers and metadata: the beginnings of sort keys."""


class Found(NamedTuple):
    """Where a canary was seen."""

    kind: str
    place: str


@pytest.fixture(scope="module")
def told(stack: Stack) -> list[dict[str, Any]]:
    """All doors with the canaries; gives what the bus was told meanwhile."""
    api = stack.api
    hook = {"url": f"https://127.0.0.1:1/{HOOK}", "events": ["job.succeeded"]}
    native = {"input": {"text": TEXT}, "model": "echoes", "metadata": {"note": WORD}}
    with Listener(stack.cloud, stack.outputs["BusName"]) as heard:
        stack.run(native | {"conversation_id": f"talk-{uuid.uuid4().hex[:8]}", "cache": {"ttl_seconds": 600}})
        stack.run(native | {"webhook": hook})
        assert api.call("POST", "/responses", {"model": "echoes", "input": TEXT}).status == 200
        chat = {"model": "echoes", "messages": [{"role": "user", "content": TEXT}]}
        assert api.call("POST", "/chat/completions", chat).status == 200
        assert api.call("POST", "/messages", chat | {"max_tokens": 50}).status == 200
        batch = api.call("POST", "/batches", {"requests": [native | {"custom_id": "a"}, native | {"custom_id": "b"}]})
        assert batch.status in (200, 202), batch.body
        event = put_event(stack, native)
        batch_id = batch.body["id"]
        put_event(stack, native | {"model": 5})  # it is rejected, and kept as it came
        key = Files(stack).put("canary.txt", TEXT)
        assert api.call("POST", "/jobs", native | {"priority": WORD}).status == 400
        api.call("POST", "/guardrails/check", {"input": TEXT})
        assert api.call("GET", f"/jobs/{WORD}").status == 404
        Files(stack).text(key)
        assert heard.wait("JobSucceeded", lambda detail: detail["metadata"]["correlation_id"] == event)
        assert heard.wait("RequestRejected")
        assert until(lambda: api.call("GET", f"/batches/{batch_id}").body["status"] == "completed")
        return heard.drain()


def secrets(stack: Stack) -> tuple[str, ...]:
    return WORD, MAIL, HOOK, stack.seeded.api_key, stack.seeded.other_key


def has(stack: Stack, text: str) -> bool:
    return any(each in text for each in secrets(stack))


def tables(stack: Stack) -> Iterator[Found]:
    client = stack.cloud.client("dynamodb")
    for name in ("JobsTable", "RegistryTable", "LedgerTable", "CacheTable"):
        for page in client.get_paginator("scan").paginate(TableName=stack.physical(name)):
            for item in map(decode_item, page["Items"]):
                if has(stack, repr(item)):
                    yield Found(name, str(item["sk"]))


def buckets(stack: Stack) -> Iterator[Found]:
    client = stack.cloud.client("s3")
    for name in ("PayloadsBucket", "InboxBucket", "OutboxBucket", "AuditBucket"):
        bucket = stack.physical(name)
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for each in page.get("Contents", ()):
                body = client.get_object(Bucket=bucket, Key=each["Key"])["Body"].read().decode(errors="replace")
                if has(stack, each["Key"] + body):
                    yield Found(name, each["Key"])


def queues(stack: Stack) -> Iterator[Found]:
    client = stack.cloud.client("sqs")
    for url in client.list_queues().get("QueueUrls", ()):
        for _ in range(20):
            found = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=5)
            for message in found.get("Messages", ()):
                if has(stack, json.dumps(message, default=str)):
                    yield Found("queue", url.rpartition("/")[2])
            if not found.get("Messages"):
                break


def logs(stack: Stack) -> Iterator[Found]:
    client = stack.cloud.client("logs")
    for page in client.get_paginator("describe_log_groups").paginate():
        for group in page["logGroups"]:
            name = group["logGroupName"]
            for events in client.get_paginator("filter_log_events").paginate(logGroupName=name):
                for each in events["events"]:
                    if has(stack, each["message"]):
                        yield Found("log", name)


def histories(stack: Stack) -> Iterator[Found]:
    client = stack.cloud.client("stepfunctions")
    for machine in client.list_state_machines()["stateMachines"]:
        try:
            executions = client.list_executions(stateMachineArn=machine["stateMachineArn"], maxResults=200)[
                "executions"
            ]
        except ClientError:  # of Express workflows there is no list
            continue
        for each in executions:
            history = client.get_execution_history(executionArn=each["executionArn"], maxResults=1000)["events"]
            if has(stack, json.dumps(history, default=str) + each["name"]):
                yield Found("execution", machine["name"])


def test_tables_have_payloads_in_items_of_payloads_alone(stack: Stack, told: list[dict[str, Any]]) -> None:
    for each in tables(stack):
        allowed = each.kind == "JobsTable" and each.place.startswith((*PAYLOADS, "DELIVERY#", "BATCH"))
        assert allowed, f"{each.kind}: {each.place}"


def test_buckets_have_them_where_files_are_given_and_taken(stack: Stack, told: list[dict[str, Any]]) -> None:
    found = set(buckets(stack))
    assert {each.kind for each in found} <= {"InboxBucket", "OutboxBucket", "PayloadsBucket"}
    assert any(each.kind == "InboxBucket" for each in found), "the search finds what is there"
    payloads = {each.place.split("/")[0] for each in found if each.kind == "PayloadsBucket"}
    assert payloads <= {"jobs", "conversations", "documents", "batches", "files"}


def test_queues_have_them_in_events_that_were_rejected_alone(stack: Stack, told: list[dict[str, Any]]) -> None:
    assert until(lambda: any("Rejected" in each.place for each in queues(stack)), 60), (
        "the page says that they are there"
    )
    strange = {each.place for each in queues(stack) if "RejectedQueue" not in each.place}
    assert strange == set()


def test_no_log_has_them(stack: Stack, told: list[dict[str, Any]]) -> None:
    assert set(logs(stack)) == set()


def test_no_execution_has_them(stack: Stack, told: list[dict[str, Any]]) -> None:
    assert set(histories(stack)) == set()


def test_the_bus_was_told_of_none(stack: Stack, told: list[dict[str, Any]]) -> None:
    ours = [each for each in told if each.get("source") == "inference.broker"]
    assert ours, "it was told of something"
    assert not [each["detail-type"] for each in ours if has(stack, json.dumps(each))]


def test_the_processes_of_the_cloud_say_nothing_of_them(stack: Stack, told: list[dict[str, Any]]) -> None:
    """What functions print stands in the embedded cloud's own log, too."""
    from tests.e2e.conftest import FOLDER

    for path in FOLDER.glob("*.log"):
        if path.name != "models.log":  # the models' server is a provider
            assert not has(stack, path.read_text(errors="replace")), path.name
