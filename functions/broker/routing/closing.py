"""Circuits by hand: an operator sees those that are not closed, and closes one whose cause is mended."""

from typing import Any

from broker.clock import iso
from broker.errors import NotFound
from broker.routing.board import KEPT_S, PK, Row, own
from broker.storage import ConditionFailed, Database, If, Update

OPENED = ("state", "until", "cooling", "probe", "probe_until")
"""What a circuit has while it is not closed."""


def not_closed(database: Database, now: int) -> list[dict[str, Any]]:
    """All circuits that are open or half-open: `{"model", "tenant", "state", "until", "cooling_seconds"}`.

    One query of the board, which has an item for each model and each tenant's own circuit of the last day.
    """
    found = []
    for item in database.query("ledger", PK):
        row = Row.of(item, now)
        if row.state.phase != "closed":
            model, _, tenant = item["sk"].partition("#")
            until = iso(row.state.until) if row.state.until else None
            circuit = {"model": model, "tenant": tenant or None, "state": row.state.phase, "until": until}
            found.append(circuit | {"cooling_seconds": row.cooling_ms // 1000})
    return found


def close(database: Database, model_id: str, tenant: str | None, now: int) -> None:
    """Close a model's circuit, or with `tenant` that tenant's own; functions see it within five seconds.

    What failed before the present slot of time (`figures.SLOT_MS`) does not count against it any more; what fails from
    now on opens it anew. A probe that is under way finds its circuit changed, and changes nothing.

    Raises:
        NotFound: it is closed already, or there is no such model.
    """
    name = own(model_id, tenant) if tenant else model_id
    kept = {"closed_at": now, "expires_at": now // 1000 + KEPT_S}
    try:
        database.write(Update("ledger", PK, name, set=kept, remove=OPENED, when=(If("state", "exists"),)))
    except ConditionFailed:
        raise NotFound(f"No circuit of {model_id} is open.", code="no_open_circuit", param="model") from None
