"""Messages of the Model Context Protocol to a door in memory, as its two eras send them."""

import json
from typing import Any

from broker.rest.http import Reply
from broker.rest.mcp_messages import CAPABILITIES, TASKS, VERSION

from tests.unit.doors.case import reply_of
from tests.unit.rest_door import Door

Json = dict[str, Any]

MODERN = "2026-07-28"
WITH_TASKS = {"extensions": {TASKS: {}}}


def post(door: Door, message: Any, *, key: str = "ib_acme", **headers: str) -> Reply:
    """Send anything."""
    body = message if isinstance(message, str) else json.dumps(message)
    return reply_of(door, "POST", "/mcp", {"authorization": f"Bearer {key}", **headers}, body)


def handshake(door: Door, method: str, params: Json | None = None, *, key: str = "ib_acme", **headers: str) -> Reply:
    """A request of the era before 2026."""
    return post(door, {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}, key=key, **headers)


def modern(
    door: Door,
    method: str,
    params: Json | None = None,
    *,
    key: str = "ib_acme",
    capabilities: Json | None = None,
    meta: Json | None = None,
    **headers: str,
) -> Reply:
    """A request of 2026-07-28, with the headers that go with it."""
    about = {VERSION: MODERN, CAPABILITIES: capabilities or {}, **(meta or {})}
    told = {"mcp_protocol_version": MODERN, "mcp_method": method}
    if method == "tools/call":
        told["mcp_name"] = (params or {}).get("name", "")
    message = {"jsonrpc": "2.0", "id": "a", "method": method, "params": {**(params or {}), "_meta": about}}
    return post(door, message, key=key, **(told | headers))


def called(door: Door, tool: str, arguments: Json | None = None, **more: Any) -> Json:
    """The result of a tool."""
    reply = modern(door, "tools/call", {"name": tool, "arguments": arguments or {}}, **more)
    assert reply.status == 200, reply.body
    result: Json = reply.body["result"]
    return result


def task(door: Door, method: str, task_id: str, **more: Any) -> Reply:
    """A request about a task."""
    return modern(door, f"tasks/{method}", {"taskId": task_id}, capabilities=WITH_TASKS, **more)
