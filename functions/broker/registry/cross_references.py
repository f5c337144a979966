"""Names that entries have of each other: what is named is there, and no name means two things."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from broker.errors import InvalidRequest
from broker.registry.entry import Entry
from broker.registry.label_entry import LabelsEntry
from broker.registry.model_entry import AliasEntry, ModelEntry, RouteEntry
from broker.registry.prompts import PromptEntry
from broker.registry.tenants import TenantEntry

NAMING = ("models", "aliases", "routes")
"""The kinds that have to be known to check a name."""

Fault = tuple[str, str, str]
"""Field, code and message."""


@dataclass(frozen=True, slots=True)
class Names:
    """The registry as it will stand."""

    models: frozenset[str]
    aliases: frozenset[str]
    rows: Mapping[tuple[str | None, str | None], frozenset[str]]
    """The routes in use, by task and query type; more than one is a fault."""
    has_version: Callable[[str, int], bool]
    """Whether a prompt has a version."""

    @classmethod
    def of(
        cls, contents: Mapping[str, Mapping[str, Mapping[str, Any]]], has_version: Callable[[str, int], bool]
    ) -> "Names":
        """From contents by kind and id."""
        rows: dict[tuple[str | None, str | None], set[str]] = {}
        for route, content in contents["routes"].items():
            if content.get("enabled", True):
                rows.setdefault((content.get("task"), content.get("query_type")), set()).add(route)
        return cls(
            frozenset(contents["models"]),
            frozenset(contents["aliases"]),
            {key: frozenset(routes) for key, routes in rows.items()},
            has_version,
        )


def check_references(entry: Entry, names: Names, place: str = "") -> None:
    """Check what an entry names.

    Args:
        entry: the entry.
        names: the registry as it will stand, with the entry.
        place: where the entry stands in its document, with a dot at the end (`routes.2.`).

    Raises:
        InvalidRequest: the first name at fault.
    """
    check = CHECKS.get(type(entry))
    for field, code, message in check(entry, names) if check else ():
        raise InvalidRequest(f"{place}{field} ({entry.key}): {message}", code=code, param=f"{place}{field}")


def _model(entry: ModelEntry, names: Names) -> Iterator[Fault]:
    if entry.id in names.aliases:
        yield "id", "ambiguous_name", f"an alias has the name {entry.id!r}"
    if entry.successor is not None:
        yield from _unknown([("successor", entry.successor)], names.models)


def _alias(entry: AliasEntry, names: Names) -> Iterator[Fault]:
    if entry.id in names.models:
        yield "id", "ambiguous_name", f"a model has the name {entry.id!r}"
    yield from _unknown(_listed("models", entry.models), names.models)


def _route(entry: RouteEntry, names: Names) -> Iterator[Fault]:
    known = names.models | names.aliases
    yield from _unknown(((f"models.{at}.model", each.model) for at, each in enumerate(entry.models)), known)
    yield from _unknown(_listed("fallbacks", entry.fallbacks), known)
    others = names.rows.get((entry.task and entry.task.value, entry.query_type), frozenset()) - {entry.id}
    if entry.enabled and others:
        yield "query_type", "duplicate_route", f"the route {min(others)!r} is for the same task and query type"


def _tenant(entry: TenantEntry, names: Names) -> Iterator[Fault]:
    yield from _unknown(_listed("models", entry.models or []), names.models)
    if entry.cache_embedding_model is not None:
        yield from _unknown([("cache_embedding_model", entry.cache_embedding_model)], names.models)


def _prompt(entry: PromptEntry, names: Names) -> Iterator[Fault]:
    if entry.hints is not None and entry.hints.model is not None:
        yield from _unknown([("hints.model", entry.hints.model)], names.models | names.aliases)


def _labels(entry: LabelsEntry, names: Names) -> Iterator[Fault]:
    for label, arms in entry.labels.items():
        for at, arm in enumerate(arms):
            if not names.has_version(entry.id, arm.version):
                yield f"labels.{label}.{at}.version", "unknown_version", f"the prompt has no version {arm.version}"


def _listed(field: str, values: Iterable[str]) -> Iterator[tuple[str, str]]:
    return ((f"{field}.{at}", each) for at, each in enumerate(values))


def _unknown(named: Iterable[tuple[str, str]], known: frozenset[str]) -> Iterator[Fault]:
    return ((field, "unknown_model", f"there is no model {name!r}") for field, name in named if name not in known)


CHECKS: dict[type[Entry], Callable[[Any, Names], Iterator[Fault]]] = {
    ModelEntry: _model,
    AliasEntry: _alias,
    RouteEntry: _route,
    TenantEntry: _tenant,
    PromptEntry: _prompt,
    LabelsEntry: _labels,
}
