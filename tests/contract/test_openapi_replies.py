"""The OpenAPI document is true of every reply that the functions give."""

import json
from dataclasses import replace
from typing import Any

import pytest
from broker.clock import now_ms
from broker.context.conversations import Turn
from broker.contract.common import EXAMPLE_JOB
from broker.doors import chat_completions, embeddings, images, messages, moderations, responses, speech, transcriptions
from broker.errors import BadOutput, BrokerError, ContextExceeded, Rejected
from broker.jobs.head import Status
from broker.jobs.idempotency import fingerprint, reserve, settle
from broker.jobs.request import parse_request, stored_form
from broker.json_text import MOST_IN_REPLY
from broker.prompts.experiments import count
from broker.registry.applying import apply
from broker.registry.document import parse_registry
from broker.rest.admin import ADMIN_ROUTES
from broker.rest.api import ROUTES
from broker.rest.http import Reply, Request, error_reply
from broker.rest.prompt_runs import run_body
from broker.rest.representing import represented
from broker.rest.spoken import in_dialect
from broker.reviews.feedback import MOST
from broker.storage import Put
from jsonschema import Draft202012Validator

from tests.contract.openapi_anthropic import messages_before
from tests.contract.openapi_batches import batch_before
from tests.contract.openapi_bulk import bulk_before
from tests.contract.openapi_calls import ANSWERS, DOCUMENT, LONG, RUN, calls
from tests.contract.openapi_endpoints import endpoint_before
from tests.contract.openapi_files import file_before
from tests.contract.openapi_media import TRANSCRIBED
from tests.contract.world import ASK, NOW, World
from tests.fakes.world import BASE_URL


