"""The protocol around the tools: versions, headers, what is no request, and who may not call."""

import json
from typing import Any

import pytest
from broker.errors import Forbidden
from broker.json_text import MAX_BODY_BYTES
from broker.rest.http import Request
from broker.rest.mcp import answer_mcp
from broker.rest.mcp_messages import CAPABILITIES, HANDSHAKE, MODERN, TASKS, VERSION

from tests.fakes.world import BASE_URL
from tests.unit.doors.case import a_door, sent
from tests.unit.doors.mcp_case import handshake, modern, post, task
from tests.unit.rest_door import Door


@pytest.fixture
def door() -> Door:
    return a_door()


WITHOUT_ARGUMENTS = {"name": "submit_job", "arguments": [1]}
ODD_KEY = {"name": "submit_job", "arguments": {}, "_meta": {"inference-broker/idempotency-key": 7}}
CALL = {"name": "submit_job", "arguments": {"input": {"text": "Hello"}}}
META = {VERSION: MODERN[0], CAPABILITIES: {}}
TOLD = {"mcp_protocol_version": MODERN[0], "mcp_method": "tools/call", "mcp_name": "submit_job"}


@pytest.mark.parametrize("version", HANDSHAKE)
def test_a_handshake_gives_the_version_that_is_asked_for(door: Door, version: str) -> None:
    reply = handshake(door, "initialize", {"protocolVersion": version, "capabilities": {}, "clientInfo": {}})
    result = reply.body["result"]
    assert (result["protocolVersion"], result["capabilities"]) == (version, {"tools": {}})
    assert result["serverInfo"]["name"] == "inference-broker" and "resultType" not in result
    assert "mcp-session-id" not in reply.headers
    assert post(door, {"jsonrpc": "2.0", "method": "notifications/initialized"}).status == 202
    listed = handshake(door, "tools/list", mcp_protocol_version=version).body["result"]
    assert len(listed["tools"]) == 6 and "ttlMs" not in listed
    assert handshake(door, "ping", mcp_protocol_version=version).body["result"] == {}


@pytest.mark.parametrize("version", ["2024-11-05", "1.0", "", None, 7, "2026-07-28"])
def test_a_handshake_of_another_version_is_offered_the_newest(door: Door, version: Any) -> None:
    reply = handshake(door, "initialize", {"protocolVersion": version})
    assert reply.body["result"]["protocolVersion"] == HANDSHAKE[0]


def test_the_newest_revision_needs_no_handshake(door: Door) -> None:
    reply = modern(door, "server/discover")
    result = reply.body["result"]
    assert (reply.status, result["supportedVersions"], result["resultType"]) == (200, [*MODERN], "complete")
    assert result["capabilities"]["extensions"] == {TASKS: {}}
    for method in ("initialize", "ping", "tasks/list", "tasks/result", "resources/list", "nothing", ""):
        reply = modern(door, method, {"taskId": "x"})
        assert (reply.status, reply.body["error"]["code"]) == (404, -32601), method


def test_older_clients_read_errors_in_a_200(door: Door) -> None:
    for method in ("server/discover", "tasks/get", "tasks/result", "resources/list", "nothing"):
        reply = handshake(door, method)
        assert (reply.status, reply.body["error"]["code"]) == (200, -32601), method
    assert handshake(door, "tools/call", {"name": "nothing"}).body["error"]["code"] == -32602


