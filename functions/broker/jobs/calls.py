"""Provider calls as a job's head keeps them: one small map for each, with short names, for the head has a kilobyte.

A call is written before it is made (`model`, `reserved`, `version`) and settled after (all else).
"""

from collections.abc import Mapping
from typing import Any

from broker.consequences import SUCCEEDED
from broker.jobs.request_ids import packed, unpacked

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
    "cached_tokens": "k",
    "cache_write_tokens": "y",
    "credential": "j",
    "dropped": "d",
    "ended_at": "a",
    "operation_id": "h",
    "started_at": "s",
    "operation": "w",
    "prompt": "q",
    "retry_after": "t",
    "rate_limits": "x",
    "times": "n",
    "first_ended_at": "f",
    "request_id": "z",
}
"""What is kept of a call. Money is nano-dollars; `reserved` is the most that it can cost, `version` the model's record,
`operation_id` what finds work again that the provider does by itself, `operation` what a call is for whose answer is
not the job's, `prompt` the registered one (`tone@3`) by which a judge was asked, `credential` the key of a model's
pool. `cached_tokens` and `cache_write_tokens` are those of the tokens in that a provider's prompt cache had, and that
were put there; `dropped` are the request's fields that the model was not sent. Of jobs of the bulk lane alone, for
`jobs.pacing`: `retry_after`, the seconds that a provider which refused asked for, and `rate_limits`, as
`wire.rate_limits` reads them. Of several that are kept as one (`together`): how many `times`, and `first_ended_at`.
`request_id` is the provider's own, by which its bill can be checked; of a call of several requests, of the
last."""

OF_KEY = SHORT["credential"]
"""What a call has that was made with a key of a model's pool."""

USAGE = ("input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens", "cache_write_tokens")
"""Of a call's facts, what a job tells of the answer that was taken, where it is known."""

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
    if (request_id := packed(known.pop("request_id", ""))) is not None:
        known["request_id"] = request_id
    return {**call, **{SHORT[name]: value for name, value in known.items()}}


SUMMED = ("c", "i", "u", "g", "k", "y", "l")
OF_RUN = ("t", "x")
"""What only the run that made a call is governed by."""


def made(known: Mapping[str, Mapping[str, Any]]) -> int:
    """How many calls these are."""
    return sum(call.get("n", 1) for call in known.values())


def together(known: Mapping[str, Mapping[str, Any]], before: int) -> dict[str, dict[str, Any]]:
    """The calls, those as one that ended alike in runs before this one: a head has room for any number of them.

    Money, tokens and time are summed; when the first and the last ended stays. A call whose answer was the job's, whose
    provider went on by itself, or that is not settled, stays as it is.

    Args:
        known: by `run.number`. What is kept as one has the key of the last.
        before: a run.
    """
    kept: dict[str, dict[str, Any]] = {}
    alike: dict[tuple[Any, ...], str] = {}
    for key, call in sorted(known.items(), key=lambda pair: int(pair[0].split(".")[1])):
        kept[key] = dict(call)
        if int(key.split(".")[0]) < before and _is_over(call):
            error = call.get("e", {})
            kind = (*map(call.get, "mvopwqj"), *call.get("d", ()), error.get("type"), error.get("code"))
            if kind in alike:
                kept[key] = _joined(kept.pop(alike[kind]), call)
            alike[kind] = key
    return kept


def _is_over(call: Mapping[str, Any]) -> bool:
    is_settled = {"c", "o", "a"} <= call.keys() and "h" not in call
    return is_settled and (call["o"] != SUCCEEDED or "w" in call)


def _joined(first: Mapping[str, Any], last: Mapping[str, Any]) -> dict[str, Any]:
    sums = {name: first.get(name, 0) + last.get(name, 0) for name in SUMMED if name in first or name in last}
    known = {name: value for name, value in last.items() if name not in OF_RUN}
    return {**known, **sums, "n": made({"first": first, "last": last}), "f": first.get("f", first["a"])}


def described(call: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of a call, by long names."""
    known = {name: call[short] for name, short in SHORT.items() if short in call}
    return known | ({"request_id": unpacked(known["request_id"])} if "request_id" in known else {})


def lost(call: Mapping[str, Any], now: int) -> dict[str, Any]:
    """The facts of a call that nobody will settle any more: it may have been paid for, at its worst."""
    return {"outcome": UNKNOWN, "paid": UNKNOWN, "cost": call["r"], "ended_at": now}
