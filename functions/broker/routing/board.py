"""The board: circuit and live figures of all models, one small item each under one key, so that one query reads all.

Table `ledger`, pk `HEALTH`, sk the model, or `model#tenant` for a circuit of a tenant's own. Of the circuit: `state`
(`open`, or absent while closed), `until`, `cooling` (milliseconds), `probe` (who probes) and `probe_until`,
`closed_at`. Of the figures: see `figures`.

Each process reads the board every five seconds at most, and only when something asks: a thousand processes make two
hundred reads a second, of the three thousand units that one partition gives. Where it cannot be read, what was read
last holds: nothing that goes by it may fail with it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from broker.routing.circuits import CLOSED, State
from broker.routing.figures import Figures
from broker.storage import Database, Item

PK = "HEALTH"

KEEP_MS = 5_000
"""How long a change may take to show in another process."""

FRESH_MS = 900_000
"""Figures that are older say nothing of now."""

KEPT_S = 86_400
"""A row is deleted a day after its last write; without one, the circuit is closed and nothing is known."""


def own(model_id: str, tenant: str) -> str:
    """The name of a tenant's own circuit; ids of models and tenants have no `#`."""
    return f"{model_id}#{tenant}"


@dataclass(frozen=True, slots=True)
class Row:
    """What the board says of a model, or of a tenant's own circuit of one."""

    state: State = CLOSED
    figures: Figures | None = None
    """None where nothing is known of the last quarter of an hour."""
    cooling_ms: int = 0
    closed_at: int = 0
    """When the circuit was last closed."""
    cooled_at: int = 0
    """When the cooling of one that is not closed is over."""

    @classmethod
    def of(cls, item: Item, now: int) -> "Row":
        """Read an item as of now."""
        figures = Figures.from_item(item)
        if figures and now - figures.at > FRESH_MS:
            figures = None
        return cls(_state(item, now), figures, item.get("cooling", 0), item.get("closed_at", 0), item.get("until", 0))


def _state(item: Item, now: int) -> State:
    if "state" not in item:
        return CLOSED
    if now < item["until"]:
        return State("open", item["until"])
    return State("half_open", item["probe_until"] if now < item["probe_until"] else None)


class Board:
    """Reads the board, and remembers it for five seconds."""

    def __init__(self, database: Database, unread: Callable[[Exception], None] = lambda error: None) -> None:
        """`unread` is told of each time that it could not be read."""
        self._database = database
        self._unread = unread
        self._read_at = -KEEP_MS
        self._items: dict[str, Item] = {}

    def rows(self, now: int, tenant: str | None = None) -> dict[str, Row]:
        """Of each model that anything is known of; as of now, from what was read at most five seconds ago.

        Args:
            now: milliseconds.
            tenant: whose own circuits are asked for, by model; None for what holds for all.
        """
        parted = {name: name.partition("#") for name in self._known(now)}
        mine = {name: model for name, (model, _, whose) in parted.items() if whose == (tenant or "")}
        return {model: self.row(name, now) for name, model in mine.items()}

    def row(self, name: str, now: int) -> Row:
        """Of one circuit: a model's, or a tenant's `own`."""
        item = self._known(now).get(name)
        return Row.of(item, now) if item else Row()

    def forget(self) -> None:
        """Read anew at the next question."""
        self._read_at = -KEEP_MS

    def _known(self, now: int) -> dict[str, Item]:
        if now - self._read_at >= KEEP_MS:
            try:
                self._items = {item["sk"]: item for item in self._database.query("ledger", PK)}
            except Exception as error:
                self._unread(error)
            self._read_at = now  # also where it could not be read: each question would wait for the client's repeats
        return self._items
