"""What services really say when they fail, and what it means: status, body and class."""

from typing import Any

from broker.errors import (
    BadOutput,
    BrokerError,
    ContextExceeded,
    CredentialRejected,
    ModelGone,
    ModelTimedOut,
    Refused,
    Throttled,
    Unavailable,
)

from tests.unit.dialects.base import WORDS

Row = tuple[int, Any, type[BrokerError]]


def framed(message: str = WORDS, code: Any = None, kind: str = "invalid_request_error", param: Any = None) -> Any:
    """OpenAI's frame."""
    return {"error": {"message": f"{message} {WORDS}", "type": kind, "code": code, "param": param}}


def flat(message: str, kind: str = "BadRequestError", code: Any = 400) -> Any:
    """Of vLLM, SGLang, Mistral."""
    return {"object": "error", "message": f"{message} {WORDS}", "type": kind, "param": None, "code": code}


def google(status: str, message: str = WORDS, *details: Any) -> Any:
    return {"error": {"code": 400, "message": f"{message} {WORDS}", "status": status, "details": list(details)}}


LONG: dict[str, tuple[int, Any]] = {
    "openai": (400, framed("This model's maximum context length is 8192 tokens. However, you requested 9000 tokens.")),
    "openai, by code": (400, framed(code="context_length_exceeded")),
    "openai, of its responses": (400, framed("Input tokens exceed the configured limit of 272000 tokens.")),
    "openai, of a window": (400, framed("Your input exceeds the context window of this model.")),
    "vllm": (400, flat("This model's maximum context length is 8192 tokens. However, your request has 9000.")),
    "vllm, of both": (
        400,
        flat(
            "'max_tokens' or 'max_completion_tokens' is too large: 4096. This model's maximum context length is 8192 "
            "tokens and your request has 5000 input tokens"
        ),
    ),
    "vllm, of a prompt": (400, flat("The decoder prompt (length 9) is longer than the maximum model length of 8.")),
    "sglang": (400, flat("The input (9000 tokens) is longer than the model's context length (8192 tokens).")),
    "llama.cpp": (500, framed("the request exceeds the available context size", 500, "exceed_context_size_error")),
    "llama.cpp, in words": (400, framed("the request exceeds the available context size, try increasing it")),
    "ollama": (400, framed("input length exceeds the context length")),
    "ollama, newer": (400, {"error": f"prompt too long; exceeded max context length by 9 tokens {WORDS}"}),
    "groq": (400, framed("Please reduce the length of the messages or completion.")),
    "perplexity": (400, framed("Prompt is too long: 140000 tokens exceed the limit of 127072")),
    "xai": (
        400,
        {
            "code": "Client specified an invalid argument",
            "error": f"This model's maximum prompt length is 131072 but the request contains 140000 tokens. {WORDS}",
        },
    ),
    "tgi": (422, {"error": f"`inputs` tokens + `max_new_tokens` must be <= 4096. {WORDS}", "error_type": "validation"}),
    "tei": (413, {"error": f"`inputs` must have less than 512 tokens. {WORDS}", "error_type": "Validation"}),
    "mistral": (400, flat("Prompt contains 66385 tokens, too large for model with 32768 maximum context length")),
    "cohere": (400, {"message": f"too many tokens: total number of tokens cannot exceed 4081 {WORDS}"}),
    "anthropic": (400, framed("prompt is too long: 200001 tokens > 200000 maximum")),
    "anthropic, of both": (400, framed("input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000")),
    "anthropic, by status": (413, framed("prompt is too long: 200001 tokens > 200000 maximum")),
    "gemini": (
        400,
        google("INVALID_ARGUMENT", "The input token count (9) exceeds the maximum number of tokens allowed (8)."),
    ),
    "openrouter": (
        400,
        {
            "error": {
                "message": "Provider returned error",
                "code": 400,
                "metadata": {"raw": '{"error": {"message": "Prompt is too long, the maximum context is 8"}}'},
            }
        },
    ),
    "dashscope": (400, framed("Range of input length should be [1, 30720]")),
}
"""A prompt beyond the window."""

REFUSED: dict[str, tuple[int, Any]] = {
    "openai": (400, framed("Invalid prompt: your prompt was flagged as potentially violating our usage policy.")),
    "openai, by code": (400, framed(code="invalid_prompt")),
    "openai, of pictures": (
        400,
        framed("Your request was rejected as a result of our safety system.", "moderation_blocked"),
    ),
    "azure": (
        400,
        {
            "error": {
                "inner_error": {"code": "ResponsibleAIPolicyViolation"},
                "code": "content_filter",
                "message": WORDS,
                "param": "prompt",
            }
        },
    ),
    "azure, inside alone": (400, {"error": {"code": None, "innererror": {"code": "ResponsibleAIPolicyViolation"}}}),
    "anthropic": (400, framed("Output blocked by content filtering policy")),
    "xai": (
        403,
        {
            "code": "The caller does not have permission",
            "error": f"Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_CSAM {WORDS}",
        },
    ),
    "openrouter": (
        403,
        {
            "error": {
                "code": 403,
                "message": "Your chosen model requires moderation and your input was flagged",
                "metadata": {"reasons": ["violence"], "flagged_input": WORDS, "provider_name": "x"},
            }
        },
    ),
    "openrouter, by its metadata": (
        403,
        {"error": {"code": 403, "message": "No.", "metadata": {"flagged_input": WORDS}}},
    ),
    "mistral, of a guardrail": (403, flat("Content blocked by guardrail", "invalid_request_error", None)),
    "a 403 of a policy": (403, {"error": {"message": f"Blocked by policy {WORDS}"}}),
    "a 403 of content": (403, {"detail": f"This content cannot be generated. {WORDS}"}),
    "dashscope": (400, framed(code="data_inspection_failed")),
    "for legal reasons": (451, {"error": {"message": WORDS}}),
}

