"""Anthropic's messages and error bodies."""

import json
from hashlib import sha256

from local.model_server.exchange import (
    Answer,
    Ask,
    ForcedTool,
    Json,
    Kind,
    Problem,
    Request,
    SpokenTurn,
    items,
    limit,
    mapping,
    pick_tool,
    text_of,
)
from local.model_server.rules import anthropic as rules

_ERRORS: dict[Kind, tuple[str, str]] = {
    "invalid": ("invalid_request_error", "Invalid request."),
    "context": ("invalid_request_error", "prompt is too long: 200001 tokens > 200000 maximum"),
    "credentials": ("authentication_error", "invalid x-api-key"),
    "forbidden": ("permission_error", "Your API key does not have permission to use the specified resource."),
    "not_found": ("not_found_error", "model: {model}"),
    "method": ("invalid_request_error", "Method Not Allowed"),
    "too_large": ("request_too_large", "Request exceeds the maximum size"),
    "throttled": ("rate_limit_error", "This request would exceed your organization's rate limit."),
    "server": ("api_error", "Internal server error"),
    "unavailable": ("overloaded_error", "Overloaded"),
}
THOUGHT_TOKENS = 11
_FINISH = {"stop": "end_turn", "length": "max_tokens", "refusal": "refusal"}


def error(problem: Problem, request_id: str) -> Json:
    """Give the body of an error reply."""
    kind, words = _ERRORS[problem.kind]
    message = problem.message or words.format(model=problem.model)
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id}


def headers(problem: Problem | None, request_id: str) -> dict[str, str]:
    """Add the request id."""
    return {"request-id": request_id}


def read(request: Request) -> Ask:
    """Read a request; ``output_config.format`` (once ``output_format``) asks for JSON to a schema."""
    body = request.body
    if not request.headers.get("anthropic-version"):
        raise Problem("invalid", "anthropic-version: header is required")
    for field in ("max_tokens", "messages"):
        if not body.get(field):
            raise Problem("invalid", f"{field}: Field required")
    if body.get("stream"):
        raise Problem("invalid", "stream: Streaming is not supported")
    messages = items(body["messages"], "messages")
    rules.check(body | {"model": request.model})
    for block in (block for entry in messages if isinstance(said := entry.get("content"), list) for block in said):
        if block.get("type") == "thinking" and block.get("signature") != _signature(str(block.get("thinking"))):
            raise Problem("invalid", "messages: Invalid `signature` in `thinking` block")
    turns = [SpokenTurn(str(entry.get("role")), _said(entry.get("content"))) for entry in messages]
    if system := text_of(body.get("system"), "system"):
        turns.insert(0, SpokenTurn("system", system))
    wanted = mapping(body.get("output_config"), "output_config").get("format") or body.get("output_format")
    schema = mapping(mapping(wanted, "output_config.format").get("schema"), "schema") if wanted else None
    return Ask(tuple(turns), schema, _tool(body), limit(body["max_tokens"], "max_tokens"))


def _signature(thought: str) -> str:
    return sha256(f"thought by {thought}".encode()).hexdigest()


def _said(content: object) -> str:
    if isinstance(content, list):
        results = [part.get("content") for part in items(content, "messages") if part.get("type") == "tool_result"]
        return "\n".join(filter(None, [text_of(content, "messages"), *(text_of(part, "messages") for part in results)]))
    return text_of(content, "messages")


def _tool(body: Json) -> ForcedTool | None:
    choice = mapping(body.get("tool_choice"), "tool_choice")
    if choice.get("type") not in ("tool", "any"):
        return None
    named = choice["type"] == "tool"
    tools = [
        ForcedTool(str(entry.get("name")), mapping(entry.get("input_schema"), "tools"), named)
        for entry in items(body.get("tools"), "tools")
    ]
    return pick_tool(tools, choice.get("name", "") if named else None, "tool_choice")


def _thought(body: Json, answer: Answer) -> Json | None:
    """What comes before an answer where thinking is asked for."""
    if mapping(body.get("thinking"), "thinking").get("type") not in ("enabled", "adaptive") or not answer.text:
        return None
    text = f"I answer in {len(answer.text.split())} words."
    return {"type": "thinking", "thinking": text, "signature": _signature(text)}


def write(request: Request, ask: Ask, answer: Answer) -> Json:
    """Write a message; a tool's input that was cut off is an empty object, and a refusal has no content."""
    reason = _FINISH[answer.finish]
    content: list[Json] = [{"type": "text", "text": answer.text}] if answer.text else []
    if ask.tool and answer.text:
        whole = answer.finish == "stop"
        arguments = json.loads(answer.text) if whole else {}
        content = [{"type": "tool_use", "id": f"toolu_{request.seed[:24]}", "name": ask.tool.name, "input": arguments}]
        reason = "tool_use" if whole else reason
    thought = _thought(request.body, answer)
    return {
        "id": f"msg_{request.seed[:24]}",
        "type": "message",
        "role": "assistant",
        "model": request.model,
        "content": [*([thought] if thought else []), *content],
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": {
            "input_tokens": answer.input_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": answer.output_tokens + THOUGHT_TOKENS * bool(thought),
            "output_tokens_details": {"thinking_tokens": THOUGHT_TOKENS * bool(thought)},
            "service_tier": "standard",
        },
    }
