"""Messages of the Model Context Protocol: what is one, of which revision it is, and how its faults are told.

Two eras are spoken: 2026-07-28, in which each request says its version and what its client can do, and those before,
which begin with a handshake. Source: Model Context Protocol, "Transports" and "Base Protocol" of these revisions.
"""

import base64
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from broker.errors import Forbidden
from broker.rest.http import Reply, Request, repeating

Json = dict[str, Any]

MODERN = ("2026-07-28",)
HANDSHAKE = ("2025-11-25", "2025-06-18")
"""The newest first, which is offered to who asks for another."""

META = "io.modelcontextprotocol/"
VERSION, CAPABILITIES, SERVER = f"{META}protocolVersion", f"{META}clientCapabilities", f"{META}serverInfo"
TASKS = f"{META}tasks"

NAMED_BY = {"tools/call": "name", "tasks/get": "taskId", "tasks/update": "taskId", "tasks/cancel": "taskId"}
"""The parameter that the header `Mcp-Name` repeats."""

HANDSHAKE_ONLY = ("initialize", "ping")
OF_TASKS = ("tasks/get", "tasks/update", "tasks/cancel")
MODERN_ONLY = ("server/discover", *OF_TASKS)

PARSE, INVALID, NO_METHOD, PARAMS = -32700, -32600, -32601, -32602
MISMATCH, LACKS_CAPABILITY, UNKNOWN_VERSION = -32020, -32021, -32022

STATUS = {NO_METHOD: 404}
"""Of an error to who speaks the newest revision; of others it is 400. Older clients read an error in a `200`."""


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


def fault_of(message: Any) -> str | None:
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


def check_origin(request: Request, allowed: str) -> None:
    """Pages of others may not call it, whatever their visitors' browsers know ("Security Warning" of the transport)."""
    origin = request.headers.get("origin")
    if origin is not None and not (allowed and allowed in ("*", origin)):
        raise Forbidden("Pages of this origin may not call the server.", code="foreign_origin")


def is_modern(message: Json, request: Request) -> bool:
    """Whether a message is of a revision without a handshake: it says so itself, or its header does."""
    meta = message.get("params", {}).get("_meta")
    return (isinstance(meta, dict) and VERSION in meta) or request.headers.get("mcp-protocol-version") in MODERN


def asked_by(message: Json, request: Request, methods: Container[str]) -> Asked:
    """The request of a message, held against its headers.

    Args:
        message: that `fault_of` finds no fault with.
        request: that it came by.
        methods: those that are known.

    Raises:
        Fault: it asks for what there is not, or its headers say something else.
    """
    method, params = message["method"], message.get("params", {})
    headers = request.headers
    named = headers.get("mcp-protocol-version")
    if not is_modern(message, request):
        if named is not None and named not in HANDSHAKE and method != "initialize":
            raise Fault(UNKNOWN_VERSION, "Unsupported protocol version", _versions(named))
        if method not in methods or method in MODERN_ONLY:
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
    if method not in methods or method in HANDSHAKE_ONLY:
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


def fault_reply(status: int, known: Any, fault: Fault) -> Reply:
    """A fault as the reply to the message of this id."""
    error = {"code": fault.code, "message": fault.message} | ({} if fault.data is None else {"data": fault.data})
    headers = repeating(False) if status >= 400 else {}
    return Reply(status, {"jsonrpc": "2.0", "id": known, "error": error}, headers)
