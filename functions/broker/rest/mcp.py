"""`POST /mcp`: a server of the Model Context Protocol, by streamable HTTP, without sessions and streams.

Each call is answered by one JSON document, which the protocol allows; so a process knows nothing of calls before, as
behind API Gateway it cannot. Tools are calls of the routes beside it, so what holds for these holds here: scopes,
limits, budgets, idempotency, and whose job is whose.

What a message is, `mcp_messages` says.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from broker.doors import mcp as door
from broker.errors import BrokerError, InvalidRequest, NotCancelable, NotFound, TooLarge
from broker.rest.http import Reply, Request
from broker.rest.mcp_messages import (
    HANDSHAKE,
    INVALID,
    MODERN,
    PARAMS,
    PARSE,
    SERVER,
    STATUS,
    TASKS,
    UNKNOWN_VERSION,
    Asked,
    Fault,
    Json,
    asked_by,
    check_origin,
    fault_of,
    fault_reply,
    is_modern,
)

if TYPE_CHECKING:
    from broker.rest.api import Api

DOOR = "mcp"

KEY = "inference-broker/idempotency-key"
"""In a call's `_meta`: as the header `Idempotency-Key` of the REST API."""

FRESH_MS = 60_000
"""How long a client may go by a list of tools."""

PROMPTS_AT_ONCE = 50

ABOUT: Json = {"name": "inference-broker", "title": "Inference Broker", "version": "1"}
INSTRUCTIONS = (
    "Work for language models and other services, done in the background. submit_job gives an id at once, get_job "
    "tells how the job stands; each tool run_prompt_… runs a prepared prompt and waits for its answer. estimate says "
    "beforehand who would do the work and what it would cost."
)


def answer_mcp(api: "Api", request: Request) -> Reply:
    """Answer one message."""
    check_origin(request, api.origin())
    try:
        message = request.json()
    except TooLarge:
        raise
    except InvalidRequest as error:
        return fault_reply(400, None, Fault(PARSE, error.message))
    if wrong := fault_of(message):
        return fault_reply(400, None, Fault(INVALID, wrong))
    if "id" not in message:
        return Reply(202, None)  # a notification
    known, newest = message["id"], is_modern(message, request)
    try:
        asked = asked_by(message, request, METHODS)
        result = METHODS[asked.method](api, request, asked)
    except Fault as fault:
        as_error = newest or fault.code == UNKNOWN_VERSION
        return fault_reply(STATUS.get(fault.code, 400) if as_error else 200, known, fault)
    if newest:
        result = {"resultType": "complete", **result, "_meta": {SERVER: ABOUT}}
    return Reply(200, {"jsonrpc": "2.0", "id": known, "result": result})


def _initialize(api: "Api", request: Request, asked: Asked) -> Json:
    wanted = asked.params.get("protocolVersion")
    version = wanted if wanted in HANDSHAKE else HANDSHAKE[0]
    about = {"serverInfo": ABOUT, "instructions": INSTRUCTIONS}
    return {"protocolVersion": version, "capabilities": {"tools": {}}, **about}


def _discover(api: "Api", request: Request, asked: Asked) -> Json:
    return {
        "supportedVersions": list(MODERN),
        "capabilities": {"tools": {}, "extensions": {TASKS: {}}},
        "instructions": INSTRUCTIONS,
        "ttlMs": FRESH_MS,
        "cacheScope": "public",
    }


def _ping(api: "Api", request: Request, asked: Asked) -> Json:
    return {}


def _list_tools(api: "Api", request: Request, asked: Asked) -> Json:
    """The tools; those of prompts on pages, and only for who may see them."""
    cursor = asked.params.get("cursor")
    if cursor is not None and not isinstance(cursor, str):
        raise Fault(PARAMS, "cursor: it has to be a text")
    tools: list[Json] = [] if cursor else list(door.TOOLS)
    page: Json = {}
    if request.scopes & {"models:read", "*"}:
        query = {"limit": str(PROMPTS_AT_ONCE)} | ({"cursor": cursor} if cursor else {})
        try:
            page = _call(api, request, "GET", "/prompts", query=query).body
        except InvalidRequest as error:
            raise Fault(PARAMS, error.message) from None
        tools += [tool for tool in map(door.prompt_tool, page["data"]) if tool]
    listed: Json = {"tools": tools}
    if page.get("next_cursor"):
        listed["nextCursor"] = page["next_cursor"]
    return listed | ({"ttlMs": FRESH_MS, "cacheScope": "private"} if asked.is_modern else {})


