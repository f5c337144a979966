"""Odd replies of Amazon Bedrock: `Converse`, and `InvokeModel` of vectors and of pictures.

Source: Amazon Bedrock API Reference, the errors of both; Amazon Nova User Guide, "Error handling"; and reports of its
users, for an error's own words.
"""

from local.model_server.exchange import Json, OddReply
from local.model_server.odd.common import INPUT_TOKENS, OUTPUT_TOKENS, THOUGHT


def error(status: int, name: str, message: str) -> OddReply:
    """An exception of the service."""
    return OddReply(status, {"__type": name, "message": message})


def _said(stop: str, *content: Json, out: int = OUTPUT_TOKENS) -> OddReply:
    usage = {"inputTokens": INPUT_TOKENS, "outputTokens": out, "totalTokens": INPUT_TOKENS + out}
    message = {"role": "assistant", "content": list(content)}
    return OddReply(
        200, {"output": {"message": message}, "stopReason": stop, "usage": usage, "metrics": {"latencyMs": 1}}
    )


_BLOCKED = (
    "This request has been blocked by our content filters. Please adjust your text prompt to submit a new request."
)
_ALWAYS: dict[str, OddReply] = {
    "busy429": error(429, "ThrottlingException", "Too many requests, please wait before trying again."),
    "gone400": error(400, "ValidationException", "The provided model identifier is invalid."),
    "gone403": error(403, "AccessDeniedException", "You don't have access to the model with the specified model ID."),
    "gone404": error(
        404,
        "ResourceNotFoundException",
        "This model version has reached the end of its life. Please refer to the AWS documentation for more details.",
    ),
    "key403": error(403, "UnrecognizedClientException", "The security token included in the request is invalid."),
    "failed424": error(424, "ModelErrorException", "The system encountered an unexpected error during processing."),
    "timeout408": error(408, "ModelTimeoutException", "Model has timed out in processing the request."),
}

CONVERSE: dict[str, OddReply] = {
    **_ALWAYS,
    "busy400": error(400, "ValidationException", "Too many tokens, please wait before trying again."),
    "context400": error(400, "ValidationException", "Input is too long for requested model."),
    "flagged200": _said("guardrail_intervened", {"text": "Sorry, the model cannot answer this question."}, out=0),
    "flagged400": error(400, "ValidationException", _BLOCKED),
    "refused200": _said("content_filtered", {"text": "I'm"}),
    "thinking": _said("max_tokens", {"reasoningContent": {"reasoningText": {"text": THOUGHT}}}),
    "full200": _said("model_context_window_exceeded"),
    "badcall": _said("malformed_tool_use"),
}
INVOKE: dict[str, OddReply] = {
    **_ALWAYS,
    "context400": error(
        400,
        "ValidationException",
        "400 Bad Request: Too many input tokens. Max input tokens: 8192, request input token count: 9219",
    ),
    "held200": OddReply(
        200, {"images": [], "error": "All of the generated images have been blocked by our content filters."}
    ),
    "flagged400": error(400, "ValidationException", _BLOCKED),
}
"""By order."""
