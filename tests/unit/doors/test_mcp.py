"""The server of the Model Context Protocol: its tools are the routes beside it, with all that holds for them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from broker.doors.mcp import LONGEST_S, TOOLS
from broker.errors import Unavailable
from broker.jobs.request import JobRequest
from broker.registry.applying import apply
from broker.registry.document import parse_registry
from broker.rest.http import MOST_WAIT_S
from broker.rest.mcp import KEY, PROMPTS_AT_ONCE
from broker.rest.mcp_messages import HANDSHAKE, MODERN, TASKS

from tests.fakes.world import NOW
from tests.unit.doors.case import a_door, answering, sent
from tests.unit.doors.mcp_case import WITH_TASKS, Json, called, handshake, modern, task
from tests.unit.rest_door import Door

WORK = {"input": {"text": "Hello"}}


@pytest.fixture
def door() -> Door:
    return a_door()


def register(door: Door, *prompts: Json) -> None:
    apply(door.world.registry(), parse_registry({"prompts": list(prompts)}), by="tests", now=NOW)


def names(reply: Any) -> list[str]:
    return [tool["name"] for tool in reply.body["result"]["tools"]]


def test_the_tools_are_listed_with_those_of_the_prompts(door: Door) -> None:
    register(
        door,
        {"id": "summarize", "user": "Summarize: {{document}}", "description": "Make it short."},
        {"id": "reply.v2", "user": "Reply to {{message}}"},
    )
    reply = modern(door, "tools/list")
    fixed = ["submit_job", "get_job", "cancel_job", "estimate", "list_models", "run_prompt"]
    assert names(reply) == [*fixed, "run_prompt_summarize"], "hosts take no points in a tool's name"
    (tool,) = (each for each in reply.body["result"]["tools"] if each["name"] == "run_prompt_summarize")
    assert tool["description"] == "Make it short."
    assert tool["inputSchema"]["properties"].keys() == {"document"}
    assert (tool["inputSchema"]["required"], tool["inputSchema"]["additionalProperties"]) == (["document"], False)
    assert reply.body["result"]["resultType"] == "complete" and reply.body["result"]["cacheScope"] == "private"


def test_prompts_come_on_pages_and_the_tools_once(door: Door) -> None:
    register(door, *({"id": f"p{number:03}", "user": "Say {{it}}"} for number in range(PROMPTS_AT_ONCE + 7)))
    first = modern(door, "tools/list")
    second = modern(door, "tools/list", {"cursor": first.body["result"]["nextCursor"]})
    assert "nextCursor" not in second.body["result"]
    found = names(first) + names(second)
    assert len(found) == len(set(found)) == len(TOOLS) + PROMPTS_AT_ONCE + 7
    assert modern(door, "tools/list", {"cursor": "\n"}).body["error"]["code"] == -32602
    assert modern(door, "tools/list", {"cursor": 7}).body["error"]["code"] == -32602


def test_what_the_tools_name_of_work_is_what_a_job_takes() -> None:
    for tool in TOOLS:
        if tool["name"] in ("submit_job", "estimate"):
            own = {"idempotency_key", "wait_seconds"}
            assert tool["inputSchema"]["properties"].keys() - own <= JobRequest.model_fields.keys()
    assert LONGEST_S == MOST_WAIT_S


def test_a_job_is_submitted_and_looked_at(door: Door) -> None:
    answering(door).answer = lambda request: None
    made = called(door, "submit_job", WORK)
    job = made["structuredContent"]
    assert (made["isError"], job["status"], made["resultType"]) == (False, "queued", "complete")
    assert json.loads(made["content"][0]["text"])["id"] == job["id"]
    answering(door).answer = lambda request: {"text": "Hi there", "finish_reason": "stop"}
    answering(door).work()
    looked = called(door, "get_job", {"id": job["id"]})
    assert looked["content"] == [{"type": "text", "text": "Hi there"}]
    assert looked["structuredContent"]["usage"]["input_tokens"] == 9
    assert door.world.jobs.get(job["id"]).tenant == "acme"


def test_a_prompt_is_run_by_its_own_tool_and_by_the_general_one(door: Door) -> None:
    register(door, {"id": "summarize", "user": "Summarize: {{document}}"})
    for tool, arguments in (
        ("run_prompt_summarize", {"document": "A lamp."}),
        ("run_prompt", {"id": "summarize", "variables": {"document": "A lamp."}}),
    ):
        result = called(door, tool, arguments)
        assert result["content"][0]["text"] == "Hello to you"
        assert result["structuredContent"]["prompt"]["id"] == "summarize"
    wrong = called(door, "run_prompt_summarize", {})
    assert wrong["isError"] and wrong["structuredContent"]["error"]["param"] == "prompt.variables.document"
    assert called(door, "run_prompt_nothing", {})["structuredContent"]["error"]["type"] == "not_found"


def test_a_job_that_fails_is_an_error_that_a_model_can_read(door: Door) -> None:
    answering(door).answer = lambda request: Unavailable("Nobody answered.")
    result = called(door, "submit_job", {**WORK, "wait_seconds": 1})
    assert result["isError"] and result["structuredContent"]["error"]["message"] == "Nobody answered."


def test_an_estimate_and_the_models_are_told(door: Door) -> None:
    assert called(door, "estimate", WORK)["structuredContent"]["object"] == "estimate"
    told = {model["id"] for model in called(door, "list_models")["structuredContent"]["data"]}
    assert "small" in told
    assert sent(door) == []


def test_a_job_is_canceled_once(door: Door) -> None:
    answering(door).answer = lambda request: None
    job = called(door, "submit_job", WORK)["structuredContent"]
    assert called(door, "cancel_job", {"id": job["id"]})["structuredContent"]["status"] == "canceled"
    again = called(door, "cancel_job", {"id": job["id"]})
    assert again["isError"] and again["structuredContent"]["error"]["type"] == "not_cancelable"


@pytest.mark.parametrize("key", ["", "k" * 256, "\ud800", "a\udfffb"])
def test_a_key_that_is_none_is_refused_by_its_name(door: Door, key: str) -> None:
    for arguments, meta in (({**WORK, "idempotency_key": key}, {}), (WORK, {KEY: key})):
        error = called(door, "submit_job", arguments, meta=meta)["structuredContent"]["error"]
        assert (error["type"], error["param"]) == ("invalid_request", "Idempotency-Key")
    assert sent(door) == []


def test_the_same_key_gives_the_same_job_by_whichever_way_it_comes(door: Door) -> None:
    ids = {
        called(door, "submit_job", {**WORK, "idempotency_key": "k"})["structuredContent"]["id"],
        called(door, "submit_job", WORK, meta={KEY: "k"})["structuredContent"]["id"],
        called(door, "submit_job", WORK, idempotency_key="k")["structuredContent"]["id"],
    }
    assert len(ids) == 1
    other = called(door, "submit_job", {"input": "Other", "idempotency_key": "k"})
    assert other["structuredContent"]["error"]["code"] == "idempotency_key_reused"
    theirs = called(door, "submit_job", {**WORK, "idempotency_key": "k"}, key="ib_rich")
    assert theirs["structuredContent"]["id"] not in ids


@pytest.mark.parametrize(
    ("tool", "arguments", "param"),
    [
        ("submit_job", {}, "input"),
        ("submit_job", {"input": {"text": 7}}, "input.text"),
        ("submit_job", {**WORK, "modle": "x"}, "modle"),
        ("submit_job", {**WORK, "wait_seconds": 26}, "wait_seconds"),
        ("submit_job", {**WORK, "wait_seconds": True}, "wait_seconds"),
        ("submit_job", {**WORK, "idempotency_key": 7}, "idempotency_key"),
        ("submit_job", {**WORK, "idempotency_key": ""}, "Idempotency-Key"),
        ("get_job", {}, "id"),
        ("get_job", {"id": 7}, "id"),
        ("get_job", {"id": "job_x", "extra": 1}, "extra"),
        ("cancel_job", {"id": "job_x", "wait_seconds": 1}, "wait_seconds"),
        ("list_models", {"all": True}, "all"),
        ("run_prompt", {"variables": {}}, "id"),
    ],
)
def test_an_argument_at_fault_is_named_and_nothing_is_begun(door: Door, tool: str, arguments: Json, param: str) -> None:
    result = called(door, tool, arguments)
    assert result["isError"] and result["structuredContent"]["error"]["param"] == param
    assert result["content"][0]["text"]
    assert sent(door) == []


def test_another_tenants_job_is_nobodys(door: Door) -> None:
    answering(door).answer = lambda request: None
    job_id = called(door, "submit_job", WORK)["structuredContent"]["id"]
    for tool in ("get_job", "cancel_job"):
        theirs = called(door, tool, {"id": job_id}, key="ib_rich")
        nobodys = called(door, tool, {"id": "job_" + "0" * 32}, key="ib_rich")
        assert theirs["structuredContent"]["error"]["type"] == "not_found"
        assert theirs["structuredContent"] == nobodys["structuredContent"], "it is told that there is such a job"
    for method in ("get", "update", "cancel"):
        assert task(door, method, job_id, key="ib_rich").body["error"]["code"] == -32602
    assert door.world.jobs.get(job_id).status == "queued"


@pytest.mark.parametrize("tool", ["submit_job", "run_prompt", "cancel_job", "estimate", "list_models"])
def test_a_tool_needs_the_scope_of_its_route(door: Door, tool: str) -> None:
    reply = door(
        "POST",
        "/mcp",
        json.dumps(
            {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": {"id": "x"}}}
        ),
        scopes="jobs:read",
    )
    assert reply.body["result"]["structuredContent"]["error"]["code"] in ("missing_scope", "invalid_field")
    assert sent(door) == []


def test_who_may_not_see_prompts_gets_the_tools_alone(door: Door) -> None:
    register(door, {"id": "summarize", "user": "Summarize: {{document}}"})
    message = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    listed = door("POST", "/mcp", message, scopes="jobs:read").body["result"]["tools"]
    assert [tool["name"] for tool in listed] == [tool["name"] for tool in TOOLS]
    assert door.fails("POST", "/mcp", message, scopes="models:read").code == "missing_scope"


def test_a_tenant_without_money_is_told_so(door: Door) -> None:
    door.world.tenant("acme", monthly_budget=0)
    result = called(door, "submit_job", WORK)
    assert result["isError"] and result["structuredContent"]["error"]["type"] == "budget_exceeded"


def test_a_job_is_a_task_for_who_knows_tasks(door: Door) -> None:
    answering(door).answer = lambda request: None
    made = called(door, "submit_job", {**WORK, "wait_seconds": 20}, capabilities=WITH_TASKS)
    assert (made["resultType"], made["status"]) == ("task", "working")
    assert abs(made["ttlMs"] - 7 * 86_400_000) < 1000 and made["pollIntervalMs"] > 0
    looked = task(door, "get", made["taskId"]).body["result"]
    assert (looked["resultType"], looked["status"]) == ("complete", "working") and "result" not in looked
    assert task(door, "update", made["taskId"]).body["result"] == {"resultType": "complete", "_meta": looked["_meta"]}
    answering(door).answer = lambda request: {"text": "Done", "finish_reason": "stop"}
    answering(door).work()
    ended = task(door, "get", made["taskId"], mcp_name=made["taskId"]).body["result"]
    assert ended["status"] == "completed"
    assert (ended["result"]["content"][0]["text"], ended["result"]["isError"]) == ("Done", False)
    assert task(door, "cancel", made["taskId"]).body["result"]["resultType"] == "complete", "it asks, and no more"
    assert task(door, "get", made["taskId"]).body["result"]["status"] == "completed"


def test_a_task_is_canceled_and_one_that_fails_has_a_result_that_says_so(door: Door) -> None:
    answering(door).answer = lambda request: None
    made = called(door, "submit_job", WORK, capabilities=WITH_TASKS)
    task(door, "cancel", made["taskId"])
    assert task(door, "get", made["taskId"]).body["result"]["status"] == "cancelled"
    answering(door).answer = lambda request: Unavailable("Nobody answered.")
    made = called(door, "submit_job", WORK, capabilities=WITH_TASKS)
    failed = task(door, "get", made["taskId"]).body["result"]
    assert (failed["status"], failed["result"]["isError"]) == ("completed", True)


def test_looking_makes_no_task_and_faults_are_told_at_once(door: Door) -> None:
    job_id = called(door, "submit_job", WORK)["structuredContent"]["id"]
    assert called(door, "get_job", {"id": job_id}, capabilities=WITH_TASKS)["resultType"] == "complete"
    assert called(door, "submit_job", {}, capabilities=WITH_TASKS)["isError"]


def test_tasks_are_for_who_declares_them(door: Door) -> None:
    job_id = called(door, "submit_job", WORK)["structuredContent"]["id"]
    reply = modern(door, "tasks/get", {"taskId": job_id})
    assert (reply.status, reply.body["error"]["code"]) == (400, -32021)
    assert reply.body["error"]["data"] == {"requiredCapabilities": {"extensions": {TASKS: {}}}}
    assert handshake(door, "tasks/get", {"taskId": job_id}).body["error"]["code"] == -32601


def test_a_long_answer_is_told_once(door: Door) -> None:
    text = "x" * 1_500_000
    answering(door).answer = lambda request: {"text": text, "finish_reason": "stop"}
    reply = modern(door, "tools/call", {"name": "submit_job", "arguments": {**WORK, "wait_seconds": 5}})
    assert len(json.dumps(reply.body)) < 2_000_000
    result = reply.body["result"]
    assert (
        result["structuredContent"]["output"]["text"] == text and "structured content" in result["content"][0]["text"]
    )


def test_the_page_has_the_tools_and_versions_that_there_are(door: Door) -> None:
    page = (Path(__file__).parents[3] / "docs" / "mcp.md").read_text()
    rows = re.findall(r"^\| `([a-z_]+)", page, re.MULTILINE)
    assert sorted(set(rows)) == sorted({*(tool["name"] for tool in TOOLS), "run_prompt_"})
    assert all(version in page for version in (*MODERN, *HANDSHAKE))
    longest = 64 - len("run_prompt_")
    assert f"longer than {longest}" in page
    register(door, {"id": "p" * longest, "user": "Say {{it}}"}, {"id": "q" * (longest + 1), "user": "Say {{it}}"})
    assert names(modern(door, "tools/list"))[len(TOOLS) :] == [f"run_prompt_{'p' * longest}"]


def test_a_job_tells_that_it_came_by_a_tool_and_all_else_by_its_own_door(door: Door) -> None:
    register(door, {"id": "summarize", "user": "Summarize: {{document}}"})
    by_tools = [
        called(door, "submit_job", WORK),
        called(door, "run_prompt_summarize", {"document": "It is long."}),
        called(door, "run_prompt", {"id": "summarize", "variables": {"document": "It is long."}}),
    ]
    by_rest = door("POST", "/jobs", json.dumps(WORK)).body
    for job, came in [*((each["structuredContent"], "mcp") for each in by_tools), (by_rest, "rest")]:
        (accepted, *_) = door("GET", "/jobs/{id}/events", job_id=job["id"]).body["data"]
        assert (accepted["event"], accepted["door"]) == ("job.accepted", came)
