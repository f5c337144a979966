"""One call for each documented reply of the routes of Anthropic's clients, but for those that all doors have."""

import json
from typing import Any

VERSION = {"headers": {"anthropic-version": "2023-06-01"}}
COUNTED = {"model": "small", "messages": [{"role": "user", "content": "Hello"}]}


def anthropic_calls() -> list[Any]:
    """Method, route, status, what is there before, and what more is sent."""
    one, count, counted = "/messages/{id}", "/messages/count_tokens", json.dumps(COUNTED)
    bad, lost = json.dumps({"colour": "blue"}), {"path": {"id": "msg_0"}}
    return [
        ("POST", count, 200, None, {"body": counted}),
        ("POST", count, 400, None, {"body": bad}),
        ("POST", count, 402, None, {"body": counted, "tenant": "poor"}),
        ("POST", count, 403, None, {"body": counted, "scopes": frozenset()}),
        ("POST", count, 413, None, {"body": json.dumps(COUNTED | {"system": "x" * 5_000_000})}),
        ("GET", one, 200, "message ended", {}),
        ("GET", one, 404, None, lost),
        ("GET", one, 404, "message erased", {}),
        ("GET", one, 413, "message too large", {}),
        ("GET", one, 504, "message queued", {"began": 0.0}),
        *(("GET", one, status, f"message failed {status}", {}) for status in (400, 409, 422, 502)),
        ("GET", "/models", 200, None, {"query": {"limit": "1"}} | VERSION),
        ("GET", "/models", 400, None, {"query": {"limit": "0"}} | VERSION),
        ("GET", "/models", 400, None, {"query": {"after_id": "none"}}),
        ("GET", "/models/{id}", 404, None, {"path": {"id": "none"}} | VERSION),
        ("GET", "/files/{id}", 404, None, {"path": {"id": "file-0"}} | VERSION),
    ]
