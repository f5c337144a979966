"""What follows from the odd replies of each dialect: one row each, as the contract's table of errors has it."""

from dataclasses import dataclass
from typing import Any

from local.model_server.exchange import tokens
from local.model_server.odd import INPUT_TOKENS, OUTPUT_TOKENS

NARROW, WIDE = "oddly-narrow", "oddly-wide"
"""What is left to ask after an odd model: one whose window is smaller, and one whose window is larger."""

PROMPT = "What is the weather?"
USED = (INPUT_TOKENS, OUTPUT_TOKENS)
NOTHING_SAID = (tokens(len(PROMPT)), 0)


@dataclass(frozen=True)
class Row:
    """One odd reply, by the order to the local models."""

    outcome: str
    codes: dict[str, str]
    """By dialect."""
    then: str | None = NARROW
    """Who answers in its place; None where the job ends with the error."""
    times: int = 1
    """How often the odd model is asked."""
    paid: str | tuple[int, int] = "no"
    """`no`, `unknown`, or the tokens that the reply told."""
    opens: bool = False
    """Whether the tenant's own circuit opens at once."""
    counts: bool = False
    """Whether it counts as a failure of the model."""


def _each(openai: str, anthropic: str | None = None, gemini: str | None = None) -> dict[str, str]:
    return {"openai": openai, "anthropic": anthropic or openai, "gemini": gemini or openai}


_POLICY = "content_policy"
_LONG = _each("context_exceeded")
_MISSING = _each("model_not_found", "not_found_error", "not_found")
_KEY = _each("invalid_api_key", "authentication_error", "unauthenticated")
_UNPAID = _each("http_402", "billing_error", "billing_disabled")
_BUSY = _each("rate_limit_exceeded", "rate_limit_error", "resource_exhausted")
_UPSTREAM = _each("http_429", "overloaded_error", "resource_exhausted")

ROWS: dict[str, Row] = {
    "error200": Row("Unavailable", _each("http_502", "http_500", "http_500"), times=2, paid="unknown", counts=True),
    "busy200": Row("Throttled", _UPSTREAM, counts=True),
    "tokens413": Row("Throttled", _BUSY, counts=True),
    "context": Row("ContextExceeded", _LONG, then=WIDE),
    "context413": Row("ContextExceeded", _LONG, then=WIDE),
    "context422": Row("ContextExceeded", _LONG, then=WIDE),
    "context500": Row("ContextExceeded", _LONG, then=WIDE),
    "flagged400": Row("Refused", _each("invalid_prompt", _POLICY, _POLICY), then=None),
    "flagged403": Row("Refused", _each("content_filter", _POLICY, _POLICY), then=None),
    "flagged200": Row("Refused", {"gemini": "prompt_blocked"}, then=None, paid=(INPUT_TOKENS, 0)),
    "refuse": Row("Refused", _each("model_refused"), then=None, paid=NOTHING_SAID),
    "thinking": Row("Truncated", _each("output_truncated"), then=None, paid=USED),
    "badcall": Row("BadOutput", {"anthropic": "unknown_tool", "gemini": "malformed_reply"}, times=2, paid=USED),
    "badcall400": Row("BadOutput", {"openai": "tool_use_failed"}, times=2, paid="unknown"),
    "404": Row("ModelGone", _MISSING, opens=True, counts=True),
    "401": Row("CredentialRejected", _KEY, opens=True, counts=True),
    "unpaid": Row("CredentialRejected", _UNPAID, opens=True, counts=True),
    "hang": Row("ModelTimedOut", _each("timeout"), paid="unknown", counts=True),
}

CASES = [(dialect, order) for order, row in ROWS.items() for dialect in row.codes]


def model_of(dialect: str, order: str) -> str:
    """The model that replies so; each has a circuit of its own."""
    return f"oddly-{dialect}-{order}"


MODELS: list[dict[str, Any]] = [
    {"id": NARROW, "name": "small", "context_window": 50_000},
    {"id": WIDE, "name": "small"},
    *(
        {"id": model_of(dialect, order), "name": f"small!{order}", "provider": dialect, "context_window": 100_000}
        | {"timeout_s": 3 if order == "hang" else 30}
        for dialect, order in CASES
    ),
]
"""What to register."""
