"""Recipes for documents, as the functions read them (table `registry`, pk `RECIPE#id`)."""

import json
from dataclasses import dataclass, field

from broker.documents.recipe import Recipe
from broker.errors import NotFound
from broker.storage import Database, Item

KEEP_MS = 30_000
"""How long a change may take to show."""

MOST_KEPT = 64


@dataclass(frozen=True, slots=True)
class Offered:
    """The newest version of a recipe, and whose documents it is for; None for all tenants'."""

    recipe: Recipe
    enabled: bool
    tenants: frozenset[str] | None = None

    def is_for(self, tenant: str) -> bool:
        """True where the tenant's documents may be worked on by it."""
        return self.tenants is None or tenant in self.tenants


@dataclass(slots=True)
class Recipes:
    """The recipes of the deployment. The newest version is kept for half a minute, others as long as there is room."""

    database: Database
    _newest: dict[str, tuple[int, Offered | None]] = field(default_factory=dict)
    _versions: dict[tuple[str, int], Recipe] = field(default_factory=dict)

    def find(self, recipe_id: str, now: int) -> Offered | None:
        """The newest version; None where there is no such recipe."""
        read_at, found = self._newest.get(recipe_id, (-KEEP_MS, None))
        if now - read_at >= KEEP_MS:
            item = self.database.get("registry", f"RECIPE#{recipe_id}", "RECIPE")
            found = None if item is None else _offered(recipe_id, item)
            self._newest[recipe_id] = (now, found)
            if len(self._newest) > MOST_KEPT:
                del self._newest[next(iter(self._newest))]
        return found

    def version(self, recipe_id: str, number: int) -> Recipe:
        """One version, which never changes.

        Raises:
            NotFound: there is none.
        """
        if (known := self._versions.get((recipe_id, number))) is not None:
            return known
        item = self.database.get("registry", f"RECIPE#{recipe_id}", f"V#{number:04}")
        if item is None:
            raise NotFound("There is no such recipe or version.", code="unknown_recipe")
        recipe = self._versions[recipe_id, number] = _recipe(recipe_id, item)
        if len(self._versions) > MOST_KEPT:
            del self._versions[next(iter(self._versions))]
        return recipe


def _offered(recipe_id: str, item: Item) -> Offered:
    tenants = item.get("tenants")
    return Offered(_recipe(recipe_id, item), item.get("enabled", True), None if tenants is None else frozenset(tenants))


def _recipe(recipe_id: str, item: Item) -> Recipe:
    return Recipe.of(recipe_id, int(item["version"]), json.loads(item["recipe"]))