@pytest.mark.parametrize("meta", [META | {VERSION: "2031-01-01"}, None])
def test_a_version_that_is_not_spoken_is_told_with_those_that_are(door: Door, meta: Any) -> None:
    params = {} if meta is None else {"_meta": meta}
    headers = {"mcp_protocol_version": "2031-01-01", "mcp_method": "tools/list"}
    reply = post(door, {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": params}, **headers)
    assert (reply.status, reply.body["error"]["code"]) == (400, -32022)
    assert reply.body["error"]["data"] == {"supported": [*MODERN], "requested": "2031-01-01"}


@pytest.mark.parametrize(
    ("meta", "headers", "code"),
    [
        (META, TOLD | {"mcp_method": "tools/list"}, -32020),
        (META, TOLD | {"mcp_name": "list_models"}, -32020),
        (META, TOLD | {"mcp_name": "=?base64?!?="}, -32020),
        (META, TOLD | {"mcp_protocol_version": "2025-11-25"}, -32020),
        (META, {name: value for name, value in TOLD.items() if name != "mcp_name"}, -32020),
        (META, {}, -32020),
        ({}, TOLD, -32602),
        ({VERSION: MODERN[0]}, TOLD, -32602),
        ({VERSION: 7, CAPABILITIES: {}}, TOLD, -32602),
        ("x", TOLD, -32602),
    ],
)
def test_a_request_whose_headers_say_something_else_begins_nothing(
    door: Door, meta: Any, headers: dict[str, str], code: int
) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {**CALL, "_meta": meta}}
    reply = post(door, message, **headers)
    assert (reply.status, reply.body["error"]["code"]) == (400, code)
    assert sent(door) == []


def test_a_name_may_be_wrapped(door: Door) -> None:
    assert modern(door, "tools/call", CALL, mcp_name="=?base64?c3VibWl0X2pvYg==?=").status == 200


@pytest.mark.parametrize("capabilities", [[], None, "x", {"extensions": []}, {"extensions": None}, {"extensions": {}}])
def test_capabilities_of_another_form_are_none(door: Door, capabilities: Any) -> None:
    meta = {CAPABILITIES: capabilities}
    assert modern(door, "tools/call", CALL, meta=meta).body["result"]["resultType"] == "complete"
    assert modern(door, "tasks/get", {"taskId": "x"}, meta=meta).body["error"]["code"] == -32021


BAD: list[tuple[Any, int, int]] = [
    ("{", 400, -32700),
    ("[" * 100_000, 400, -32700),
    ('{"jsonrpc": "2.0", "id": "\\ud800", "method": "ping"}', 400, -32600),
    ('{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": NaN}', 400, -32600),
    ("\udcff", 400, -32700),
    ("", 400, -32700),
    ("null", 400, -32600),
    ("[]", 400, -32600),
    ([{"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": CALL} for number in range(50)], 400, -32600),
    ({"id": 1, "method": "ping"}, 400, -32600),
    ({"jsonrpc": "1.0", "id": 1, "method": "ping"}, 400, -32600),
    ({"jsonrpc": "2.0", "id": None, "method": "ping"}, 400, -32600),
    ({"jsonrpc": "2.0", "id": True, "method": "ping"}, 400, -32600),
    ({"jsonrpc": "2.0", "id": 1.5, "method": "ping"}, 400, -32600),
    ({"jsonrpc": "2.0", "id": [1], "method": "ping"}, 400, -32600),
    ({"jsonrpc": "2.0", "id": 1}, 400, -32600),
    ({"jsonrpc": "2.0", "id": 1, "result": {}}, 400, -32600),
    ({"jsonrpc": "2.0", "method": 7}, 400, -32600),
    ({"jsonrpc": "2.0", "id": 1, "method": 7}, 400, -32600),
    ({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": [1]}, 400, -32600),
    ({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": None}, 400, -32600),
    ({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": ["x"]}}, 200, -32602),
    ({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": WITHOUT_ARGUMENTS}, 200, -32602),
    ({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": ODD_KEY}, 200, -32602),
]


@pytest.mark.parametrize(("message", "status", "code"), BAD, ids=[str(each[0])[:60] for each in BAD])
def test_what_is_no_request_is_told_so_and_begins_nothing(door: Door, message: Any, status: int, code: int) -> None:
    reply = post(door, message)
    assert (reply.status, reply.body["error"]["code"]) == (status, code), reply.body
    json.dumps(reply.body).encode()
    assert sent(door) == []


def test_a_message_that_is_too_large_is_refused(door: Door) -> None:
    reply = modern(door, "tools/call", {"name": "submit_job", "arguments": {"input": "x" * MAX_BODY_BYTES}})
    assert (reply.status, reply.body["error"]["code"]) == (413, "body_too_large")
    assert sent(door) == []


@pytest.mark.parametrize(
    "message",
    [
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}},
        {"jsonrpc": "2.0", "method": "tools/call", "params": CALL},
    ],
)
def test_what_asks_for_no_reply_gets_none_and_begins_nothing(door: Door, message: Any) -> None:
    reply = post(door, message)
    assert (reply.status, reply.body) == (202, None)
    assert sent(door) == []


def asked_from(door: Door, origin: str, allowed: str) -> int:
    from dataclasses import replace

    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": CALL})
    request = Request(
        *("POST", "/mcp", {}, {}, {"origin": origin}, body, "acme", "ci", frozenset("*"), "req-1", BASE_URL)
    )
    try:
        return answer_mcp(replace(door.api, origin=lambda: allowed), request).status
    except Forbidden as error:
        return error.status


@pytest.mark.parametrize(
    ("origin", "allowed", "status"),
    [
        ("https://app.example.com", "https://app.example.com", 200),
        ("https://app.example.com", "*", 200),
        ("https://evil.example", "https://app.example.com", 403),
        ("https://app.example.com.evil.example", "https://app.example.com", 403),
        ("null", "", 403),
        ("http://localhost:3000", "", 403),
        ("", "", 403),
    ],
)
def test_a_page_of_another_origin_is_refused(door: Door, origin: str, allowed: str, status: int) -> None:
    assert asked_from(door, origin, allowed) == status
    assert bool(sent(door)) == (status == 200)


def test_a_task_id_that_is_none_is_no_crash(door: Door) -> None:
    for task_id in ("", "x" * 5_000, "../jobs", "job_x", "\ud800", 7, None, {"a": 1}):
        for method in ("get", "update", "cancel"):
            reply = task(door, method, task_id)  # type: ignore[arg-type]
            assert (reply.status, reply.body["error"]["code"]) == (400, -32602), task_id


def test_who_has_no_key_is_nobody(door: Door) -> None:
    assert modern(door, "tools/list", key="ib_stolen").status == 401
