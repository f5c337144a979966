"""How Anthropic's models are asked to think, at Anthropic's own platform and at Bedrock, and what they thought.

Source: Anthropic's guides "Extended thinking", "Adaptive thinking" and "Effort".

By a budget of tokens unless the model's option `reasoning` is `adaptive`: such a model decides by itself how much to
think, by a word for the effort. Thinking takes no temperature, a `top_p` of 0.95 at least, and no forced tool; what was
asked of these is left out. In the midst of calls of tools whose first thoughts are another provider's, a model with a
budget cannot begin to think: it goes on without.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from broker.providers.wire import reasoning
from broker.providers.wire.base import Call
from broker.providers.wire.exchange import Json, counted, field
from broker.providers.wire.history import History, Spoken
from broker.providers.wire.sending import left_out

BY = "anthropic"

ADAPTIVE = "adaptive"

EFFORTS = ("low", "medium", "high", "max")
"""Of adaptive models."""

LEAST_TOP_P = 0.95


def asked(call: Call, history: History) -> Json:
    """The fields of a request; empty where nothing was asked for.

    Raises:
        Rejected: the answer's limit leaves no room to think.
    """
    wanted = reasoning.wanted(call)
    if wanted is None:
        return {}
    if wanted.is_off or (call.options.get("reasoning") != ADAPTIVE and _is_in_the_midst(history.turns)):
        for turn in history.turns:
            turn.thoughts = []
        return {"thinking": {"type": "disabled"}}
    if call.options.get("reasoning") != ADAPTIVE:
        return {"thinking": {"type": "enabled", "budget_tokens": reasoning.budget_of(call, wanted)}}
    effort = reasoning.effort_of(call, wanted, EFFORTS)
    shown = {"display": "summarized"} if wanted.summary else {}
    return {"thinking": {"type": ADAPTIVE, **shown}} | ({"output_config": {"effort": effort}} if effort else {})


def fitted(call: Call) -> Call:
    """The call without what does not go with thinking: a forced tool is asked for in words, and so is a last word."""
    if not reasoning.thinks(call):
        return call
    unable = {"cannot": [*call.options.get("cannot", ()), "forced_tools", "prefill"]}
    return replace(call, options={**call.options, **unable})


def without_heat(parameters: Json, temperature: str, top_p: str) -> None:
    """Take out of a model's parameters those that do not go with thinking, by their names there."""
    if parameters.get("thinking", {}).get("type") == "disabled":
        return
    if parameters.pop(temperature, None) is not None:
        left_out("temperature")
    if parameters.get(top_p, 1) < LEAST_TOP_P:
        parameters.pop(top_p)
        left_out("top_p")


def _is_in_the_midst(turns: Sequence[Spoken]) -> bool:
    """Whether the model goes on after results of calls before which no thought stands."""
    last = next((turn for turn in reversed(turns) if turn.role == "assistant"), None)
    return bool(turns and turns[-1].results and last and last.uses and not last.thoughts)


def sent_back(turn: Spoken) -> list[Json]:
    """The thoughts of a turn as its first blocks."""
    return [
        {"type": "thinking", "thinking": each.text, "signature": each.signature}
        if each.kind == "text"
        else {"type": "redacted_thinking", "data": each.signature}
        for each in turn.thoughts
    ]


def thoughts_of(blocks: Sequence[Json]) -> list[Json]:
    """What a reply's blocks say was thought."""
    return [
        reasoning.thought(str(block.get("thinking") or ""), BY, block.get("signature"))
        if block["type"] == "thinking"
        else reasoning.hidden(BY, block.get("data"))
        for block in blocks
        if block.get("type") in ("thinking", "redacted_thinking")
    ]


def tokens_of(usage: Any) -> int | None:
    """Tokens that were thought, among those that went out; None where the reply does not tell."""
    return counted(field(usage, "output_tokens_details", "thinking_tokens"))
