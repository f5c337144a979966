"""What a model must meet to be a candidate: one row each, and in words what it fails."""

from collections.abc import Callable
from dataclasses import dataclass

from broker.clock import NANO, iso
from broker.errors import BrokerError, CircuitOpen, Forbidden, InvalidRequest, PermissionDenied, TimedOut
from broker.routing.model import Model
from broker.routing.permitting import first_against
from broker.routing.provider_options import not_taken, refuses
from broker.routing.question import Question
from broker.routing.residency import outside
from broker.token_estimates import estimate, family_of

Check = Callable[[Model, Question], str | None]
"""Gives why not; None where the model meets it."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """One row. `error` is what becomes of a job that no other row would keep from its model."""

    name: str
    check: Check
    error: type[BrokerError] = InvalidRequest


def is_over(model: Model, question: Question) -> bool:
    """True from the day of the model's sunset on (UTC)."""
    return model.sunset is not None and str(iso(question.now))[:10] >= model.sunset[:10]


def _permitted(model: Model, question: Question) -> str | None:
    rule = first_against(question.barring, model)
    return None if rule is None else f"the permission {rule.id} does not allow it"


def _status(model: Model, question: Question) -> str | None:
    return "disabled by the operator" if model.status == "disabled" else None


def _sunset(model: Model, question: Question) -> str | None:
    return f"its sunset was on {model.sunset}" if is_over(model, question) else None


def _allowed(model: Model, question: Question) -> str | None:
    if question.allowed is None or model.id in question.allowed:
        return None
    return "the tenant may not use it"


def _task(model: Model, question: Question) -> str | None:
    return None if question.task in model.tasks else f"does not do {question.task}"


def _capabilities(model: Model, question: Question) -> str | None:
    lacking = sorted(question.needs - model.capabilities)
    return f"lacks {', '.join(lacking)}" if lacking else None


def _texts(model: Model, question: Question) -> str | None:
    many = max(len(question.texts), 1)
    if many >= model.fewest_texts:
        return None
    return f"takes {model.fewest_texts} texts or more at a time, and the request has {many}"


def _regions(model: Model, question: Question) -> str | None:
    asked = question.routing.get("regions", ())
    if not asked or (model.regions and model.regions <= set(asked)):
        return None
    kept = f"may send data to {', '.join(sorted(model.regions))}" if model.regions else "keeps to no known data region"
    return f"{kept}, and {', '.join(asked)} is asked for"


def _residency(model: Model, question: Question) -> str | None:
    return outside(model, question.residency)


def _provider_options(model: Model, question: Question) -> str | None:
    left_out = not_taken(model, question.request) if refuses(question.request) else []
    return f"does not take {', '.join(left_out)}" if left_out else None


def _context(model: Model, question: Question) -> str | None:
    if question.request.get("context", {}).get("strategy", "error") != "error":
        return None  # the prompt will be made to fit
    tokens = question.tokens(model)
    if tokens >= model.context_window and len(question.texts) > 1:
        tokens = max(estimate(text, family_of(model.name)) for text in question.texts)  # each goes by itself
    if tokens < model.context_window:
        return None
    return f"about {tokens} tokens do not fit its window of {model.context_window}"


def _limit(model: Model, question: Question) -> str | None:
    limit = question.routing.get("max_cost_usd")
    if limit is None or question.worst(model) <= limit * NANO:
        return None
    return "its worst case is above max_cost_usd"


def _held(model: Model, question: Question) -> str | None:
    if question.held is None or question.worst(model) <= question.held:
        return None
    return "its worst case is above what is held for the job"


def _circuit(model: Model, question: Question) -> str | None:
    state = question.state(model)
    if state.phase == "open":
        return f"its circuit is open until {iso(state.until)}"
    if state.probing:
        return f"its circuit is half-open, and a probe is under way until {iso(state.until)} at most"
    return None


def _time(model: Model, question: Question) -> str | None:
    figures = question.figures.get(model.id)
    if question.left_ms is None or figures is None or figures.p95_ms is None or figures.p95_ms <= question.left_ms:
        return None
    return f"its 95th percentile of {figures.p95_ms} ms does not fit the {max(0, question.left_ms)} ms that are left"


CONSTRAINTS = (
    Constraint("permitted", _permitted, PermissionDenied),
    Constraint("status", _status),
    Constraint("sunset", _sunset),
    Constraint("allowed", _allowed, Forbidden),
    Constraint("task", _task),
    Constraint("capabilities", _capabilities),
    Constraint("texts", _texts),
    Constraint("regions", _regions),
    Constraint("residency", _residency),
    Constraint("provider_options", _provider_options),
    Constraint("context", _context),
    Constraint("limit", _limit),
    Constraint("held", _held),
    Constraint("time", _time, TimedOut),
    Constraint("circuit", _circuit, CircuitOpen),
)
"""In the order in which they are told: the first that a model fails is its reason. What may pass by itself is last."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a model cannot do it, and what becomes of a job that no other model can do."""

    why: str
    error: type[BrokerError] = InvalidRequest


def fault(model: Model, question: Question) -> Fault | None:
    """The first row that a model fails; None for a model that meets all."""
    for row in CONSTRAINTS:
        if why := row.check(model, question):
            return Fault(why, row.error)
    return None
