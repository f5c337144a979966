"""Odd replies on order: what services really send, and no reference shows, in the words of who speaks each format.

Of the format that is OpenAI's: OpenRouter (`error200`, `busy200`, `flagged403`, `unpaid`), Groq (`tokens413`,
`badcall400`), the servers of Hugging Face (`context413`, `context422`) and llama.cpp (`context500`). What Anthropic and
Google say also comes by gateways, under statuses of their own.
"""

from local.model_server.exchange import Json, OddReply, Orders, Problem, Wire
from local.model_server.formats import anthropic, gemini, openai
from local.model_server.misbehaviour import ODD

INPUT_TOKENS, OUTPUT_TOKENS = 7, 30
"""What those replies tell that tell their usage."""

_THOUGHT = "Let me think about that first"
_BUSY_413 = (
    "Request too large for model `small` in organization `org_local` on tokens per minute (TPM): Limit 6000, Requested "
    "9000, please reduce your message size and try again."
)


def _openai(message: str, code: str | int | None, kind: str = "invalid_request_error") -> Json:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _anthropic(kind: str, message: str) -> Json:
    return {"type": "error", "error": {"type": kind, "message": message}}


def _gemini(code: int, status: str, message: str, *details: Json) -> Json:
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


def _completion(message: Json, finish: str) -> Json:
    usage = {"prompt_tokens": INPUT_TOKENS, "completion_tokens": OUTPUT_TOKENS}
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return {"id": "chatcmpl-odd", "object": "chat.completion", "choices": [choice], "usage": usage}


def _message(block: Json, stop: str) -> Json:
    usage = {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS}
    said = {"id": "msg_odd", "type": "message", "role": "assistant", "content": [block], "stop_reason": stop}
    return {**said, "usage": usage}


def _candidate(finish: str, **used: int) -> Json:
    usage = {"promptTokenCount": INPUT_TOKENS, **used}
    return {"candidates": [{"content": {"role": "model"}, "finishReason": finish}], "usageMetadata": usage}


_OF_OPENAI: dict[str, OddReply] = {
    "error200": OddReply(200, {"error": {"message": "Provider returned error", "code": 502}}),
    "busy200": OddReply(200, {"error": {"message": "The model is rate-limited upstream.", "code": 429}}),
    "tokens413": OddReply(413, _openai(_BUSY_413, "rate_limit_exceeded", "tokens")),
    "context413": OddReply(
        413, {"error": "Input validation error: `inputs` must have less than 512 tokens.", "error_type": "Validation"}
    ),
    "context422": OddReply(
        422,
        {
            "error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000",
            "error_type": "validation",
        },
    ),
    "context500": OddReply(
        500, _openai("the request exceeds the available context size", 500, "exceed_context_size_error")
    ),
    "flagged400": OddReply(
        400,
        _openai("Invalid prompt: it was flagged as potentially violating our usage policy.", "invalid_prompt"),
    ),
    "flagged403": OddReply(
        403,
        {
            "error": {
                "code": 403,
                "message": 'The chosen model requires moderation and your input was flagged for "violence".',
                "metadata": {"reasons": ["violence"], "flagged_input": "…", "provider_name": "local"},
            }
        },
    ),
    "unpaid": OddReply(402, _openai("This request requires more credits, or fewer max_tokens.", 402)),
    "thinking": OddReply(200, _completion({"content": None, "reasoning_content": _THOUGHT}, "length")),
    "badcall400": OddReply(
        400,
        _openai("Failed to call a function. Please adjust your prompt. See 'failed_generation'.", "tool_use_failed"),
    ),
}
_TOO_LONG = "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000"
_OF_ANTHROPIC: dict[str, OddReply] = {
    "error200": OddReply(200, _anthropic("api_error", "Internal server error")),
    "busy200": OddReply(200, _anthropic("overloaded_error", "Overloaded")),
    "tokens413": OddReply(
        413,
        _anthropic(
            "rate_limit_error", "This request would exceed the rate limit of 30,000 input tokens per minute of your …"
        ),
    ),
    "context413": OddReply(413, _anthropic("request_too_large", "prompt is too long: 200001 tokens > 200000 maximum")),
    "context422": OddReply(422, _anthropic("invalid_request_error", _TOO_LONG)),
    "context500": OddReply(500, _anthropic("api_error", _TOO_LONG)),
    "flagged400": OddReply(400, _anthropic("invalid_request_error", "Output blocked by content filtering policy")),
    "flagged403": OddReply(403, _anthropic("permission_error", "The prompt was flagged by our safety system.")),
    "unpaid": OddReply(402, _anthropic("billing_error", "There is an issue with your billing or payment information.")),
    "thinking": OddReply(200, _message({"type": "thinking", "thinking": _THOUGHT, "signature": "b2Rk"}, "max_tokens")),
    "badcall": OddReply(
        200, _message({"type": "tool_use", "id": "toolu_odd", "name": "nobody", "input": {}}, "tool_use")
    ),
}
_TOO_MANY = "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576)."
_OF_GEMINI: dict[str, OddReply] = {
    "error200": OddReply(200, _gemini(500, "INTERNAL", "An internal error has occurred.")),
    "busy200": OddReply(200, _gemini(429, "RESOURCE_EXHAUSTED", "Resource exhausted.")),
    "tokens413": OddReply(
        413, _gemini(413, "RESOURCE_EXHAUSTED", "Quota exceeded for the input token count per minute of this model.")
    ),
    "context413": OddReply(413, _gemini(413, "INVALID_ARGUMENT", _TOO_MANY)),
    "context422": OddReply(422, _gemini(422, "INVALID_ARGUMENT", _TOO_MANY)),
    "context500": OddReply(500, _gemini(500, "INTERNAL", _TOO_MANY)),
    "flagged200": OddReply(
        200,
        {
            "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
            "usageMetadata": {"promptTokenCount": INPUT_TOKENS, "totalTokenCount": INPUT_TOKENS},
        },
    ),
    "flagged400": OddReply(
        400,
        _gemini(
            400,
            "INVALID_ARGUMENT",
            "The prompt could not be submitted: it contains words that violate Google's Responsible AI practices.",
        ),
    ),
    "flagged403": OddReply(403, _gemini(403, "PERMISSION_DENIED", "Blocked by Model Armor: the prompt is harmful.")),
    "unpaid": OddReply(
        403,
        _gemini(
            403,
            "PERMISSION_DENIED",
            "This API method requires billing to be enabled.",
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "BILLING_DISABLED"},
        ),
    ),
    "thinking": OddReply(200, _candidate("MAX_TOKENS", thoughtsTokenCount=OUTPUT_TOKENS)),
    "badcall": OddReply(200, _candidate("MALFORMED_FUNCTION_CALL", candidatesTokenCount=OUTPUT_TOKENS)),
}

REPLIES: tuple[tuple[Wire, dict[str, OddReply]], ...] = (
    (openai, _OF_OPENAI),
    (anthropic, _OF_ANTHROPIC),
    (gemini, _OF_GEMINI),
)
"""By format and order."""


def ordered(form: Wire, orders: Orders) -> OddReply | None:
    """The first odd reply that was ordered, if any; raises Problem where the format knows none of that name."""
    replies = next((replies for wire, replies in REPLIES if wire is form), {})
    for order in orders:
        if order in ODD:
            if order not in replies:
                raise Problem("invalid", f"Misbehaviour '{order}' has no meaning here.", "model")
            return replies[order]
    return None
