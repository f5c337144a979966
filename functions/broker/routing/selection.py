"""Selection: which models may do a job, in which order, and for every model why."""

from dataclasses import dataclass, field, replace
from typing import Any

from broker.clock import NANO
from broker.errors import BrokerError, CircuitOpen, Forbidden, InvalidRequest, PermissionDenied, TimedOut
from broker.permissions.refusing import refusal
from broker.permissions.rules import Permission
from broker.routing.constraints import Fault, fault, is_over
from broker.routing.model import Model
from broker.routing.ordering import Placed, arrange, is_settled
from broker.routing.permitting import barring, bars
from broker.routing.question import Question
from broker.routing.routes import Catalog, Named, Order, order_for

MOST = 4
"""A job tries at most so many models."""

LEAST_MS = 50
"""In less time than this nobody answers."""

MOST_REASONS = 4
"""An error names so many models: it is kept on the job's head."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The candidates in order, and the reason for every model."""

    candidates: tuple[Model, ...]
    route: list[dict[str, Any]]
    """`[{"model", "taken", "why"}]`: the candidates, then what was left out, then what nobody named."""
    fitting: tuple[Model, ...]
    """All that meet the constraints, the candidates among them."""
    settled: bool
    """True where the order will be the same when the job runs."""
    faults: dict[str, Fault] = field(default_factory=dict)
    """Of each model that was named or open, and cannot do it."""
    retry_after: float | None = None
    """Seconds until the first circuit may let a call through, of those that alone keep a model out."""
    policies: tuple[str, ...] = ()
    """The guardrail policies of the registry's route that was followed."""
    postprocess: str | None = None
    """What that route has done to answers, as JSON."""
    barring: tuple[Permission, ...] = ()
    """The permissions that keep models out which could do it otherwise."""

    def refusal(self) -> BrokerError:
        """The error of a request that no model can do; where only time or a circuit stands in the way, that one."""
        why = self._why()
        kinds = {each.error for each in self.faults.values()}
        message = f"No model can do this job ({why})."
        if CircuitOpen in kinds:
            return CircuitOpen(message, code="circuits_open", retry_after=self.retry_after)
        if TimedOut in kinds:
            return TimedOut(message, code="too_slow")
        if PermissionDenied in kinds and kinds <= {PermissionDenied, Forbidden}:
            return refusal(self.barring)
        if kinds == {Forbidden} and len(self.faults) == 1:
            return Forbidden(f"No model may do this job ({why}).", code="model_not_allowed", param="model")
        return InvalidRequest(message, code="no_candidate", param="model")

    def _why(self) -> str:
        """The first reasons; `route` has them all."""
        reasons = [f"{model}: {each.why}" for model, each in list(self.faults.items())[:MOST_REASONS]]
        more = len(self.faults) - len(reasons)
        return "; ".join(reasons + ([f"and {more} models more"] if more else [])) or "no model is registered"


