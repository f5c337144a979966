"""What Mistral refuses: its messages have their own keys, ids and order (mistral-common, "validator")."""

import re

from local.model_server.exchange import Json
from local.model_server.rules.common import objects, refuse

KEYS = {
    "system": {"role", "content"},
    "user": {"role", "content"},
    "assistant": {"role", "content", "tool_calls", "prefix"},
    "tool": {"role", "content", "tool_call_id", "name"},
}
FOLLOWING = {
    None: {"system", "user"},
    "system": {"system", "user", "assistant"},
    "user": {"system", "user", "assistant"},
    "assistant": {"user", "assistant", "tool"},
    "tool": {"assistant", "tool"},
}
"""Who may speak after whom."""
BODY = frozenset(
    {
        *("model", "messages", "temperature", "top_p", "max_tokens", "stop", "random_seed", "response_format", "tools"),
        *("tool_choice", "safe_prompt", "stream", "n", "presence_penalty", "frequency_penalty", "parallel_tool_calls"),
        *("metadata", "reasoning_effort", "prompt_mode"),
    }
)
IDENTITY = re.compile("[a-zA-Z0-9]{9}")


def check(body: Json) -> None:
    """Refuse what Mistral refuses."""
    if strange := sorted(body.keys() - BODY):
        refuse(f"Extra inputs are not permitted: {strange[0]}", strange[0])
    before: str | None = None
    waiting: list[str] = []
    for place, message in enumerate(objects(body.get("messages"))):
        role = str(message.get("role"))
        if role not in KEYS:
            refuse(f"Input tag '{role}' found using 'role' does not match any of the expected tags")
        if strange := sorted(message.keys() - KEYS[role]):
            refuse(f"extra_forbidden: messages.{place}.{role}.{strange[0]}: Extra inputs are not permitted")
        if role not in FOLLOWING[before]:
            refuse(f"Unexpected role '{role}' after role '{before}'")
        if role == "tool":
            if message.get("tool_call_id") not in waiting:
                refuse("Unexpected tool call id in tool results")
            waiting.remove(message["tool_call_id"])
        elif waiting:
            refuse("Not the same number of function calls and responses")
        if role == "assistant":
            waiting += _said(message)
        elif not message.get("content"):
            refuse(f"messages.{place}.content: a {role} has to say something")
        before = role
    if waiting:
        refuse("Not the same number of function calls and responses")
    if before not in ("user", "tool"):
        refuse(f"Expected last role User or Tool (or Assistant with prefix True) for serving but got {before}")


def _said(message: Json) -> list[str]:
    calls = objects(message.get("tool_calls"))
    if not (message.get("content") or calls):
        refuse("Assistant message must have either content or tool_calls, but not none.")
    for call in calls:
        if strange := sorted(call.keys() - {"id", "type", "function", "index"}):
            refuse(f"extra_forbidden: tool_calls.{strange[0]}")
        if not IDENTITY.fullmatch(str(call.get("id"))):
            refuse(f"Tool call id was {call.get('id')} but must be a-z, A-Z, 0-9, with a length of 9.")
    return [str(call["id"]) for call in calls]