GONE: dict[str, tuple[int, Any]] = {
    "openai": (404, framed("The model `gpt-4-32k` has been deprecated", "model_not_found")),
    "openai, of a project": (403, framed("Project `proj_x` does not have access to model `gpt-4`")),
    "a region": (403, framed("Country, region, or territory not supported", "unsupported_country_region_territory")),
    "groq": (400, framed("The model `x` has been decommissioned and is no longer supported.", "model_decommissioned")),
    "perplexity": (400, framed("Invalid model 'x'. Permitted models can be found in the documentation")),
    "deepseek": (400, framed("Model Not Exist")),
    "ollama": (400, {"error": f'model "llama9" not found, try pulling it first {WORDS}'}),
    "hugging face": (400, framed("The requested model 'a/b' is not supported by any provider you have enabled.")),
    "a region's policy": (403, framed("This model is not available in your region by policy.")),
    "no model": (400, framed("No model found: x")),
    "mistral": (400, flat("Invalid model: x", "invalid_model", "1500")),
    "cohere": (404, {"message": f"model 'x' was removed on September 15, 2025. {WORDS}"}),
    "openrouter": (400, framed("acme/none is not a valid model ID")),
    "openrouter, of nobody": (404, framed("No endpoints found for acme/none.")),
    "azure": (404, {"error": {"code": "DeploymentNotFound", "message": WORDS}}),
    "gemini": (404, google("NOT_FOUND", "models/x is not found for API version v1beta")),
    "gemini, of a region": (400, google("FAILED_PRECONDITION", "User location is not supported for the API use.")),
    "gone": (410, {"error": {"message": "gone"}}),
    "a page": (404, b"<html><body>Not found</body></html>"),
}

KEYS: dict[str, tuple[int, Any]] = {
    "openai": (401, framed("Incorrect API key provided", "invalid_api_key")),
    "openai, unpaid": (429, framed("You exceeded your current quota", "insufficient_quota", "insufficient_quota")),
    "openrouter": (402, framed("This request requires more credits, or fewer max_tokens.", 402)),
    "anthropic": (400, framed("Your credit balance is too low to access the Anthropic API.")),
    "a 403 of nothing": (403, {"error": {"message": WORDS}}),
    "a 403 of a page": (403, b"<html>moderation</html>"),
    "a 403 of a permission": (403, framed("You have insufficient permissions for this operation.")),
    "a 403 of an account's policy": (403, framed("Your organization's policy does not allow this.")),
    "gemini": (400, google("INVALID_ARGUMENT", "API key not valid.", {"reason": "API_KEY_INVALID"})),
}

BUSY: dict[str, tuple[int, Any]] = {
    "openai, of a request": (
        429,
        framed(
            "Request too large for gpt-4 in organization x on tokens per min (TPM)", "rate_limit_exceeded", "tokens"
        ),
    ),
    "groq, by a 413": (
        413,
        framed(
            "Request too large for model `x` on tokens per minute (TPM): Limit 6000", "rate_limit_exceeded", "tokens"
        ),
    ),
    "groq, in words": (413, framed("Request too large for model `x` on tokens per minute (TPM): Limit 6000", None)),
    "in words": (400, {"error": f"Rate limit reached for requests {WORDS}"}),
    "an overload": (529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
    "openai, slow down": (503, framed(code="slow_down")),
    "mistral, of a tier": (503, flat("Service tier capacity exceeded", "service_tier_capacity_exceeded", "3505")),
    "cohere": (429, {"message": f"You are using a Trial key, which is limited to 40 API calls / minute. {WORDS}"}),
}


OTHERS: dict[str, Row] = {
    "groq, of a tool": (400, framed("Failed to call a function.", "tool_use_failed"), BadOutput),
    "groq, of JSON": (400, framed("Failed to generate JSON.", "json_validate_failed"), BadOutput),
    "gemini, too late": (504, google("DEADLINE_EXCEEDED"), ModelTimedOut),
    "a gateway, too late": (524, b"error code: 524", ModelTimedOut),
    "a page that is down": (500, b"<html>x</html>", Unavailable),
}

ERRORS: dict[str, Row] = {
    f"{kind.__name__}: {name}": (status, body, kind)
    for kind, table in (
        (ContextExceeded, LONG),
        (Refused, REFUSED),
        (ModelGone, GONE),
        (CredentialRejected, KEYS),
        (Throttled, BUSY),
    )
    for name, (status, body) in table.items()
} | {f"{row[2].__name__}: {name}": row for name, row in OTHERS.items()}