def holds(method: str, resource: str, reply: Reply) -> None:
    """Assert that the document allows this reply to this call."""
    responses = DOCUMENT["paths"][resource][method.lower()]["responses"]
    assert str(reply.status) in responses, f"{method} {resource} gave {reply.status}, which is not documented"
    response = responses[str(reply.status)]
    if "$ref" in response:
        response = DOCUMENT["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
    headers = {"content-type", *(each.lower() for each in response["headers"])}
    assert reply.headers.keys() <= headers, (
        f"{method} {resource}: headers {reply.headers.keys() - headers} undocumented"
    )
    if reply.body is None:
        assert "content" not in response
        return
    kind = reply.headers.get("content-type", "application/json")
    schema = response["content"][kind]["schema"]
    Draft202012Validator(schema | {"components": DOCUMENT["components"]}).validate(document_of(reply))


def document_of(reply: Reply) -> Any:
    """What a reply says: a document where it is JSON, else its text."""
    kind = reply.headers.get("content-type", "application/json")
    text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
    return json.loads(text) if kind.endswith("json") else text


def answered(world: World, method: str, resource: str, **more: Any) -> Reply:
    """As it goes out."""
    try:
        reply = world.call(method, resource, **more)
    except BrokerError as error:
        reply = error_reply(error, "r-1")
    return represented(in_dialect(resource, more.get("headers", {}), reply), asked(method, resource, **more))


def asked(method: str, resource: str, **more: Any) -> Request:
    """The call, as far as it matters to how a reply goes out."""
    facts = {"path": {}, "query": {}, "headers": {}, "body": None, "tenant": "acme", "scopes": frozenset("*")} | more
    return Request(method, resource, principal="me", request_id="r-1", base_url=BASE_URL, **facts)


def as_problem(reply: Reply) -> Reply:
    return represented(reply, asked("GET", "/jobs", headers={"accept": "application/problem+json"}))


FAILED: dict[str, BrokerError] = {
    "400": ContextExceeded("It is too long."),
    "422": Rejected("No."),
    "502": BadOutput("It is no JSON."),
}
"""Errors of jobs, by the status that tells of them to who waits."""


MAPPINGS: dict[str, Any] = {
    "/responses": responses.job_of,
    "/chat/completions": chat_completions.job_of,
    "/embeddings": embeddings.job_of,
    "/moderations": moderations.job_of,
    "/messages": messages.job_of,
    "/images/generations": images.job_of,
    "/audio/speech": speech.job_of,
    "/audio/transcriptions": transcriptions.job_of,
}
TASKS = {
    "/embeddings": "embed",
    "/moderations": "moderate",
    "/images/generations": "generate_image",
    "/audio/speech": "speak",
    "/audio/transcriptions": "transcribe",
}
PREFIXES = {"response": "resp_", "completion": "chatcmpl-", "message": "msg_"}


def answer_of(task: str, *, is_large: bool) -> tuple[dict[str, Any], list[tuple[bytes, str]]]:
    """What a job of the task gave, and its files; one that no reply can hold."""
    match task:
        case "embed":
            row = [0.12345678901234567] * 300_000 if is_large else [0.5, -1.25]
            return {"embeddings": [row]}, []
        case "moderate":
            verdict = {"flagged": True, "categories": {"violence": 0.9}}
            return verdict | ({"text": "x" * MOST_IN_REPLY} if is_large else {}), []
        case "generate_image" | "speak":
            kind = "image/png" if task == "generate_image" else "audio/mpeg"
            made = b"x" * (MOST_IN_REPLY if is_large else 9)
            return {"files": [{"name": "1-1", "media_type": kind, "bytes": len(made)}]}, [(made, kind)]
        case "transcribe":
            text = "x" * MOST_IN_REPLY if is_large else "Hello"
            return {"text": text, "seconds": 1.5, "segments": [{"start": 0, "end": 1.5, "text": "Hello"}]}, []
    text = "x" * MOST_IN_REPLY if is_large else "Hello to you"
    return {"text": text, "finish_reason": "stop"}, []


def of_a_dialect(world: World, resource: str, before: str, more: dict[str, Any]) -> dict[str, Any]:
    """The call, once there is the job that it asks for by its id or by its key."""
    kind, state, *status = before.split()
    task = TASKS.get(resource, "chat")
    failure = FAILED[status[0]].facts() if status and status[0] in FAILED else None
    head = (
        world.submitted()
        if state == "queued"
        else world.ended(Status.CANCELED if status == ["409"] else Status.SUCCEEDED)
    )
    if failure:
        head = replace(head, status=Status.FAILED, output=None, error=failure)
    head = replace(head, task=task, linked=True if state == "too" else None)
    world.database.write(Put("jobs", head.to_item()))
    if head.output:
        output, files = answer_of(task, is_large=state == "too")
        world.payloads.save(head, head.output, output, files=files)
    if state == "erased":
        world.call("DELETE", "/jobs/{id}", path={"id": head.id})
    if kind != "answer":
        return {"path": {"id": head.id.replace("job_", PREFIXES[kind])}} | more
    document = TRANSCRIBED if resource == "/audio/transcriptions" else ANSWERS[resource]
    asked = stored_form(parse_request(MAPPINGS[resource](document).job))
    body = fingerprint({} if state == "of" else asked)
    held = reserve(world.database, "acme", "k", body, head.id, now_ms())
    if state != "being":
        settle(world.database, held)
    return more


FREE = {"tenants": [{"id": "new", "monthly_budget_usd": 0}]}


def called(method: str, resource: str, before: str | None, more: dict[str, Any]) -> tuple[Reply, dict[str, Any]]:
    """The reply to a call of a world where that was before, and the call as it was then."""
    world = World()
    match before:
        case "ended":
            more = {"path": {"id": world.ended(Status.SUCCEEDED).id}} | more
        case "erased":
            more = {"path": {"id": world.ended(Status.SUCCEEDED).id}} | more
            world.call("DELETE", "/jobs/{id}", **more)
        case "queued":
            more = {"path": {"id": world.submitted().id}} | more
        case "waiting":
            more = {"path": {"id": world.waiting().id}} | more
        case "held" | "claimed" | "rejected":
            path = {"path": {"job_id": world.held().id}}
            more = path | more
            if before == "claimed":
                world.call("POST", "/admin/reviews/{job_id}/claim", body='{"reviewer": "ada"}', **path)
            elif before == "rejected":
                looked = json.dumps({"stage": "output", "reason": "I looked."})
                world.call("POST", "/admin/reviews/{job_id}/reject", body=looked, **path)
        case "fed back" | "much fed back":
            ended = world.ended(Status.SUCCEEDED)
            said = json.dumps({"about": "guardrails", "verdict": "false_positive", "rule": "card_numbers"})
            for _ in range(MOST if before == "much fed back" else 1):
                world.call("POST", "/jobs/{id}/feedback", path={"id": ended.id}, body=said)
            more = ({"path": {"id": ended.id}} if before == "much fed back" else {}) | more
        case "a file" | "a file of results" | "an awaited file" | "other bytes":
            more = file_before(world, before) | more
        case "an upload" | "a whole upload" | "a complete upload":
            more = file_before(world, before) | more
        case str() if before.startswith(("file key", "upload key", "part key")):
            more = file_before(world, before) | more
        case str() if before.startswith("endpoint"):
            more = endpoint_before(world, resource, before) | more
        case str() if before.startswith("batch"):
            more = batch_before(world, before) | more
        case str() if before.split()[0] == "messages":
            more = messages_before(world, before) | more
        case str() if before.startswith("bulk"):
            more = bulk_before(world, before) | more
        case "two":
            assert world.submitted().id != world.submitted().id
        case "called":
            world.circuits.record("small", "acme", "succeeded", 120, now_ms())
            world.circuits.record("large", "acme", "CredentialRejected", 30, now_ms())
        case "key used":
            world.call("POST", "/jobs", body=json.dumps(ASK | {"metadata": {}}), headers={"idempotency-key": "k"})
        case "key of an ended job":
            world.call("POST", "/jobs/{id}/cancel", path={"id": world.call("POST", "/jobs", **more).body["id"]})
        case "changed meanwhile":
            world.database.meanwhile = [lambda: apply(world.registry, parse_registry(FREE), by="other", now=NOW)]
        case "labelled":
            arms = {"id": "shorten", "labels": {"production": [{"version": 1, "weight": 9}]}}
            apply(world.registry, parse_registry({"labels": [arms]}), by="other", now=NOW)
            for used in ({"label": "production"}, {"label": None}):
                world.database.write(count(world.ended(Status.SUCCEEDED), {"id": "shorten", "version": 1} | used))
            world.database.write(count(world.ended(Status.EXPIRED), {"id": "shorten", "version": 2, "label": None}))
        case "long" | "text lost":
            apply(world.registry, parse_registry(LONG), by="other", now=NOW)
            if before == "text lost":
                world.texts.kept.clear()
        case "redacting" | "policy lost":
            rule = {"check": "denied_terms", "action": "redact", "terms": ["heron"]}
            words = {"guardrails": [{"id": "words", "rules": [rule]}]}
            acme = {"tenants": [{"id": "acme", "guardrails": ["words"]}]}
            apply(world.registry, parse_registry(words | acme), by="other", now=NOW)
            if before == "policy lost":
                world.database.write(Put("registry", {"pk": "GUARDRAIL#words", "sk": "GUARDRAIL", "enabled": False}))
        case "run ended":
            world.call("POST", "/jobs/{id}/cancel", path={"id": world.call("POST", resource, **more).body["id"]})
        case "run held":
            fingerprinted = fingerprint(stored_form(parse_request(run_body("shorten", RUN))))
            reserve(world.database, "acme", "k", fingerprinted, EXAMPLE_JOB, now_ms())
        case "talk":
            world.turns.keep(
                "acme", "c1", Turn(EXAMPLE_JOB, now_ms(), 1, [{"role": "user", "content": "Hi"}]), now_ms()
            )
        case str() if before.split()[0] in ("response", "completion", "message", "answer"):
            more = of_a_dialect(world, resource, before, more)
        case "key held":
            fingerprinted = fingerprint(stored_form(parse_request(ASK)))
            reserve(world.database, "acme", "k", fingerprinted, EXAMPLE_JOB, now_ms())
    if "{job_id}" in resource and "id" in more.get("path", {}):
        more = more | {"path": {"job_id": more["path"]["id"]}}
    return answered(world, method, resource, **more), more


@pytest.mark.parametrize(("method", "resource", "status", "before", "more"), calls())
def test_replies_are_as_documented(
    method: str, resource: str, status: int, before: str | None, more: dict[str, Any]
) -> None:
    reply, more = called(method, resource, before, more)
    assert reply.status == status, reply.body
    holds(method, resource, reply)
    if status >= 400:
        holds(method, resource, as_problem(reply))
    if method == "GET" and status == 200 and not isinstance(document_of(reply), str):
        same = {"headers": {**more.get("headers", {}), "if-none-match": reply.headers["etag"]}}
        again = represented(replace(reply, body=document_of(reply)), asked(method, resource, **more | same))
        assert (again.status, again.headers) == (304, reply.headers)
        holds(method, resource, again)


def test_every_documented_reply_of_the_functions_was_tried() -> None:
    gateways = {"401", "413", "429", "500", "503", "529"}  # the last is the function's: 503 in another dialect
    tried = {(method, resource, str(status)) for method, resource, status, _, _ in calls()}
    tried |= {(method, resource, "304") for method, resource, status in tried if (method, status) == ("GET", "200")}
    # API Gateway itself answers 404 to an operator's call that is not signed; these have no other.
    tried |= {("POST", f"/admin/{route}", "404") for route in ("plan", "apply", "can")}
    looks = ("jobs", "reviews", "feedback", "feedback/rows", "audit")
    tried |= {("GET", f"/admin/{route}", "404") for route in looks}
    for method, resource in (*ROUTES, *ADMIN_ROUTES):
        said = set(DOCUMENT["paths"][resource][method.lower()]["responses"]) - gateways - {"403"}
        untried = sorted(status for status in said if (method, resource, status) not in tried)
        assert not untried, f"{method} {resource}: nothing here gives {untried}"
