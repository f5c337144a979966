"""Counts the requests that the emulator serves, by service and operation.

`GET /_broker/calls` tells them, `DELETE` begins anew: the bench prices a job by them.
"""

import json
import re
from collections import Counter
from typing import Any
from urllib.parse import parse_qs

SCOPE = re.compile(rb"Credential=[^/]+/\d{8}/[^/]+/([^/]+)/aws4_request")

calls: Counter[str] = Counter()
"""Requests served, as `service.Operation`; REST-shaped services by method."""


def operation_of(scope: dict[str, Any]) -> str | None:
    """`service.Operation` of a signed AWS request; None for any other."""
    headers = dict(scope["headers"])
    signed = SCOPE.search(headers.get(b"authorization", b""))
    if signed is None:
        return None
    service = signed.group(1).decode()
    if target := headers.get(b"x-amz-target"):
        return f"{service}.{target.decode().rsplit('.', 1)[-1]}"
    action = parse_qs(scope.get("query_string", b"").decode()).get("Action")
    return f"{service}.{action[0] if action else scope['method']}"


def counted(served: Any) -> Any:
    """Wrap MiniStack's ASGI application."""

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            if scope["path"] == "/_broker/calls":
                await _answer(scope["method"], send)
                return
            if operation := operation_of(scope):
                calls[operation] += 1
        await served(scope, receive, send)

    return application


async def _answer(method: str, send: Any) -> None:
    body = json.dumps(dict(calls)).encode()
    if method == "DELETE":
        calls.clear()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
