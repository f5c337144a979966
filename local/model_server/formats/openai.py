"""OpenAI's chat completions and error bodies."""

import math

from local.model_server.exchange import (
    CREATED,
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
from local.model_server.rules import openai as rules

_REFUSAL = "I'm sorry, but I can't assist with that request."
_ERRORS: dict[Kind, tuple[str, str | None, str]] = {
    "invalid": ("invalid_request_error", None, "Invalid request."),
    "context": (
        "invalid_request_error",
        "context_length_exceeded",
        "This model's maximum context length is 8192 tokens. However, your messages resulted in more tokens than "
        "that. Please reduce the length of the messages.",
    ),
    "credentials": ("invalid_request_error", "invalid_api_key", "Incorrect API key provided: sk-w***ng."),
    "forbidden": (
        "invalid_request_error",
        "model_not_found",
        "Project `proj_local` does not have access to model `{model}`.",
    ),
    "not_found": (
        "invalid_request_error",
        "model_not_found",
        "The model `{model}` does not exist or you do not have access to it.",
    ),
    "method": ("invalid_request_error", None, "Not allowed to use this method here."),
    "too_large": ("invalid_request_error", None, "Request body is too large."),
    "throttled": (
        "requests",
        "rate_limit_exceeded",
        "Rate limit reached for {model} in organization org-local on requests per min (RPM): Limit 1, Used 1, "
        "Requested 1. Please try again in {seconds:g}s.",
    ),
    "server": ("server_error", None, "The server had an error while processing your request. Sorry about that!"),
    "unavailable": ("server_error", None, "The engine is currently overloaded, please try again later."),
}


def error(problem: Problem, request_id: str) -> Json:
    """Give the body of an error reply; the request id is in a header only."""
    kind, code, words = _ERRORS[problem.kind]
    own_words = words.format(model=problem.model, seconds=problem.retry_after or 0)
    return {
        "error": {
            "message": problem.message or own_words,
            "type": kind,
            "param": problem.param or ("messages" if problem.kind == "context" else None),
            "code": problem.code if problem.message else code,
        }
    }


def headers(problem: Problem | None, request_id: str) -> dict[str, str]:
    """Add the request id, and on a 429 how long to wait in seconds and in milliseconds."""
    added = {"x-request-id": request_id, "openai-version": "2020-10-01"}
    if problem is not None and problem.retry_after is not None:
        added["retry-after-ms"] = str(math.ceil(problem.retry_after * 1000))
    return added


def read(request: Request) -> Ask:
    """Read a chat completion request."""
    ask = asked(request)
    rules.check(request.body)
    return ask


def asked(request: Request) -> Ask:
    """Take the format off, for services that refuse other things than OpenAI does."""
    body = request.body
    if body.get("stream") or body.get("n") not in (None, 1):
        param = "stream" if body.get("stream") else "n"
        raise Problem("invalid", f"Unsupported value: '{param}'.", param, "unsupported_value")
    if not body.get("messages"):
        raise Problem("invalid", "Missing required parameter: 'messages'.", "messages", "missing_required_parameter")
    roles = {"developer": "system", "tool": "user", "function": "user"}
    turns = tuple(
        SpokenTurn(roles.get(role := str(entry.get("role")), role), text_of(entry.get("content"), "messages"))
        for entry in items(body["messages"], "messages")
    )
    maximum = body.get("max_completion_tokens", body.get("max_tokens"))
    return Ask(turns, _schema(body), _tool(body), limit(maximum, "max_completion_tokens"))


def _schema(body: Json) -> Json | None:
    wanted = mapping(body.get("response_format"), "response_format")
    match wanted.get("type", "text"):
        case "text":
            return None
        case "json_object":
            return {}
        case "json_schema":
            param = "response_format.json_schema"
            wrapper = mapping(wanted.get("json_schema"), param)
            if not wrapper.get("name"):
                raise Problem("invalid", f"Missing required parameter: '{param}.name'.", f"{param}.name",
                              "missing_required_parameter")  # fmt: skip
            return mapping(wrapper.get("schema"), f"{param}.schema")
        case other:
            raise Problem("invalid", f"Invalid value: '{other}'.", "response_format.type", "invalid_value")


def _tool(body: Json) -> ForcedTool | None:
    choice = body.get("tool_choice")
    if choice in (None, "none", "auto"):
        return None
    name = None if choice == "required" else mapping(mapping(choice, "tool_choice").get("function"), "tool_choice")
    functions = [mapping(tool.get("function"), "tools") for tool in items(body.get("tools"), "tools")]
    tools = [
        ForcedTool(str(entry.get("name")), mapping(entry.get("parameters"), "tools"), name is not None)
        for entry in functions
    ]
    return pick_tool(tools, None if name is None else name.get("name", ""), "tool_choice")


def write(request: Request, ask: Ask, answer: Answer) -> Json:
    """Write a chat completion. A tool forced by name ends with ``stop``, one that was only demanded with its own."""
    message: Json = {"role": "assistant", "content": answer.text, "refusal": None, "annotations": []}
    finish: str = answer.finish
    if answer.finish == "refusal":
        message |= {"content": None, "refusal": _REFUSAL}
        finish = "content_filter"
    elif ask.tool and answer.text:
        function = {"name": ask.tool.name, "arguments": answer.text}
        calls = [{"id": f"call_{request.seed[:24]}", "type": "function", "function": function}]
        message |= {"content": None, "tool_calls": calls}
        if finish == "stop" and not ask.tool.named:
            finish = "tool_calls"
    return {
        "id": f"chatcmpl-{request.seed[:29]}",
        "object": "chat.completion",
        "created": CREATED,
        "model": request.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": answer.input_tokens,
            "completion_tokens": answer.output_tokens,
            "total_tokens": answer.input_tokens + answer.output_tokens,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        "service_tier": "default",
        "system_fingerprint": "fp_local",
    }
