"""Redaction on the deployed stack: what the provider got, who gets the values back, and what is kept where."""

import json
import uuid
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from broker.cli import put_secret
from broker.cloud.attributes import decode_item
from broker.cloud.packing import unpack

from local.client import Client
from tests.e2e.conftest import FOLDER
from tests.e2e.stack import Stack
from tests.unit.dialects.openai import OpenAIDialect
from tests.unit.provider_server import ProviderServer, Script

TOKEN = "ghp_" + "1B4hJ" * 7 + "2"
CARD = "4539 1488 0343 6467"
READS, FILLED = ("jobs:read", "jobs:write"), ("jobs:read", "jobs:write", "pii:read")


@pytest.fixture
def plain(stack: Stack) -> Client:
    put_secret(stack.cloud, stack.outputs, "redaction/discreet", "k" * 32)
    return stack.as_tenant("discreet", scopes=READS)


@pytest.fixture
def trusted(stack: Stack, plain: Client) -> Client:
    return stack.as_tenant("discreet", scopes=FILLED)


def mail() -> str:
    """An address that nothing else on this machine has."""
    return f"ann.{uuid.uuid4().hex[:12]}@lamps.example"


def ask(text: str, **more: Any) -> dict[str, Any]:
    return {"input": {"text": text}, "model": "discreet", **more}


def test_what_goes_out_has_placeholders_and_what_comes_back_is_filled_in_by_scope(
    stack: Stack, plain: Client, trusted: Client, shaky: ProviderServer
) -> None:
    ann, bob = mail(), mail()
    shaky.answer(Script(OpenAIDialect().says(f"<EMAIL_1> has <GITHUB_TOKEN_1>, and {bob} has none.")))
    job = stack.run(ask(f"{ann} has {TOKEN} and pays by {CARD}."), plain)
    assert job["status"] == "succeeded", job["error"]
    (asked,) = shaky.asked
    sent = json.dumps(asked.body)
    assert "<EMAIL_1> has <GITHUB_TOKEN_1> and pays by <VISA:" in sent
    assert not any(value in sent for value in (ann, TOKEN, CARD))
    assert job["output"]["text"] == "<EMAIL_1> has <GITHUB_TOKEN_1>, and <EMAIL_2> has none."
    shown = trusted.call("GET", f"/jobs/{job['id']}?wait=1").body
    assert shown["output"]["text"] == f"{ann} has {TOKEN}, and {bob} has none."
    assert {(each["stage"], each["action"]) for each in job["guardrails"]} == {
        *{("input", "redact"), ("input", "hash"), ("output", "redact")}
    }


def test_a_hash_without_a_key_blocks(stack: Stack) -> None:
    job = stack.run(ask(f"I pay by {CARD}."), stack.as_tenant("keyless"))
    assert (job["status"], job["error"]["code"]) == ("blocked", "blocked_input")


def test_a_conversation_keeps_its_placeholders(
    stack: Stack, plain: Client, trusted: Client, shaky: ProviderServer
) -> None:
    ann, bob, name = mail(), mail(), f"talk-{uuid.uuid4().hex[:8]}"
    for text in (f"I am {ann}.", f"This is {bob}.", f"Who met {ann} and {bob}?"):
        shaky.answer(Script(OpenAIDialect().says("<EMAIL_1> did.")))
        job = stack.run(ask(text, conversation_id=name), plain)
        assert job["status"] == "succeeded", job["error"]
    sent = json.dumps(shaky.asked[0].body)
    assert all(part in sent for part in ("I am <EMAIL_1>.", "This is <EMAIL_2>.", "Who met <EMAIL_1> and <EMAIL_2>?"))
    assert not any(value in sent for value in (ann, bob))
    assert trusted.call("GET", f"/jobs/{job['id']}").body["output"]["text"] == f"{ann} did."
    said = [
        client.call("GET", f"/conversations/{name}/turns").body["data"][0]["messages"][0]["content"]
        for client in (plain, trusted)
    ]
    assert said == ["Who met <EMAIL_1> and <EMAIL_2>?", f"Who met {ann} and {bob}?"]


