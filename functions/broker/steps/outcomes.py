"""What became of a provider call: whose fault a failure is, and the facts that are kept."""

import math
from collections.abc import Mapping
from typing import Any

from broker.cached_input import CachedInput
from broker.clock import now_ms
from broker.consequences import SUCCEEDED
from broker.errors import (
    AdapterFailed,
    BrokerError,
    InvalidRequest,
    Rejected,
    Throttled,
    TimedOut,
    Unavailable,
    shortened,
)
from broker.jobs import calls
from broker.jobs.head import Head
from broker.providers.wire.base import Answer
from broker.providers.wire.sending import CONNECT_S
from broker.routing.model import Model
from broker.steps.timing import TimeSlice, spent

LONGEST_NAME = 80
"""Characters of a code or a field in a call's error, and half of what its message may have."""

MESSAGES = "input.messages"
SHORTENED = "shortened"
"""Of a request: True where what the model gets of its messages is not what there was."""


def failure_of(
    error: Exception, time_slice: TimeSlice, head: Head, request: Mapping[str, Any], *, sent: bool
) -> BrokerError:
    """What a call failed with, by whose fault it is.

    Args:
        error: that the provider's adapter raised.
        time_slice: the call's time.
        head: of the job.
        request: as the adapter got it.
        sent: whether a request had left by then.
    """
    if not isinstance(error, BrokerError):
        # The text of the exception may quote the prompt, so its name has to do.
        message = f"The provider's adapter failed ({type(error).__name__})."
        return AdapterFailed(message, code="adapter_failed", maybe_paid=sent)
    if isinstance(error, Unavailable) and _took_its_time(error, time_slice):
        paid = error.maybe_paid
        if time_slice.over is TimedOut:
            over = spent(head)
            return TimedOut(f"{over.message} {error.message}", code=over.code, maybe_paid=paid)
        return time_slice.over(error.message, code="timeout", maybe_paid=paid)
    if (error.param or "").startswith(f"{MESSAGES}.") and not _has_callers_messages(request):
        error.param = MESSAGES
    return error


def _has_callers_messages(request: Mapping[str, Any]) -> bool:
    """False where others were put before the caller's, or some left out: a place among them is then another's."""
    history = request.get("history", {"from": 0, "to": 0})
    return not ("prompt_used" in request or request.get(SHORTENED) or history["from"] < history["to"])


def seen_of(failure: BrokerError | None, *, sent: bool, is_bulk: bool = False) -> str:
    """The outcome that a call's circuit is told.

    That a job of the bulk lane was asked for a pause is for the lane's governor, which slows the lane down
    (`jobs.pacing`): it keeps nobody else from the model.

    A request that our own adapter kept back for what the model does not take says nothing of how the model is: to the
    circuit it is as one that no model takes, and a probe's place goes to another call.
    """
    if failure is None:
        return SUCCEEDED
    silent = (isinstance(failure, Rejected) and not sent) or (isinstance(failure, Throttled) and is_bulk)
    return (InvalidRequest if silent else type(failure)).__name__


def pace_facts(failure: BrokerError | None, headers: Mapping[str, str]) -> dict[str, Any]:
    """What a call of the bulk lane tells its governor beside its outcome, as `jobs.calls` keeps it."""
    from broker.providers.wire.rate_limits import rate_limits  # for the bulk lane alone

    facts: dict[str, Any] = {}
    if isinstance(failure, Throttled) and failure.retry_after is not None:
        facts["retry_after"] = math.ceil(failure.retry_after)
    if limits := rate_limits(headers):
        facts["rate_limits"] = limits
    return facts


def _error(failure: BrokerError) -> dict[str, str]:
    """Why a call failed, in few words: the head keeps it of each of its calls."""
    facts = failure.facts()
    return {
        name: shortened(value, 2 * LONGEST_NAME if name == "message" else LONGEST_NAME) for name, value in facts.items()
    }


def _took_its_time(error: BrokerError, time_slice: TimeSlice) -> bool:
    """True where the call's own time ended it; a connection has five seconds of it at most."""
    return error.code == "timeout" or (error.code == "connect_timeout" and time_slice.seconds < CONNECT_S)


def facts_of(
    recorded: Mapping[str, Any],
    model: Model,
    answer: Answer | None,
    failure: BrokerError | None,
    latency_ms: int,
    operation: str | None,
) -> dict[str, Any]:
    """What became of a call, by the long names of `jobs.calls`."""
    facts: dict[str, Any] = {
        "model": model.id,
        "outcome": SUCCEEDED if failure is None else type(failure).__name__,
        "error": _error(failure) if failure else None,
        "latency_ms": latency_ms,
        "paid": "no",
        "cost": 0,
        "ended_at": now_ms(),
    }
    if operation:
        facts["operation"] = operation
    if answer:
        into, out = answer.input_tokens, answer.output_tokens
        cost = model.cost(into, out, answer.units, answer.cached)
        known = {"input_tokens": into, "output_tokens": out} | _cached(answer.cached, into)
        if answer.reasoning_tokens:
            known["reasoning_tokens"] = answer.reasoning_tokens
        return facts | known | {"paid": "yes", "cost": cost}
    if failure and failure.tokens is not None:
        into, out = failure.tokens
        known = {"input_tokens": into, "output_tokens": out} | _cached(failure.cached, into)
        return facts | known | {"paid": "yes", "cost": model.cost(into, out, cached=failure.cached)}
    if failure and failure.maybe_paid:
        facts |= {"paid": calls.UNKNOWN, "cost": recorded["r"]}
    return facts


def _cached(cached: CachedInput, tokens: int) -> dict[str, int]:
    """What a prompt cache had to do with, where there is something to tell."""
    cached = cached.within(tokens)
    told = {"cached_tokens": cached.read, "cache_write_tokens": cached.written + cached.written_1h}
    return {name: count for name, count in told.items() if count}
