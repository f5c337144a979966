"""What services really say when they reject a request: status, body, the error's code, and the field at fault."""

from typing import Any

from tests.unit.dialects.base import WORDS
from tests.unit.dialects.error_texts import framed, google

REJECTED: dict[str, tuple[int, Any, str, str | None]] = {
    "openai": (
        400,
        framed("Unsupported value: 'temperature' does not support 0.2.", "unsupported_value", param="temperature"),
        "unsupported_value",
        "parameters.temperature",
    ),
    "openai, of a limit": (
        400,
        framed("max_tokens is too large: 9. This model supports at most 8 completion tokens", None, param="max_tokens"),
        "http_400",
        "parameters.max_output_tokens",
    ),
    "openai, of a message": (
        400,
        framed(code="invalid_value", param="messages[1].content[0].type"),
        "invalid_value",
        "input.messages.1.content",
    ),
    "openai, of a message that is not the request's": (
        400,
        framed(code="invalid_value", param="messages[2].content"),
        "invalid_value",
        "input.messages",
    ),
    "openai, of a tool": (
        400,
        framed(code="invalid_function_parameters", param="tools[0].function.parameters"),
        "invalid_function_parameters",
        "input.tools.0",
    ),
    "openai, of a tool's choice": (400, framed(code="x", param="tool_choice"), "http_400", "input.tool_choice"),
    "openai, of a schema": (
        400,
        framed("Invalid schema for response_format 'answer'", None, param="response_format"),
        "http_400",
        "output_schema",
    ),
    "groq, of a limit": (
        400,
        framed("`max_completion_tokens` must be less than or equal to `9`, which is less than the `context_window`"),
        "http_400",
        "parameters.max_output_tokens",
    ),
    "tgi, of a limit": (
        422,
        {"error": f"Input validation error: `max_new_tokens` must be <= 512. {WORDS}", "error_type": "validation"},
        "http_422",
        "parameters.max_output_tokens",
    ),
    "cohere, of a limit": (
        400,
        {"message": f"too many tokens: max tokens must be less than or equal to 9, the maximum output. {WORDS}"},
        "http_400",
        None,
    ),
    "what a model does not support": (
        400,
        framed("The model `x` is not supported with the parameter 'temperature'."),
        "http_400",
        "parameters.temperature",
    ),
    "a field that is not known": (400, framed(code=WORDS, param=WORDS), "http_400", None),
    "fastapi": (
        422,
        {"detail": [{"type": "extra_forbidden", "loc": ["body", "messages", 0, "user", "content"], "msg": WORDS}]},
        "extra_forbidden",
        "input.messages.0",
    ),
    "mistral": (
        422,
        {
            "object": "error",
            "message": {"detail": [{"type": "less_than_equal", "loc": ["body", "temperature"], "msg": WORDS}]},
            "type": "invalid_request_error",
            "code": None,
        },
        "http_422",
        "parameters.temperature",
    ),
    "google": (
        400,
        google(
            "INVALID_ARGUMENT", WORDS, {"fieldViolations": [{"field": "generation_config.top_p", "description": WORDS}]}
        ),
        "invalid_argument",
        "parameters.top_p",
    ),
    "in words": (
        400,
        {"error": f"messages.1.content: Input should be a valid string {WORDS}"},
        "http_400",
        "input.messages.1.content",
    ),
    "openrouter": (404, framed("No endpoints found that support tool use.", 404), "http_404", "input.tools"),
    "a page": (413, b"<html>temperature</html>", "http_413", None),
}
"""The last two: the error's code and field."""