def test_a_conversations_summary_has_placeholders_and_its_answers_are_filled_in(
    stack: Stack, plain: Client, shaky: ProviderServer
) -> None:
    reading, filled = (stack.as_tenant("retelling", scopes=scopes) for scopes in (READS, FILLED))
    ann, name = mail(), f"talk-{uuid.uuid4().hex[:8]}"
    body = {"model": "narrow", "conversation_id": name, "context": {"strategy": "summarize"}}
    shaky.answer(Script(OpenAIDialect().says("<EMAIL_1> kept the lamp.")))
    made: dict[str, Any] = {}
    for number in range(12):
        first_call = len(shaky.asked)
        text = f"{ann} wrote page {number}:{' The keeper wrote down what the lamp had done in the night.' * 40}"
        job = stack.run(body | {"input": {"text": text}}, reading)
        assert job["status"] == "succeeded", job["error"]
        made.setdefault((job["context"] or {}).get("summary"), job | {"first_call": first_call})
        if "kept" in made:
            break
    assert made.keys() >= {"made", "kept"}
    assert [each["operation"] for each in made["made"]["attempts"]] == ["summarize", "answer"]
    sent = [json.dumps(each.body) for each in shaky.asked]
    assert "<EMAIL_1> wrote page 0" in sent[made["made"]["first_call"]], "what is to be summarised"
    assert "<EMAIL_1> kept the lamp." in sent[-1], "the summary stands before the rest"
    assert not any(ann in each for each in sent)
    shown = filled.call("GET", f"/jobs/{made['kept']['id']}").body["output"]["text"]
    assert (made["kept"]["output"]["text"], shown) == ("<EMAIL_1> kept the lamp.", f"{ann} kept the lamp.")


def test_nobody_gets_anothers_values_out_of_the_cache(stack: Stack, trusted: Client, shaky: ProviderServer) -> None:
    question = f"Question {uuid.uuid4()}:"
    shaky.answer(Script(OpenAIDialect().says("It was <EMAIL_1>.")))
    for number in range(2):
        ann = mail()
        job = stack.run(ask(f"{question} who is {ann}?", cache={"ttl_seconds": 600}), trusted)
        assert job["output"]["text"] == f"It was {ann}."
        assert job["cache"]["hit"] is bool(number)
    assert len(shaky.asked) == 1


def test_what_was_redacted_is_kept_nowhere_but_in_the_jobs_payloads(
    stack: Stack, trusted: Client, shaky: ProviderServer
) -> None:
    ann, bob = mail(), mail()
    shaky.answer(Script(OpenAIDialect().says(f"<EMAIL_1> knows {bob}.")))
    # So long a budget takes the workflow whose executions keep what went in and out of each state.
    body = ask(f"Who knows {ann}?", conversation_id=f"talk-{uuid.uuid4().hex[:8]}", cache={}, timeout_seconds=600)
    job = stack.run(body, trusted)
    assert job["output"]["text"] == f"{ann} knows {bob}."
    seen = list(everything(stack, job["id"]))
    kinds = {place.partition(" ")[0] for place, text in seen if "<EMAIL_1>" in text or job["id"] in text}
    assert kinds >= {"jobs", "cache", "logs", "workflow"}, "then nothing is proved"
    leaks = {place for place, text in seen if ann in text or bob in text}
    assert leaks <= {f"jobs JOB#{job['id']} BODY", f"jobs JOB#{job['id']} REDACTED"}


def everything(stack: Stack, job_id: str) -> Iterator[tuple[str, str]]:
    """What the embedded cloud has stored, logged and told, place by place; a turn without its own mapping."""
    dynamodb = stack.cloud.client("dynamodb")
    for table in ("Jobs", "Registry", "Ledger", "Cache"):
        pages = dynamodb.get_paginator("scan").paginate(TableName=stack.physical(f"{table}Table"))
        for item in (decode_item(each) for page in pages for each in page["Items"]):
            shown = {name: _unpacked(value) for name, value in item.items() if name != "m"}
            if item.get("named") and "z" in shown:
                shown["z"] = shown["z"]["messages"]
            yield f"{table.lower()} {item['pk']} {item['sk']}", repr(shown)
    s3 = stack.cloud.client("s3")
    for bucket in ("PayloadsBucket", "InboxBucket", "OutboxBucket"):
        name = stack.physical(bucket)
        for each in s3.list_objects_v2(Bucket=name).get("Contents", ()):
            yield f"{bucket} {each['Key']}", repr(_unpacked(s3.get_object(Bucket=name, Key=each["Key"])["Body"].read()))
    logs = stack.cloud.client("logs")
    for page in logs.get_paginator("describe_log_groups").paginate():
        for group in page["logGroups"]:
            lines = logs.filter_log_events(logGroupName=group["logGroupName"])["events"]
            yield f"logs {group['logGroupName']}", "\n".join(line["message"] for line in lines)
    sqs = stack.cloud.client("sqs")
    for url in sqs.list_queues().get("QueueUrls", ()):
        seen = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages", ())
        yield f"queue {url}", repr(seen)
    yield "workflow", repr(stack.history(job_id))
    for path in FOLDER.glob("*.log"):
        yield f"file {path.name}", path.read_text(errors="replace")


def _unpacked(value: Any) -> Any:
    """What was compressed: a document of a job, a turn, a cached answer, or anything else as it is."""
    if not isinstance(value, bytes):
        return value
    for read in (unpack, lambda packed: json.loads(zlib.decompress(packed)), lambda packed: zlib.decompress(packed)):
        try:
            return read(value)
        except (zlib.error, ValueError, LookupError):
            continue
    return value