def select(question: Question, catalog: Catalog) -> Selection:
    """Choose.

    Raises:
        InvalidRequest: a model is named that does not exist; `param` is the field.
    """
    question = replace(
        question,
        residency=catalog.residency(question.request, redacts=question.redacts),
        barring=barring(catalog.permissions, question.who, question.request),
    )
    order = order_for(question.request, catalog)
    names = order.names if order else [Named(each, "") for each in catalog.open()]
    entries, replaced = _succeeded([(each, catalog.models[each.model]) for each in names], catalog, question)
    faults: dict[str, Fault] = {}
    for named, model in entries:
        if found := fault(model, question):
            faults[model.id] = replace(found, why=replaced.get(model.id, found.why))
        elif named.weight == 0:
            faults[model.id] = Fault(f"{named.by} gives it a weight of 0")
    fitting = [(named, model) for named, model in entries if model.id not in faults]
    slow = {} if fitting else _slow(faults, catalog, question)
    if slow:
        fitting = [(named, model) for named, model in entries if model.id in slow]
        faults = {model: each for model, each in faults.items() if model not in slow}
    placed = arrange(fitting, order, question)
    taken, more = placed[:MOST], placed[MOST:]
    left_out = {model: each.why for model, each in faults.items()}
    left_out |= {each.model.id: f"{MOST} candidates come before it" for each in more}
    route = [{"model": each.model.id, "taken": True, "why": _why(each, question, slow)} for each in taken]
    route += [{"model": model, "taken": False, "why": why} for model, why in left_out.items()]
    known = {each["model"] for each in route}
    others = _not_named(order)
    route += [{"model": each, "taken": False, "why": others} for each in sorted(catalog.models) if each not in known]
    kept_out = [model for _, model in entries if model.id in faults and faults[model.id].error is PermissionDenied]
    shut = [model for _, model in entries if model.id in faults and faults[model.id].error is CircuitOpen]
    return Selection(
        tuple(each.model for each in taken),
        route,
        tuple(each.model for each in placed),
        is_settled(order, question),
        faults,
        min((question.state(model).retry_after(question.now) for model in shut), default=None),
        order.route.guardrails if order and order.route else (),
        order.route.postprocess if order and order.route else None,
        tuple(rule for rule in question.barring if any(bars(rule, model) for model in kept_out)),
    )


def worst_case_price(selection: Selection, question: Question) -> int:
    """Nano-dollars that the job can cost at most: each candidate paid once, and the dearest twice (a repair).

    Where the order may be another when the job runs, the dearest models that fit stand for the candidates. Circuits may
    then let others in; those are left out where what is held does not cover them.
    """
    cases = [question.worst(model) for model in selection.fitting]
    if not selection.settled:
        cases.sort(reverse=True)
    cases = cases[:MOST]
    worst = sum(cases) + max(cases, default=0)
    limit = question.routing.get("max_cost_usd")
    return worst if limit is None else min(worst, int(limit * NANO))


def _succeeded(
    names: list[tuple[Named, Model]], catalog: Catalog, question: Question
) -> tuple[list[tuple[Named, Model]], dict[str, str]]:
    """Put the successors of models that are over into their places, once each; and what to say of those."""
    found: dict[str, tuple[Named, Model]] = {}
    replaced: dict[str, str] = {}
    for named, model in names:
        by, current = named.by, model
        while is_over(current, question) and current.id not in replaced:
            found.setdefault(current.id, (named, current))
            successor = catalog.models.get(current.successor or "")
            over = f"its sunset was on {current.sunset}"
            if successor is None:
                replaced[current.id] = f"{over}, and it has no successor"
                break
            replaced[current.id] = f"{over}; {successor.id} takes its place"
            by = f"takes the place of {current.id}, {by}".removesuffix(", ")
            current = successor
        if not is_over(current, question):
            found.setdefault(current.id, (Named(current.id, by, named.weight, named.fallback), current))
    return list(found.values()), replaced


def _slow(faults: dict[str, Fault], catalog: Catalog, question: Question) -> dict[str, str]:
    """Where no other model is left: those that only their usual time keeps out, and that reason. They may be faster."""
    if question.left_ms is None or question.left_ms < LEAST_MS:
        return {}
    slow = {model: each.why for model, each in faults.items() if each.error is TimedOut}
    unhurried = replace(question, left_ms=None)
    return {model: why for model, why in slow.items() if fault(catalog.models[model], unhurried) is None}


def _why(placed: Placed, question: Question, slow: dict[str, str]) -> str:
    """Why a candidate is where it is, and what else to know of it."""
    model, more = placed.model, ""
    if model.status == "deprecated":
        until = f" until {model.sunset}" if model.sunset else ""
        more += f"; deprecated{until}" + (f", {model.successor} is its successor" if model.successor else "")
    if question.state(model).phase == "half_open":
        more += "; its circuit is half-open, so it will be probed"
    if model.id in slow:
        more += f"; {slow[model.id]}, but no other model is left"
    return placed.why + more


def _not_named(order: Order | None) -> str:
    if order is None:
        return "taken only where it is named"
    return f"not in route {order.route.id}" if order.route else "not named by the request"
