"""`POST /mcp`: a server of the Model Context Protocol, by streamable HTTP, without sessions and streams.

Each call is answered by one JSON document, which the protocol allows; so a process knows nothing of calls before, as
behind API Gateway it cannot. Tools are calls of the routes beside it, so what holds for these holds here: scopes,
limits, budgets, idempotency, and whose job is whose.

Both eras are spoken: 2026-07-28, in which each request says its version and what its client can do, and those before,
which begin with a handshake. Source: Model Context Protocol, "Transports" and "Base Protocol" of these revisions.
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from broker.doors import mcp as door
from broker.errors import BrokerError, Forbidden, InvalidRequest, NotCancelable, NotFound, TooLarge
from broker.rest.http import Reply, Request, repeating

if TYPE_CHECKING:
    from broker.rest.api import Api

Json = dict[str, Any]

MODERN = ("2026-07-28",)
HANDSHAKE = ("2025-11-25", "2025-06-18")
"""The newest first, which is offered to who asks for another."""

META = "io.modelcontextprotocol/"
VERSION, CAPABILITIES, SERVER = f"{META}protocolVersion", f"{META}clientCapabilities", f"{META}serverInfo"
TASKS = f"{META}tasks"
KEY = "inference-broker/idempotency-key"
"""In a call's `_meta`: as the header `Idempotency-Key` of the REST API."""

NAMED_BY = {"tools/call": "name", "tasks/get": "taskId", "tasks/update": "taskId", "tasks/cancel": "taskId"}
"""The parameter that the header `Mcp-Name` repeats."""

FRESH_MS = 60_000
"""How long a client may go by a list of tools."""

PROMPTS_AT_ONCE = 50

PARSE, INVALID, NO_METHOD, PARAMS = -32700, -32600, -32601, -32602
MISMATCH, LACKS_CAPABILITY, UNKNOWN_VERSION = -32020, -32021, -32022

STATUS = {NO_METHOD: 404}
"""Of an error to who speaks the newest revision; of others it is 400. Older clients read an error in a `200`."""

ABOUT: Json = {"name": "inference-broker", "title": "Inference Broker", "version": "1"}
INSTRUCTIONS = (
    "Work for language models and other services, done in the background. submit_job gives an id at once, get_job "
    "tells how the job stands; each tool run_prompt_… runs a prepared prompt and waits for its answer. estimate says "
    "beforehand who would do the work and what it would cost."
)


class Fault(Exception):
    """A request that is answered by an error of the protocol."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: of which era it is, and what its client can do."""

    method: str
    params: Json
    is_modern: bool
    has_tasks: bool = False

    @property
    def meta(self) -> Json:
        """What it says beside its parameters."""
        found = self.params.get("_meta")
        return found if isinstance(found, dict) else {}


def answer_mcp(api: "Api", request: Request) -> Reply:
    """Answer one message."""
    _check_origin(request, api.origin())
    try:
        message = request.json()
    except TooLarge:
        raise
    except InvalidRequest as error:
        return _error(400, None, Fault(PARSE, error.message))
    if wrong := _fault_of(message):
        return _error(400, None, Fault(INVALID, wrong))
    if "id" not in message:
        return Reply(202, None)  # a notification
    known, method = message["id"], message["method"]
    is_modern = _is_modern(message, request)
    try:
        asked = _asked(method, message.get("params", {}), request, is_modern=is_modern)
        result = METHODS[method](api, request, asked)
    except Fault as fault:
        as_error = is_modern or fault.code == UNKNOWN_VERSION
        return _error(STATUS.get(fault.code, 400) if as_error else 200, known, fault)
    if is_modern:
        result = {"resultType": "complete", **result, "_meta": {SERVER: ABOUT}}
    return Reply(200, {"jsonrpc": "2.0", "id": known, "result": result})


def _fault_of(message: Any) -> str | None:
    """Why this is no request and no notification of JSON-RPC 2.0; None where it is one. Nobody is asked for replies."""
    if isinstance(message, list):
        return "Batches are no part of the protocol any more: send one message."
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        return "This is no message of JSON-RPC 2.0."
    if not isinstance(message.get("method"), str):
        return "method: it has to be a text"
    if not isinstance(message.get("params", {}), dict):
        return "params: it has to be an object"
    if "id" in message and not _is_id(message["id"]):
        return "id: it has to be a text or a whole number"
    return None


