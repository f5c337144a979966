"""Provider calls as a job's head keeps them: one small map for each, with short names, for the head has a kilobyte.

A call is written before it is made (`model`, `reserved`, `version`) and settled after (all else).
"""

from collections.abc import Mapping
from typing import Any

SHORT = {
    "model": "m",
    "version": "v",
    "reserved": "r",
    "cost": "c",
    "outcome": "o",
    "paid": "p",
    "error": "e",
    "latency_ms": "l",
    "input_tokens": "i",
    "output_tokens": "u",
    "reasoning_tokens": "g",
    "ended_at": "a",
    "operation_id": "h",
    "started_at": "s",
    "operation": "w",
    "prompt": "q",
    "retry_after": "t",
    "rate_limits": "x",
}
"""What is kept of a call. Money is nano-dollars; `reserved` is the most that it can cost, `version` the model's record,
`operation_id` what finds work again that the provider does by itself, `operation` what a call is for whose answer is
not the job's, `prompt` the registered one (`tone@3`) by which a judge was asked. Of jobs of the bulk lane alone, for
`jobs.pacing`: `retry_after`, the seconds that a provider which refused asked for, and `rate_limits`, as
`wire.rate_limits` reads them."""

TOKENS = ("input_tokens", "output_tokens", "reasoning_tokens")
"""What a job tells of its answer's tokens; those that were thought are among those that went out."""

Facts = Mapping[str, Any]
"""What became of a call, by its long names."""

GUARD = "guard"
"""The operation of calls of engines that judge."""

UNKNOWN = "unknown"
"""The outcome of a call that may have been paid for without an answer, and what is then known of its payment."""


def goes_on(call: Mapping[str, Any]) -> bool:
    """True where its provider is known to go on by itself."""
    return "h" in call and "c" not in call


def settled(call: Mapping[str, Any], facts: Facts) -> dict[str, Any]:
    """The call with what became of it; `facts` by their long names, unknown ones are left out."""
    known = {name: value for name, value in facts.items() if name in SHORT and value is not None}
    return {**call, **{SHORT[name]: value for name, value in known.items()}}


def described(call: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of a call, by long names."""
    return {name: call[short] for name, short in SHORT.items() if short in call}


def lost(call: Mapping[str, Any], now: int) -> dict[str, Any]:
    """The facts of a call that nobody will settle any more: it may have been paid for, at its worst."""
    return {"outcome": UNKNOWN, "paid": UNKNOWN, "cost": call["r"], "ended_at": now}
