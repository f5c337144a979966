"""The order of the candidates: by an objective, or as they were named, with experiments split by weight.

| objective | prefers |
|---|---|
| `quality` | the operators' `quality`, then their `rank` |
| `cost` | the lowest worst case |
| `latency` | the shortest live mean, lengthened by the share of calls that fail |
| `balanced` | the least expected cost x expected time / 4 ** quality: a step of quality for twice the price and time |

Where the request has an output schema, models that keep to one by themselves come before all others. A conversation
stays with the model that answered its last turn, where the choice is open or a route's: its provider may have kept what
was said.
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from broker.clock import usd
from broker.routing.model import Model
from broker.routing.question import Question
from broker.routing.routes import Named, Order

LEAST_NUSD, LEAST_MS = 1_000, 50
"""Cheaper and faster than this makes no difference: what is free is not infinitely good."""

A_STEP = 4
"""What a step of quality is worth in `balanced`: so many times the product of price and time."""

MOST_ERRORS = 0.9
"""A model that always fails would take forever; nine in ten is bad enough to come last."""

NO_MODES = 2
"""The place of a model that has no way of its own to keep to a schema."""

LIVE = frozenset({"latency", "balanced"})
"""Objectives whose order changes from minute to minute."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A model at its place, and why it is there."""

    model: Model
    why: str


class Times:
    """Expected times; a model that nothing is known of is taken to be as fast as the known ones on average."""

    def __init__(self, models: Sequence[Model], question: Question) -> None:
        self._known = {}
        for model in models:
            figures = question.figures.get(model.id)
            if figures and figures.mean_ms is not None:
                self._known[model.id] = figures.mean_ms / (1 - min(figures.error_rate, MOST_ERRORS))
        self._usual = sum(self._known.values()) / len(self._known) if self._known else 1_000.0

    def expected(self, model: Model) -> float:
        """Milliseconds to an answer."""
        return self._known.get(model.id, self._usual)

    def described(self, model: Model) -> str:
        """In words."""
        known = model.id in self._known
        return f"expected after {self._known[model.id]:.0f} ms" if known else "no live figures yet"


def _quality(model: Model, question: Question, times: Times) -> tuple[float, str]:
    return -model.quality, f"quality {model.quality}"


def _cost(model: Model, question: Question, times: Times) -> tuple[float, str]:
    worst = question.worst(model)
    return worst, f"costs at most {usd(worst):.6f} $"


def _latency(model: Model, question: Question, times: Times) -> tuple[float, str]:
    return times.expected(model), times.described(model)


def _balanced(model: Model, question: Question, times: Times) -> tuple[float, str]:
    cost, time = max(question.expected(model), LEAST_NUSD), max(times.expected(model), LEAST_MS)
    why = f"quality {model.quality}, about {usd(question.expected(model)):.6f} $, {times.described(model)}"
    return cost * time / A_STEP**model.quality, why


OBJECTIVES: dict[str, Callable[[Model, Question, Times], tuple[float, str]]] = {
    "quality": _quality,
    "cost": _cost,
    "latency": _latency,
    "balanced": _balanced,
}
"""What each sorts by, lowest first, and that in words."""


def draw(key: str, model: Model, weight: int) -> float:
    """A model's place in the draw of one key: the lowest wins, and wins in proportion to its weight.

    Each key orders all models by itself, so a weight that is changed moves only as many keys as it must (weighted
    rendezvous hashing: Schindelhauer and Schomaker, "Weighted Distributed Hash Tables", 2005).
    """
    digest = hashlib.blake2b(f"{key}|{model.id}".encode(), digest_size=8).digest()
    chance = (int.from_bytes(digest) + 1) / (2**64 + 1)
    return -math.log(chance) / weight if weight else math.inf


def arrange(names: Sequence[tuple[Named, Model]], order: Order | None, question: Question) -> list[Placed]:
    """Put models into the order in which they are tried.

    Args:
        names: the models that may do it, with who named them, in the order that they were named in.
        order: what request and routes say; None where every model is open.
        question: the request.
    """
    times = Times([model for _, model in names], question)
    objective = objective_of(order, question)
    key = question.split_key

    def stays(model: Model) -> bool:
        return model.id == question.stays_with and (order is None or order.route is not None)

    def place(each: tuple[Named, Model]) -> tuple[object, ...]:
        named, model = each
        if named.fallback:
            return (2,)  # sorting is stable: fallbacks stay as they were named
        if stays(model):
            return (-1,)
        if named.weight is not None:
            return (0, draw(key, model, named.weight), model.id)
        if objective is None:
            return (1,)
        tie = draw(key, model, model.weight) if order and order.route else 0.0
        return (1, _modes(model, question), OBJECTIVES[objective](model, question, times)[0], model.rank, tie, model.id)

    def why(named: Named, model: Model) -> str:
        if named.fallback:
            return f"{named.by}, as a fallback"
        if stays(model):
            return f"{named.by}, answered the turn before".removeprefix(", ")
        if named.weight is not None:
            return f"{named.by}, drawn by its weight of {named.weight}"
        if objective is None:
            return named.by
        said = f"{objective}: {OBJECTIVES[objective](model, question, times)[1]}, rank {model.rank}"
        return f"{named.by}, {said}" if named.by else said

    return [Placed(model, why(named, model)) for named, model in sorted(names, key=place)]


def objective_of(order: Order | None, question: Question) -> str | None:
    """What the models are ordered by; None where they are tried as they were named."""
    return order.objective if order else str(question.routing.get("objective", "quality"))


def is_settled(order: Order | None, question: Question) -> bool:
    """True where the same question will be answered in the same order later, as far as the models still fit."""
    if objective_of(order, question) in LIVE:
        return False
    if order is None or question.split_key:
        return True
    return not (order.route and order.objective) and not any(named.weight for named in order.names)


def _modes(model: Model, question: Question) -> int:
    """0 for a model that keeps to a schema, 1 for one that gives JSON; all the same where no schema is asked for."""
    if "output_schema" not in question.request:
        return 0
    modes = ("schema", "json")
    return next((place for place, mode in enumerate(modes) if mode in model.capabilities), NO_MODES)
