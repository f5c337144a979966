"""What follows from the odd replies of each dialect: one row each, as the contract's table of errors has it."""

from dataclasses import dataclass, field
from typing import Any, Literal

from local.model_server.exchange import tokens
from local.model_server.odd.common import INPUT_TOKENS, OUTPUT_TOKENS

NARROW, WIDE = "oddly-narrow", "oddly-wide"
"""What is left to ask after an odd model: one whose window is smaller, and one whose window is larger."""

PROMPT = "What is the weather?"
USED = (INPUT_TOKENS, OUTPUT_TOKENS)
NOTHING_SAID = (tokens(len(PROMPT)), 0)
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
CHAT = {
    "input": {"messages": [{"role": "user", "content": PROMPT}], "tools": [TOOL]},
    "parameters": {"max_output_tokens": 50},
}


@dataclass(frozen=True)
class Dialect:
    """How models of one dialect are registered and asked."""

    facts: dict[str, Any]
    path: str | None = "/v1"
    """Of the local models; None for what is AWS's."""
    name: str = "small"
    body: dict[str, Any] = field(default_factory=lambda: CHAT)
    narrow: str = NARROW
    wide: str = WIDE


def _on_bedrock(name: str, **more: Any) -> Dialect:
    facts = {"provider": "bedrock", "endpoint": None, "secret": None, **more.pop("facts", {})}
    return Dialect(facts, None, name, **more)


DIALECTS: dict[str, Dialect] = {
    "openai": Dialect({"provider": "openai"}),
    "anthropic": Dialect({"provider": "anthropic"}),
    "gemini": Dialect({"provider": "gemini"}),
    "cohere": Dialect({"provider": "cohere"}, "/v2"),
    "mistral": Dialect({"provider": "mistral"}, "/mistral/v1"),
    "converse": _on_bedrock("any.claude"),
    "titan": _on_bedrock(
        "amazon.titan-embed-text-v2:0",
        facts={"tasks": ["embed"]},
        body={"task": "embed", "input": {"text": PROMPT}},
    ),
    "canvas": _on_bedrock(
        "amazon.nova-canvas-v1:0",
        facts={"tasks": ["generate_image"]},
        body={"task": "generate_image", "input": {"text": "A lighthouse."}},
        narrow="aws-canvas",
        wide="aws-stable",
    ),
}
"""The last three are Bedrock's `Converse`, and its `InvokeModel` of vectors and of pictures."""


@dataclass(frozen=True)
class Row:
    """One odd reply, by the order to the local models."""

    outcome: str
    codes: dict[str, str]
    """By dialect."""
    then: Literal["narrow", "wide"] | None = "narrow"
    """Who answers in its place; None where the job ends with the error."""
    times: int = 1
    """How often the odd model is asked."""
    paid: str | tuple[int, int] = "no"
    """`no`, `unknown`, or the tokens that the reply told."""
    opens: bool = False
    """Whether the tenant's own circuit opens at once."""
    counts: bool = False
    """Whether it counts as a failure of the model."""


def _each(openai: str, anthropic: str | None = None, gemini: str | None = None, **others: str) -> dict[str, str]:
    return {"openai": openai, "anthropic": anthropic or openai, "gemini": gemini or openai, **others}


def _all(code: str, *dialects: str) -> dict[str, str]:
    return dict.fromkeys(dialects, code)


_POLICY, _FILTERED = "content_policy", "content_filtered"
_LONG, _CUT = "context_exceeded", "output_truncated"
_GONE, _THROTTLED = "ResourceNotFoundException", "ThrottlingException"
_MISSING = _each("model_not_found", "not_found_error", "not_found", cohere="http_404")
_KEY = _each("invalid_api_key", "authentication_error", "unauthenticated", cohere="http_401", mistral="http_401")
_UNPAID = _each("http_402", "billing_error", "billing_disabled", cohere="http_402")
_BUSY = _each("rate_limit_exceeded", "rate_limit_error", "resource_exhausted")
_UPSTREAM = _each("http_429", "overloaded_error", "resource_exhausted")
_WITHOUT_HEADER = {
    "cohere": "http_429",
    "mistral": "service_tier_capacity_exceeded",
    **_all(_THROTTLED, "converse", "titan"),
}
_NO_CALL = {**_all("unknown_tool", "anthropic", "cohere", "mistral"), **_all("malformed_reply", "gemini", "converse")}
_FLAGGED = _each("invalid_prompt", _POLICY, _POLICY, **_all(_FILTERED, "converse", "canvas"))

