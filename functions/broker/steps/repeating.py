"""Whether a model is asked again, in a run or by the next: by what is on record, so it holds whatever is repeated."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from broker import errors
from broker.consequences import of_outcome
from broker.errors import BrokerError, CredentialRejected, Throttled
from broker.jobs.head import Head
from broker.jobs.store import Payloads
from broker.routing.model import Model

Calls = Mapping[str, dict[str, Any]]
"""The calls of one run, as the head keeps them."""

MOST_TRIES = 2
"""Calls of one model in one run that end in the same failure: the first, and one repeat."""

OF_KEYS = (CredentialRejected, Throttled)
"""What is the failure of a key where a model has several: it is rejected or without credit, or has had what it may."""


def is_of_key(call: Mapping[str, Any]) -> bool:
    """True for a call that failed by its key, of a model with a pool of them; `steps.keys` says what follows."""
    return "j" in call and call.get("o") in [kind.__name__ for kind in OF_KEYS]


def answer_on_record(payloads: Payloads, head: Head) -> dict[str, Any] | None:
    """The answer that a call brought before its run broke off, as Invoke Model gives it: no call is made twice."""
    for key in head.open_calls:
        name = f"OUTPUT#{key}"
        if (kept := payloads.facts(head.id, name)) and "operation" not in kept:
            return {"output": name, "facts": kept, "head": head.to_item()}
    return None


def may_ask(model_id: str, mine: Calls) -> bool:
    """True while the model's failures in this run are such that it may be asked again, each kind once."""
    ends = Counter(call["o"] for call in _failed(model_id, mine))
    return all(of_outcome(end).repeat != "no" and times < MOST_TRIES for end, times in ends.items())


def check_tries(model: Model, mine: Calls) -> None:
    """Raise the model's last failure anew where it may not be asked again: the step is repeated after a lost reply.

    Raises:
        BrokerError: that failure.
    """
    if may_ask(model.id, mine):
        return
    last = _failed(model.id, mine)[-1]
    kind, facts = getattr(errors, last["o"], BrokerError), last.get("e") or {}
    raise kind(facts.get("message", "The model failed."), code=facts.get("code"), param=facts.get("param"))


def _failed(model_id: str, mine: Calls) -> list[dict[str, Any]]:
    """In the order in which they were made."""
    ordered = sorted(mine.items(), key=lambda pair: int(pair[0].split(".")[1]))
    mine_alone = (call for _, call in ordered if call["m"] == model_id and not is_of_key(call))
    return [call for call in mine_alone if "e" in call and "w" not in call]
