"""The circuits as all functions share them: their states in the ledger table, every change a conditional write."""

import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from broker.errors import CircuitOpen
from broker.routing.board import KEPT_S, PK, Board, Row
from broker.routing.circuits import (
    AT_ONCE,
    FAILURES,
    FIRST_COOLING_MS,
    UNSENT,
    WINDOW_MS,
    State,
    next_cooling,
    should_open,
)
from broker.routing.figures import SPAN_MS, Figures, Meter, spans
from broker.storage import ConditionFailed, Database, If, Update


@dataclass(slots=True)
class Breakers:
    """See `circuits.Circuits` and `figures.Health`; one for each process.

    A closed circuit costs a read of the board every five seconds at most, and a success one write in `figures.EVERY`.
    """

    database: Database
    board: Board
    changed: Callable[[str, str], None] = lambda model_id, to: None
    """Told of each change that this process made: the model, and `opened`, `probed` or `closed`."""
    chance: Callable[[], float] = random.random
    _meter: Meter = field(init=False)
    _probes: dict[str, str] = field(default_factory=dict)
    """Marks of the probes that this process has under way."""

    def __post_init__(self) -> None:
        self._meter = Meter(self.database, self.chance)

    def states(self, now: int) -> Mapping[str, State]:
        """See `Circuits.states`."""
        rows = self.board.rows(now)
        return {model: row.state for model, row in rows.items() if row.state.phase != "closed"}

    def figures(self, now: int) -> Mapping[str, Figures]:
        """See `Health.figures`."""
        return {model: row.figures for model, row in self.board.rows(now).items() if row.figures}

    def admit(self, model_id: str, now: int, lease_ms: int) -> None:
        """See `Circuits.admit`."""
        state = self.board.row(model_id, now).state
        if state.phase == "half_open" and not state.probing:
            if self._take_probe(model_id, now, lease_ms):
                return
            state = self.board.row(model_id, now).state  # another process was faster: what did it find?
        if state.phase != "closed":
            message = f"The circuit of {model_id} is open."
            raise CircuitOpen(message, code="circuit_open", retry_after=state.retry_after(now))

    def record(self, model_id: str, outcome: str, latency_ms: int, now: int) -> None:
        """See `Circuits.record`."""
        mark = self._probes.pop(model_id, None)
        if outcome in UNSENT:
            if mark:
                self._try(self._change(model_id, now, {"probe_until": 0}, (If("probe", "=", mark),)))
            return
        failed = outcome in FAILURES
        row = self.board.row(model_id, now)
        sick = row.figures is not None and row.figures.sick
        first = self._meter.count(model_id, outcome, latency_ms, now, sick=sick)
        if mark:
            self._end_probe(model_id, mark, failed, now)
        elif failed:
            if row.state.phase == "closed" and (outcome == AT_ONCE or self._fails(model_id, row.closed_at, now)):
                self._open(model_id, row, now)
        if first:
            self._renew(model_id, now)

    def _fails(self, model_id: str, closed_at: int, now: int) -> bool:
        # What failed before the circuit was closed was judged then.
        slots = self._meter.slots(model_id, max(now - WINDOW_MS, closed_at))
        # Not only the whole minute: a model that was well until just now would go on failing for half of it.
        return any(should_open(calls, failures) for calls, failures in spans(slots))

    def _renew(self, model_id: str, now: int) -> None:
        found = Figures.of(self._meter.slots(model_id, now - SPAN_MS), now)
        self.database.write(self._change(model_id, now, dict(found.to_attributes())))

    def _take_probe(self, model_id: str, now: int, lease_ms: int) -> bool:
        mark = os.urandom(8).hex()
        free = (If("state", "exists"), If("until", "<", now + 1), If("probe_until", "<", now + 1))
        if not self._try(self._change(model_id, now, {"probe": mark, "probe_until": now + lease_ms}, free)):
            return False
        self._probes[model_id] = mark
        self.changed(model_id, "probed")
        return True

    def _end_probe(self, model_id: str, mark: str, failed: bool, now: int) -> None:
        mine = (If("probe", "=", mark),)  # or the lease was over, and another process probes
        if failed:
            cooling = next_cooling(self.board.row(model_id, now).cooling_ms)
            again = {"until": now + cooling, "cooling": cooling, "probe": "", "probe_until": 0}
            if self._try(self._change(model_id, now, again, mine)):
                self.changed(model_id, "opened")
            return
        gone = ("state", "until", "cooling", "probe", "probe_until")
        if self._try(self._change(model_id, now, {"closed_at": now}, mine, gone)):
            self.changed(model_id, "closed")

    def _open(self, model_id: str, row: Row, now: int) -> None:
        cooling = FIRST_COOLING_MS
        attributes = {"state": "open", "until": now + cooling, "cooling": cooling, "probe": "", "probe_until": 0}
        # Closed, and by the same probe as when the calls were counted.
        as_known = If("closed_at", "=", row.closed_at) if row.closed_at else If("closed_at", "absent")
        if self._try(self._change(model_id, now, attributes, (If("state", "absent"), as_known))):
            self.changed(model_id, "opened")

    @staticmethod
    def _change(
        model_id: str, now: int, attributes: dict[str, object], when: tuple[If, ...] = (), gone: tuple[str, ...] = ()
    ) -> Update:
        kept = {"expires_at": now // 1000 + KEPT_S}
        return Update("ledger", PK, model_id, set=attributes | kept, remove=gone, when=when)

    def _try(self, change: Update) -> bool:
        """Write; False where the circuit has moved on meanwhile. What is remembered of it is old in either case."""
        try:
            self.database.write(change)
        except ConditionFailed:
            return False
        finally:
            self.board.forget()
        return True
