"""Models, aliases and routes: read from the registry's table, kept in memory for half a minute."""

from collections.abc import Mapping

from broker.clock import iso
from broker.errors import InvalidRequest
from broker.routing.model import Model
from broker.routing.permitting import PERMISSION, permission_of
from broker.routing.routes import ALIAS, ROUTE, Alias, Catalog, Route
from broker.storage import Database, Item

KEEP_MS = 30_000
"""How long a change to the registry may take to show."""


class Models:
    """All models of the deployment, with the aliases and routes that stand beside them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read_at = -KEEP_MS
        self._catalog = Catalog({})

    def catalog(self, now: int) -> Catalog:
        """Models, aliases and routes in one query; at most half a minute old."""
        if now - self._read_at >= KEEP_MS:
            self._catalog = _read(self._database.query("registry", "MODELS"), str(iso(now))[:10])
            self._read_at = now
        return self._catalog

    def forget(self) -> None:
        """Read anew at the next question: what another process knows already may be missing here."""
        self._read_at = -KEEP_MS

    def all(self, now: int) -> Mapping[str, Model]:
        """The models by id."""
        return self.catalog(now).models

    def get(self, model_id: str, now: int) -> Model:
        """One model, whatever its status.

        Raises:
            InvalidRequest: it is not registered.
        """
        found = self.all(now).get(model_id)
        if found is None:
            self.forget()
            found = self.all(now).get(model_id)
        if found is None:
            raise InvalidRequest(f"There is no model {model_id!r}.", code="unknown_model", param="model")
        return found


def _read(items: list[Item], today: str) -> Catalog:
    """The catalog of a day, without the aliases and routes that are disabled."""
    open_ones = [item for item in items if item.get("enabled", True)]
    aliases = [Alias.from_item(item) for item in open_ones if item["sk"].startswith(ALIAS)]
    routes = [Route.from_item(item) for item in open_ones if item["sk"].startswith(ROUTE)]
    models = [Model.from_item(item) for item in items if not item["sk"].startswith((ALIAS, ROUTE, PERMISSION))]
    # A name that is out of use still stands for its models where a permission says it: none of them is let go by that.
    names = {item["sk"].removeprefix(ALIAS): item["models"] for item in items if item["sk"].startswith(ALIAS)}
    return Catalog(
        {model.id: model for model in models},
        {alias.id: alias for alias in aliases},
        {(row.task, row.query_type): row for row in routes},
        tuple(permission_of(item, names, today) for item in open_ones if item["sk"].startswith(PERMISSION)),
    )
