"""Odd replies in Anthropic's format, which also come by gateways, under statuses of their own."""

from local.model_server.exchange import Json, OddReply
from local.model_server.odd.common import INPUT_TOKENS, OUTPUT_TOKENS, THOUGHT

_TOO_LONG = "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000"


def _error(kind: str, message: str) -> Json:
    return {"type": "error", "error": {"type": kind, "message": message}}


def _message(block: Json, stop: str) -> Json:
    usage = {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS}
    said = {"id": "msg_odd", "type": "message", "role": "assistant", "content": [block], "stop_reason": stop}
    return {**said, "usage": usage}


REPLIES: dict[str, OddReply] = {
    "error200": OddReply(200, _error("api_error", "Internal server error")),
    "busy200": OddReply(200, _error("overloaded_error", "Overloaded")),
    "tokens413": OddReply(
        413,
        _error(
            "rate_limit_error", "This request would exceed the rate limit of 30,000 input tokens per minute of your …"
        ),
    ),
    "context413": OddReply(413, _error("request_too_large", "prompt is too long: 200001 tokens > 200000 maximum")),
    "context422": OddReply(422, _error("invalid_request_error", _TOO_LONG)),
    "context500": OddReply(500, _error("api_error", _TOO_LONG)),
    "flagged400": OddReply(400, _error("invalid_request_error", "Output blocked by content filtering policy")),
    "flagged403": OddReply(403, _error("permission_error", "The prompt was flagged by our safety system.")),
    "unpaid": OddReply(402, _error("billing_error", "There is an issue with your billing or payment information.")),
    "thinking": OddReply(200, _message({"type": "thinking", "thinking": THOUGHT, "signature": "b2Rk"}, "max_tokens")),
    "badcall": OddReply(
        200, _message({"type": "tool_use", "id": "toolu_odd", "name": "nobody", "input": {}}, "tool_use")
    ),
}
