"""Residency: routes demand that data from which nothing personal was taken out stays in regions, or with providers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from broker.routing.model import Model


@dataclass(frozen=True, slots=True)
class Residency:
    """What one route demands. A model meets it by either: by where its data stays, or by whose it is."""

    route: str
    """The id of the row that demands it."""
    regions: frozenset[str] = frozenset()
    """Data regions; a model meets them that keeps to some of them, and to no other."""
    providers: frozenset[str] = frozenset()

    @classmethod
    def from_item(cls, route: str, item: Mapping[str, Any]) -> Self:
        """Read the stored form, as it stands in the route's."""
        return cls(route, frozenset(item.get("regions", ())), frozenset(item.get("providers", ())))

    def why_not(self, model: Model) -> str | None:
        """What a model lacks to be told unredacted data; None where it may be."""
        if model.provider in self.providers or (model.regions and model.regions <= self.regions):
            return None
        kept = (
            f"may send data to {', '.join(sorted(model.regions))}" if model.regions else "keeps to no known data region"
        )
        named = [f"in {', '.join(sorted(self.regions))}"] if self.regions else []
        named += [f"with {', '.join(sorted(self.providers))}"] if self.providers else []
        return f"{kept}, and route {self.route} keeps unredacted data {' or '.join(named)}"


def outside(model: Model, demands: Iterable[Residency]) -> str | None:
    """Why a model may not be told what the demands are for: by the first that it does not meet, for all have to be."""
    return next((why for each in demands if (why := each.why_not(model))), None)
