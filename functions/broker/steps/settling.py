"""How a run ended, from what the workflow knows of it."""

import json
from dataclasses import replace
from typing import Any

from broker import errors
from broker.errors import BrokerError, Refused
from broker.jobs.head import Status
from broker.jobs.transitions import Outcome


def outcome_of(ending: dict[str, Any]) -> Outcome:
    """Decide the terminal status.

    Args:
        ending: `{"answer"?: {"model", "output", "usage"}, "blocked"?: {"stage", "rules"},
            "failure"?: {"Error", "Cause"}}`; the workflow sets one of them, or what became of an answer.
    """
    answer = ending.get("answer") or {}
    known: dict[str, Any] = {"model": answer.get("model"), "usage": answer.get("usage")}
    if "failure" in ending:
        return replace(_failed(ending["failure"]["Error"], ending["failure"].get("Cause", "")), **known)
    if "blocked" in ending:
        stage, rules = ending["blocked"]["stage"], ", ".join(ending["blocked"]["rules"])
        what = "request" if stage == "input" else "answer"
        message = f"The {what} was blocked by a guardrail: {rules}."
        return Outcome(Status.BLOCKED, **known, error=_facts("blocked", f"blocked_{stage}", message))
    return Outcome(Status.SUCCEEDED, **known, output=answer["output"])


def _failed(name: str, cause: str) -> Outcome:
    kind = getattr(errors, name, None)
    if not (isinstance(kind, type) and issubclass(kind, BrokerError)):
        message = f"The workflow could not go on ({name})."
        return Outcome(Status.FAILED, error=_facts(BrokerError.type, "workflow_error", message))
    told = json.loads(json.loads(cause)["errorMessage"])
    facts = {each: told[each] for each in ("type", "code", "message")}
    # A safety stop is an answer of its own: the job is blocked, not broken.
    return Outcome(Status.BLOCKED if issubclass(kind, Refused) else Status.FAILED, error=facts)


def _facts(kind: str, code: str, message: str) -> dict[str, str]:
    return {"type": kind, "code": code, "message": message}