def _call_tool(api: "Api", request: Request, asked: Asked) -> Json:
    name, arguments = asked.params.get("name"), asked.params.get("arguments", {})
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise Fault(PARAMS, "A call has the name of a tool, and arguments by their names.")
    try:
        call = door.call_of(name, arguments)
        if call is None:
            raise Fault(PARAMS, "There is no such tool.")
        as_task = call.makes_job and asked.has_tasks
        headers = _headers(request, call, asked, 0 if as_task else call.wait_s)
        query = {"wait": str(call.wait_s)} if call.method == "GET" and call.wait_s else {}
        reply = _call(api, request, call.method, call.resource, call.path, query, call.body, headers)
    except BrokerError as error:
        return door.error_of(error)
    if as_task:
        return _task(api, request, reply.body) | {"resultType": "task"}
    return door.result_of(reply.body, went_well=reply.status < 400)


def _headers(request: Request, call: door.Call, asked: Asked, wait_s: int) -> dict[str, str]:
    """Those of a call of the REST API: a wait for what makes a job, and the key, by whichever way it came."""
    kept = {name: value for name, value in request.headers.items() if name == "idempotency-key"}
    key = call.key if call.key is not None else asked.meta.get(KEY)
    if key is not None and not isinstance(key, str):
        raise Fault(PARAMS, f"_meta: {KEY} has to be a text")
    return (
        kept
        | ({"idempotency-key": key} if key is not None else {})
        | ({"prefer": f"wait={wait_s}"} if call.makes_job and wait_s else {})
    )


def _call(
    api: "Api",
    request: Request,
    method: str,
    resource: str,
    path: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Call a route as this caller; what it raises is raised, scopes that lack among it."""
    asked = replace(
        request,
        method=method,
        resource=resource,
        path=dict(path or {}),
        query=dict(query or {}),
        headers=dict(headers or {}),
        door=DOOR,
        body=None if body is None else json.dumps(body),
    )
    return api.answered(asked)


def _task(api: "Api", request: Request, job: Json) -> Json:
    head = api.jobs.get(job["id"])
    return door.task_of(job, head.payloads_until * 1000 - head.created_at)


def _task_id(asked: Asked) -> str:
    found = asked.params.get("taskId")
    if not isinstance(found, str):
        raise Fault(PARAMS, "taskId: it has to be a text")
    return found


def _get_task(api: "Api", request: Request, asked: Asked) -> Json:
    return _task(api, request, _job(api, request, asked, "GET", "/jobs/{id}"))


def _update_task(api: "Api", request: Request, asked: Asked) -> Json:
    """No job asks its caller for anything, so what is told one means nothing."""
    _job(api, request, asked, "GET", "/jobs/{id}")
    return {}


def _cancel_task(api: "Api", request: Request, asked: Asked) -> Json:
    try:
        _job(api, request, asked, "POST", "/jobs/{id}/cancel")
    except NotCancelable:  # it has ended, and `tasks/get` says how
        pass
    return {}


def _job(api: "Api", request: Request, asked: Asked, method: str, resource: str) -> Json:
    try:
        body: Json = _call(api, request, method, resource, {"id": _task_id(asked)}).body
    except NotFound as error:
        raise Fault(PARAMS, error.message) from None
    return body


METHODS: dict[str, Callable[["Api", Request, Asked], Json]] = {
    "initialize": _initialize,
    "server/discover": _discover,
    "ping": _ping,
    "tools/list": _list_tools,
    "tools/call": _call_tool,
    "tasks/get": _get_task,
    "tasks/update": _update_task,
    "tasks/cancel": _cancel_task,
}
