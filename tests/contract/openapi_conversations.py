"""One call for each reply that routes of conversations have in OpenAI's form."""

import json
from typing import Any

from broker.contract.common import EXAMPLE_JOB

ONE, ITEMS, ITEM = "/conversations/{id}", "/conversations/{id}/items", "/conversations/{id}/items/{item_id}"

KNOWN = {"path": {"id": "c1", "item_id": f"msg_{EXAMPLE_JOB.removeprefix('job_')}_i1"}}
LOST = {"path": {"id": "c2", "item_id": "msg_0"}}

SAID = [{"type": "message", "role": "user", "content": "Hello"}]


def conversation_calls() -> list[Any]:
    """One call for each documented reply that the function itself gives."""
    made, bad = json.dumps({"items": SAID, "metadata": {"topic": "birds"}}), {"body": json.dumps({"colour": "blue"})}
    named, added = {"body": json.dumps({"metadata": {"topic": "lamps"}})}, {"body": json.dumps({"items": SAID})}
    return [
        ("POST", "/conversations", 200, None, {"body": made}),
        ("POST", "/conversations", 400, None, bad),
        ("GET", ONE, 200, "talk", KNOWN),
        ("GET", ONE, 404, None, LOST),
        ("POST", ONE, 200, "talk", KNOWN | named),
        ("POST", ONE, 400, "talk", KNOWN | bad),
        ("POST", ONE, 404, None, LOST | named),
        ("DELETE", ONE, 200, "talk", KNOWN),
        ("POST", ITEMS, 200, "talk", KNOWN | added),
        ("POST", ITEMS, 400, "talk", KNOWN | bad),
        ("POST", ITEMS, 404, None, LOST | added),
        ("GET", ITEMS, 200, "talk", KNOWN),
        ("GET", ITEMS, 400, "talk", KNOWN | {"query": {"limit": "0"}}),
        ("GET", ITEMS, 404, None, LOST),
        ("GET", ITEM, 200, "talk", KNOWN),
        ("GET", ITEM, 404, "talk", LOST),
        ("DELETE", ITEM, 200, "talk", KNOWN),
        ("DELETE", ITEM, 404, "talk", LOST),
    ]
