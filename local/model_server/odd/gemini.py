"""Odd replies in Gemini's format, which also come by gateways, under statuses of their own."""

from local.model_server.exchange import Json, OddReply
from local.model_server.odd.common import INPUT_TOKENS, OUTPUT_TOKENS

_TOO_MANY = "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576)."


def _error(code: int, status: str, message: str, *details: Json) -> Json:
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


def _candidate(finish: str, **used: int) -> Json:
    usage = {"promptTokenCount": INPUT_TOKENS, **used}
    return {"candidates": [{"content": {"role": "model"}, "finishReason": finish}], "usageMetadata": usage}


REPLIES: dict[str, OddReply] = {
    "error200": OddReply(200, _error(500, "INTERNAL", "An internal error has occurred.")),
    "busy200": OddReply(200, _error(429, "RESOURCE_EXHAUSTED", "Resource exhausted.")),
    "tokens413": OddReply(
        413, _error(413, "RESOURCE_EXHAUSTED", "Quota exceeded for the input token count per minute of this model.")
    ),
    "context413": OddReply(413, _error(413, "INVALID_ARGUMENT", _TOO_MANY)),
    "context422": OddReply(422, _error(422, "INVALID_ARGUMENT", _TOO_MANY)),
    "context500": OddReply(500, _error(500, "INTERNAL", _TOO_MANY)),
    "flagged200": OddReply(
        200,
        {
            "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
            "usageMetadata": {"promptTokenCount": INPUT_TOKENS, "totalTokenCount": INPUT_TOKENS},
        },
    ),
    "flagged400": OddReply(
        400,
        _error(
            400,
            "INVALID_ARGUMENT",
            "The prompt could not be submitted: it contains words that violate Google's Responsible AI practices.",
        ),
    ),
    "flagged403": OddReply(403, _error(403, "PERMISSION_DENIED", "Blocked by Model Armor: the prompt is harmful.")),
    "unpaid": OddReply(
        403,
        _error(
            403,
            "PERMISSION_DENIED",
            "This API method requires billing to be enabled.",
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "BILLING_DISABLED"},
        ),
    ),
    "thinking": OddReply(200, _candidate("MAX_TOKENS", thoughtsTokenCount=OUTPUT_TOKENS)),
    "badcall": OddReply(200, _candidate("MALFORMED_FUNCTION_CALL", candidatesTokenCount=OUTPUT_TOKENS)),
}