def _is_id(known: Any) -> bool:
    """Whether this can be said again: half of a surrogate pair cannot."""
    if isinstance(known, str):
        return not any("\ud800" <= each <= "\udfff" for each in known)
    return not isinstance(known, bool) and (isinstance(known, int) or (isinstance(known, float) and known.is_integer()))


def _check_origin(request: Request, allowed: str) -> None:
    """Pages of others may not call it, whatever their visitors' browsers know ("Security Warning" of the transport)."""
    origin = request.headers.get("origin")
    if origin is not None and not (allowed and allowed in ("*", origin)):
        raise Forbidden("Pages of this origin may not call the server.", code="foreign_origin")


def _is_modern(message: Json, request: Request) -> bool:
    """Whether a message is of a revision without a handshake: it says so itself, or its header does."""
    meta = message.get("params", {}).get("_meta")
    return (isinstance(meta, dict) and VERSION in meta) or request.headers.get("mcp-protocol-version") in MODERN


def _asked(method: str, params: Json, request: Request, *, is_modern: bool) -> Asked:
    headers = request.headers
    named = headers.get("mcp-protocol-version")
    if not is_modern:
        if named is not None and named not in HANDSHAKE and method != "initialize":
            raise Fault(UNKNOWN_VERSION, "Unsupported protocol version", _versions(named))
        if method not in METHODS or method in MODERN_ONLY:
            raise Fault(NO_METHOD, "There is no such method.")
        return Asked(method, params, is_modern=False)
    meta = params.get("_meta")
    if not isinstance(meta, dict) or not isinstance(meta.get(VERSION), str) or CAPABILITIES not in meta:
        raise Fault(PARAMS, f"_meta: {VERSION} and {CAPABILITIES} are needed")
    if named != meta[VERSION]:
        raise Fault(MISMATCH, "The header MCP-Protocol-Version is not what the request says.")
    if headers.get("mcp-method") != method:
        raise Fault(MISMATCH, "The header Mcp-Method is not what the request says.")
    sent = headers.get("mcp-name")
    if (field := NAMED_BY.get(method)) and (sent is not None or method == "tools/call"):
        if sent is None or _plain(sent) != params.get(field):
            raise Fault(MISMATCH, f"The header Mcp-Name is not the request's {field}.")
    if named not in MODERN:
        raise Fault(UNKNOWN_VERSION, "Unsupported protocol version", _versions(named))
    if method not in METHODS or method in HANDSHAKE_ONLY:
        raise Fault(NO_METHOD, "There is no such method.")
    extensions = meta[CAPABILITIES].get("extensions") if isinstance(meta[CAPABILITIES], dict) else None
    has_tasks = isinstance(extensions, dict) and TASKS in extensions
    if method in OF_TASKS and not has_tasks:
        needed: Json = {"requiredCapabilities": {"extensions": {TASKS: {}}}}
        raise Fault(LACKS_CAPABILITY, "The client has to declare the tasks extension.", needed)
    return Asked(method, params, is_modern=True, has_tasks=has_tasks)


def _versions(requested: Any) -> Json:
    return {"supported": list(MODERN), "requested": requested}


def _plain(header: str) -> str | None:
    """A header's value, which may be wrapped as `=?base64?…?=`; None where that is not right."""
    if not (header.startswith("=?base64?") and header.endswith("?=")):
        return header
    try:
        return base64.b64decode(header[9:-2], validate=True).decode()
    except ValueError:
        return None


def _error(status: int, known: Any, fault: Fault) -> Reply:
    error = {"code": fault.code, "message": fault.message} | ({} if fault.data is None else {"data": fault.data})
    headers = repeating(False) if status >= 400 else {}
    return Reply(status, {"jsonrpc": "2.0", "id": known, "error": error}, headers)


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

HANDSHAKE_ONLY = ("initialize", "ping")
OF_TASKS = ("tasks/get", "tasks/update", "tasks/cancel")
MODERN_ONLY = ("server/discover", *OF_TASKS)