ROWS: dict[str, Row] = {
    "error200": Row("Unavailable", _each("http_502", "http_500", "http_500"), times=2, paid="unknown", counts=True),
    "failed200": Row("Unavailable", _all("model_failed", "cohere", "mistral"), times=2, paid=USED, counts=True),
    "failed424": Row("Unavailable", _all("ModelErrorException", "converse"), times=2, paid="unknown", counts=True),
    "busy200": Row("Throttled", _UPSTREAM, counts=True),
    "busy400": Row("Throttled", _all("too_many_tokens", "converse"), counts=True),
    "busy429": Row("Throttled", _WITHOUT_HEADER, counts=True),
    "tokens413": Row("Throttled", _BUSY, counts=True),
    "limit400": Row("Rejected", _all("http_400", "cohere")),
    "context": Row("ContextExceeded", _each(_LONG, **_all(_LONG, "cohere", "mistral")), then="wide"),
    "context400": Row("ContextExceeded", _all(_LONG, "converse", "titan"), then="wide"),
    "context413": Row("ContextExceeded", _each(_LONG), then="wide"),
    "context422": Row("ContextExceeded", _each(_LONG), then="wide"),
    "context500": Row("ContextExceeded", _each(_LONG), then="wide"),
    "flagged400": Row("Refused", _FLAGGED, then=None),
    "flagged403": Row("Refused", _each("content_filter", _POLICY, _POLICY, mistral=_POLICY), then=None),
    "flagged498": Row("Refused", _all("blocked_word", "cohere"), then=None),
    "flagged200": Row(
        "Refused", {"gemini": "prompt_blocked", "converse": "guardrail_intervened"}, then=None, paid=(INPUT_TOKENS, 0)
    ),
    "held200": Row("Refused", _all(_FILTERED, "canvas"), then=None, paid="unknown"),
    "refused200": Row("Refused", _all("model_refused", "converse"), then=None, paid=USED),
    "refuse": Row("Refused", _each("model_refused", cohere="model_refused"), then=None, paid=NOTHING_SAID),
    "thinking": Row("Truncated", _each(_CUT, **_all(_CUT, "cohere", "mistral", "converse")), then=None, paid=USED),
    "full200": Row("Truncated", _all(_CUT, "mistral", "converse"), then=None, paid=USED),
    "badcall": Row("BadOutput", _NO_CALL, times=2, paid=USED),
    "badcall400": Row("BadOutput", _all("tool_use_failed", "openai"), times=2, paid="unknown"),
    "404": Row("ModelGone", _MISSING, opens=True, counts=True),
    "gone400": Row(
        "ModelGone",
        {"mistral": "invalid_model", **_all("model_not_available", "converse", "titan")},
        opens=True,
        counts=True,
    ),
    "gone403": Row("ModelGone", _all("AccessDeniedException", "converse"), opens=True, counts=True),
    "gone404": Row("ModelGone", _all(_GONE, "converse", "titan", "canvas"), opens=True, counts=True),
    "401": Row("CredentialRejected", _KEY, opens=True, counts=True),
    "key403": Row("CredentialRejected", _all("UnrecognizedClientException", "converse"), opens=True, counts=True),
    "unpaid": Row("CredentialRejected", _UNPAID, opens=True, counts=True),
    "timeout408": Row("ModelTimedOut", _all("ModelTimeoutException", "converse"), paid="unknown", counts=True),
    "hang": Row("ModelTimedOut", _each("timeout"), paid="unknown", counts=True),
}

CASES = [(dialect, order) for order, row in ROWS.items() for dialect in row.codes]


def model_of(dialect: str, order: str) -> str:
    """The model that replies so; each has a circuit of its own."""
    return f"oddly-{dialect}-{order}"


def body_of(dialect: str, order: str) -> dict[str, Any]:
    """The request that it gets."""
    asked = DIALECTS[dialect]
    return {**asked.body, "model": model_of(dialect, order), "routing": {"fallbacks": [asked.narrow, asked.wide]}}


def models(models_url: str) -> list[dict[str, Any]]:
    """What to register."""
    after = {"name": "small", "tasks": ["chat", "embed"]}
    found: list[dict[str, Any]] = [{"id": NARROW, "context_window": 50_000, **after}, {"id": WIDE, **after}]
    for dialect, order in CASES:
        asked = DIALECTS[dialect]
        entry = {"id": model_of(dialect, order), "name": f"{asked.name}!{order}", "context_window": 100_000}
        where = {"endpoint": f"{models_url}{asked.path}"} if asked.path else {}
        found.append(entry | where | asked.facts | {"timeout_s": 3 if order == "hang" else 30})
    return found
