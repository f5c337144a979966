"""Odd replies in OpenAI's format, of those who speak it.

These are OpenRouter (`error200`, `busy200`, `flagged403`, `unpaid`), Groq (`tokens413`, `badcall400`), the servers of
Hugging Face (`context413`, `context422`) and llama.cpp (`context500`).
"""

from local.model_server.exchange import Json, OddReply
from local.model_server.odd.common import INPUT_TOKENS, OUTPUT_TOKENS, THOUGHT

_BUSY_413 = (
    "Request too large for model `small` in organization `org_local` on tokens per minute (TPM): Limit 6000, Requested "
    "9000, please reduce your message size and try again."
)


def _error(message: str, code: str | int | None, kind: str = "invalid_request_error") -> Json:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def completion(message: Json, finish: str) -> Json:
    """A completion, also as Mistral has it."""
    usage = {"prompt_tokens": INPUT_TOKENS, "completion_tokens": OUTPUT_TOKENS}
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return {"id": "chatcmpl-odd", "object": "chat.completion", "choices": [choice], "usage": usage}


REPLIES: dict[str, OddReply] = {
    "error200": OddReply(200, {"error": {"message": "Provider returned error", "code": 502}}),
    "busy200": OddReply(200, {"error": {"message": "The model is rate-limited upstream.", "code": 429}}),
    "tokens413": OddReply(413, _error(_BUSY_413, "rate_limit_exceeded", "tokens")),
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
        500, _error("the request exceeds the available context size", 500, "exceed_context_size_error")
    ),
    "flagged400": OddReply(
        400,
        _error("Invalid prompt: it was flagged as potentially violating our usage policy.", "invalid_prompt"),
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
    "unpaid": OddReply(402, _error("This request requires more credits, or fewer max_tokens.", 402)),
    "thinking": OddReply(200, completion({"content": None, "reasoning_content": THOUGHT}, "length")),
    "badcall400": OddReply(
        400,
        _error("Failed to call a function. Please adjust your prompt. See 'failed_generation'.", "tool_use_failed"),
    ),
}
