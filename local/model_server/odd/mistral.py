"""Odd replies of Mistral's: errors in no frame, and ends that OpenAI's format does not have.

Source: its API reference (the ends of a completion), its guide to guardrails (a 403), and reports of its users.
"""

from local.model_server.exchange import Json, OddReply
from local.model_server.odd.common import THOUGHT
from local.model_server.odd.openai import completion


def _error(status: int, kind: str, code: str | None, message: str) -> OddReply:
    body: Json = {"object": "error", "message": message, "type": kind, "param": None, "code": code}
    return OddReply(status, body | {"raw_status_code": status})


_CALL = {"id": "odd000000", "function": {"name": "nobody", "arguments": "{}"}}
_THINKS = [{"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]}]

REPLIES: dict[str, OddReply] = {
    "failed200": OddReply(200, completion({"content": ""}, "error")),
    "busy429": _error(429, "service_tier_capacity_exceeded", "3505", "Service tier capacity exceeded for this model."),
    "gone400": _error(400, "invalid_model", "1500", "Invalid model: small"),
    "flagged403": _error(403, "invalid_request_error", None, "Content blocked by guardrail"),
    "thinking": OddReply(200, completion({"content": _THINKS}, "length")),
    "full200": OddReply(200, completion({"content": ""}, "model_length")),
    "badcall": OddReply(200, completion({"content": "", "tool_calls": [_CALL]}, "tool_calls")),
}
