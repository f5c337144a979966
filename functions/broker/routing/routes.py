"""Aliases and routes: the operators' names for models, and their table of which models do which kind of work.

They stand beside the models (table `registry`, pk `MODELS`, sk `ALIAS#fast` or `ROUTE#summaries`), so that one query
reads all that routing goes by.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from broker.errors import InvalidRequest
from broker.permissions.rules import Permission
from broker.routing.model import Model
from broker.routing.residency import Residency
from broker.storage import Item

ALIAS, ROUTE = "ALIAS#", "ROUTE#"
"""How the sort keys of aliases and routes begin; a model's id has no `#`."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of a route."""

    model: str
    """A model or an alias."""
    weight: int | None = None
    """Its share of traffic among the entries of its row; None where the order alone decides."""


@dataclass(frozen=True, slots=True)
class Alias:
    """A name for models in order of preference."""

    id: str
    models: tuple[str, ...]
    version: int = 1

    @classmethod
    def from_item(cls, item: Item) -> Self:
        """Read the stored form."""
        return cls(item["sk"].removeprefix(ALIAS), tuple(item["models"]), item.get("version", 1))


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the table; a row without task and query type is the default."""

    id: str
    task: str | None = None
    query_type: str | None = None
    models: tuple[Choice, ...] = ()
    """In order of preference; empty for every model, by the objective."""
    objective: str | None = None
    """What orders `models`; None where they are tried as they stand."""
    fallbacks: tuple[str, ...] = ()
    """Models or aliases, tried in this order after the others."""
    guardrails: tuple[str, ...] = ()
    """The policies that hold for what follows it."""
    postprocess: str | None = None
    """What is done to answers, as JSON (`postprocessing.processing`)."""
    residency: Residency | None = None
    """Where unredacted data of all jobs that it covers has to stay, whether they follow it or not."""
    version: int = 1

    @classmethod
    def from_item(cls, item: Item) -> Self:
        """Read the stored form."""
        route_id, residency = item["sk"].removeprefix(ROUTE), item.get("residency")
        return cls(
            id=route_id,
            task=item.get("task"),
            query_type=item.get("query_type"),
            models=tuple(Choice(each["model"], each.get("weight")) for each in item.get("models", ())),
            objective=item.get("objective"),
            fallbacks=tuple(item.get("fallbacks", ())),
            guardrails=tuple(item.get("guardrails", ())),
            postprocess=item.get("postprocess"),
            residency=Residency.from_item(route_id, residency) if residency else None,
            version=item.get("version", 1),
        )


@dataclass(frozen=True, slots=True)
class Catalog:
    """All that routing goes by, as it was read at one time."""

    models: Mapping[str, Model]
    aliases: Mapping[str, Alias] = field(default_factory=dict)
    routes: Mapping[tuple[str | None, str | None], Route] = field(default_factory=dict)
    """By task and query type."""
    permissions: tuple[Permission, ...] = ()
    """Who may do what; aliases in them stand for their models."""

    def route(self, task: str, query_type: str | None) -> Route | None:
        """The row that fits best: both named, then the query type alone, then the task alone, then the default.

        A row of which no model does the task is passed over, so a default of chat models is none for embeddings.
        """
        rows = self._covering(task, query_type)
        return next((row for row in rows if any(task in self.models[each].tasks for each in self.chosen(row))), None)

    def residency(self, request: Mapping[str, Any], *, redacts: bool = False) -> tuple[Residency, ...]:
        """All that is demanded of the models that a job asks; nothing where rules take out what is personal.

        The demands of all rows that cover the job hold together, whichever it follows: neither a model that it names
        nor a kind of work takes one away that a wider row makes.

        Args:
            request: the job's, as stored.
            redacts: whether personal data is taken out of all that models get of it.
        """
        if redacts:
            return ()
        rows = self._covering(request.get("task", "chat"), request.get("routing", {}).get("query_type"))
        return tuple(row.residency for row in rows if row.residency is not None)

    def _covering(self, task: str, query_type: str | None) -> list[Route]:
        """The rows that are for a job, the one that fits best first."""
        keys = dict.fromkeys(((task, query_type), (None, query_type), (task, None), (None, None)))
        return [self.routes[key] for key in keys if key in self.routes]

    def chosen(self, row: Route) -> dict[str, int | None]:
        """The models of a row without its fallbacks, in order, with their weights; by rank where it names none."""
        if not row.models:
            return dict.fromkeys(sorted(self.open(), key=lambda each: (self.models[each].rank, each)))
        found: dict[str, int | None] = {}
        for each in row.models:
            for model in self.expand(each.model):
                found.setdefault(model, each.weight)
        return found

    def open(self) -> list[str]:
        """The models that are taken where nothing names one, by id."""
        return sorted(model.id for model in self.models.values() if not model.by_name_only)

    def expand(self, name: str) -> tuple[str, ...]:
        """The models behind a name, as far as they are registered."""
        alias = self.aliases.get(name)
        return tuple(each for each in (alias.models if alias else (name,)) if each in self.models)


@dataclass(frozen=True, slots=True)
class Named:
    """One model of an order, and who named it."""

    model: str
    by: str
    """In words: `named by the request`, `alias fast of the request`, `route summaries`, …"""
    weight: int | None = None
    fallback: bool = False
    """Tried in its place after all that are none, whatever the objective and the weights say."""


@dataclass(frozen=True, slots=True)
class Order:
    """The models that may do a job, in order; each stands once, fallbacks last."""

    names: tuple[Named, ...]
    objective: str | None = None
    """What orders the names that are no fallbacks; None where they are tried as they stand."""
    route: Route | None = None
    """The row that was followed, if one was."""


def order_for(request: Mapping[str, Any], catalog: Catalog) -> Order | None:
    """What request and routes say of the models to try.

    A model or alias that the request names comes first and no row is followed; otherwise the row for its task and
    `routing.query_type`. The request's own fallbacks take the place of the row's, its objective that of the row's.

    Args:
        request: the job's request as stored.
        catalog: models, aliases and routes.

    Returns:
        None where neither names anything, so every model is open.

    Raises:
        InvalidRequest: the request names a model that does not exist; `param` is the field.
    """
    routing = request.get("routing", {})
    name = request.get("model", "auto")
    asked = [
        Named(model, by, fallback=True)
        for place, each in enumerate(routing.get("fallbacks", ()))
        for model, by in _asked(each, f"routing.fallbacks.{place}", catalog)
    ]
    if name != "auto":
        first = [Named(model, by) for model, by in _asked(name, "model", catalog)]
        return Order(_once([*first, *asked]))
    row = catalog.route(request.get("task", "chat"), routing.get("query_type"))
    if row is None:
        return Order(_once(asked)) if asked else None
    by = f"route {row.id}"
    chosen = [Named(model, by, weight) for model, weight in catalog.chosen(row).items()]
    reserve = [Named(model, by, fallback=True) for each in row.fallbacks for model in catalog.expand(each)]
    return Order(_once([*chosen, *(asked or reserve)]), routing.get("objective", row.objective), row)


def _asked(name: str, place: str, catalog: Catalog) -> Iterator[tuple[str, str]]:
    models = catalog.expand(name)
    if not models:
        raise InvalidRequest(f"There is no model {name!r}.", code="unknown_model", param=place)
    by = "named by the request" if name in catalog.models else f"alias {name} of the request"
    return ((model, by) for model in models)


def _once(names: list[Named]) -> tuple[Named, ...]:
    first: dict[str, Named] = {}
    for each in names:
        first.setdefault(each.model, each)
    return tuple(first.values())
