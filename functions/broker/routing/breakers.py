"""The circuits as all functions share them: their states in the ledger table, every change a conditional write."""

import os
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from broker.consequences import of_outcome
from broker.errors import CircuitOpen
from broker.routing.board import KEPT_S, PK, Board, Row, own
from broker.routing.circuits import (
    CLOSED,
    HURRIED_MS,
    WINDOW_MS,
    State,
    first_cooling,
    is_failure,
    next_cooling,
    opens_at_once,
    should_open,
    worse,
)
from broker.routing.figures import SPAN_MS, Figures, Meter, began, group_of, spans
from broker.storage import ConditionFailed, Database, If, Update


@dataclass(slots=True)
class Breakers:
    """See `circuits.Circuits` and `figures.Health`; one for each process.

    A closed circuit costs a read of the board every five seconds at most, and a success one write in `figures.EVERY`.
    A circuit is named by its model, or by `board.own` where it is a tenant's.
    """

    database: Database
    board: Board
    changed: Callable[[str, str], None] = lambda name, to: None
    """Told of each change that this process made: the circuit, and `opened`, `probed` or `closed`."""
    chance: Callable[[], float] = random.random
    _meter: Meter = field(init=False)
    _probes: dict[str, str] = field(default_factory=dict)
    """Tokens of the probes that this process has under way, by circuit."""

    def __post_init__(self) -> None:
        self._meter = Meter(self.database, self.chance)

    def states(self, now: int, tenant: str) -> Mapping[str, State]:
        """See `Circuits.states`."""
        shared = {model: row.state for model, row in self.board.rows(now).items()}
        mine = {model: row.state for model, row in self.board.rows(now, tenant).items()}
        met = {each: worse(shared.get(each, CLOSED), mine.get(each, CLOSED)) for each in shared.keys() | mine.keys()}
        return {model: state for model, state in met.items() if state.phase != "closed"}

    def figures(self, now: int) -> Mapping[str, Figures]:
        """See `Health.figures`."""
        return {model: row.figures for model, row in self.board.rows(now).items() if row.figures}

    def admit(self, model_id: str, tenant: str, now: int, lease_ms: int, *, hurried: bool = False) -> None:
        """See `Circuits.admit`."""
        mine = own(model_id, tenant)
        self._pass(mine, model_id, now, lease_ms, hurried=hurried)
        try:
            self._pass(model_id, model_id, now, lease_ms, hurried=hurried)
        except CircuitOpen:
            self._free(mine, now)
            raise

    def record(self, model_id: str, tenant: str, outcome: str, latency_ms: int, now: int) -> None:
        """See `Circuits.record`."""
        mine = own(model_id, tenant)
        if of_outcome(outcome).circuit == "silent":
            for name in (mine, model_id):
                self._free(name, now)
            return
        tokens = {name: self._probes.pop(name) for name in (mine, model_id) if name in self._probes}
        failed = is_failure(outcome)
        row = self.board.row(model_id, now)
        sick = row.figures is not None and row.figures.sick
        for name, token in tokens.items():  # first, for the figures may be refused: they are written much more often
            self._end_probe(name, token, failed, now)
        first = self._meter.count(model_id, tenant, outcome, latency_ms, now, sick=sick)
        if failed and model_id not in tokens:
            self._judge(model_id, tenant, outcome, now)
        if first:
            self._renew(model_id, now)

    def _judge(self, model_id: str, tenant: str, outcome: str, now: int) -> None:
        """Open what a failure opens: the circuit of all, or else the tenant's own."""
        shared, mine = self.board.row(model_id, now), self.board.row(own(model_id, tenant), now)
        if shared.state.phase != "closed":
            return
        at_once = opens_at_once(outcome)
        # What failed before a circuit was closed was judged then.
        slots = self._meter.slots(model_id, max(now - WINDOW_MS, shared.closed_at))
        # Not only the whole minute: a model that was well until just now would go on failing for half of it.
        for span in spans(slots):
            if span.others_fail and (at_once or should_open(span.calls, span.failures)):
                self._open(model_id, shared, first_cooling(outcome), now)
                return
        if mine.state.phase == "closed" and (at_once or self._fails_for(model_id, tenant, mine.closed_at, now)):
            self._open(own(model_id, tenant), mine, first_cooling(outcome), now)

    def _fails_for(self, model_id: str, tenant: str, closed_at: int, now: int) -> bool:
        """True where a tenant's own calls fail: its failures are counted, its calls as those of its group at most."""
        since, group = max(now - WINDOW_MS, closed_at), f"c{group_of(tenant)}"
        calls, failures = Counter[str](), Counter[str]()
        for slot in self._meter.slots(model_id, since):
            calls[began(slot)] += slot.get(group, 0)
        for slot in self._meter.slots(model_id, since, tenant):
            failures[began(slot)] += slot["failures"]
        made = failed = 0
        for each in sorted(calls.keys() | failures.keys(), reverse=True):
            made, failed = made + calls[each], failed + failures[each]
            if should_open(max(made, failed), failed):
                return True
        return False

    def _renew(self, model_id: str, now: int) -> None:
        found = Figures.of(self._meter.slots(model_id, now - SPAN_MS), now)
        self.database.write(self._change(model_id, now, dict(found.to_attributes())))

    def _pass(self, name: str, model_id: str, now: int, lease_ms: int, *, hurried: bool) -> None:
        """Let a call through one circuit.

        Raises:
            CircuitOpen: not now.
        """
        row = self.board.row(name, now)
        state = row.state
        too_soon = hurried and now - row.cooled_at < HURRIED_MS
        if state.phase == "half_open" and not state.probing and not too_soon:
            if self._take_probe(name, now, lease_ms):
                return
            state = self.board.row(name, now).state  # another process was faster: what did it find?
        if state.phase != "closed":
            message = f"The circuit of {model_id} is open."
            raise CircuitOpen(message, code="circuit_open", retry_after=state.retry_after(now))

    def _take_probe(self, name: str, now: int, lease_ms: int) -> bool:
        token = os.urandom(8).hex()
        free = (If("state", "exists"), If("until", "<", now + 1), If("probe_until", "<", now + 1))
        if not self._try(self._change(name, now, {"probe": token, "probe_until": now + lease_ms}, free)):
            return False
        self._probes[name] = token
        self.changed(name, "probed")
        return True

    def _free(self, name: str, now: int) -> None:
        """Give a probe back that found nothing out."""
        if token := self._probes.pop(name, None):
            self._try(self._change(name, now, {"probe_until": 0}, (If("probe", "=", token),)))

    def _end_probe(self, name: str, token: str, failed: bool, now: int) -> None:
        mine = (If("probe", "=", token),)  # or the lease was over, and another process probes
        if failed:
            cooling = next_cooling(self.board.row(name, now).cooling_ms)
            again = {"until": now + cooling, "cooling": cooling, "probe": "", "probe_until": 0}
            if self._try(self._change(name, now, again, mine)):
                self.changed(name, "opened")
            return
        gone = ("state", "until", "cooling", "probe", "probe_until")
        if self._try(self._change(name, now, {"closed_at": now}, mine, gone)):
            self.changed(name, "closed")

    def _open(self, name: str, row: Row, cooling: int, now: int) -> None:
        attributes = {"state": "open", "until": now + cooling, "cooling": cooling, "probe": "", "probe_until": 0}
        # Closed, and by the same probe as when the calls were counted.
        as_known = If("closed_at", "=", row.closed_at) if row.closed_at else If("closed_at", "absent")
        if self._try(self._change(name, now, attributes, (If("state", "absent"), as_known))):
            self.changed(name, "opened")

    @staticmethod
    def _change(
        name: str, now: int, attributes: dict[str, object], when: tuple[If, ...] = (), gone: tuple[str, ...] = ()
    ) -> Update:
        kept = {"expires_at": now // 1000 + KEPT_S}
        return Update("ledger", PK, name, set=attributes | kept, remove=gone, when=when)

    def _try(self, change: Update) -> bool:
        """Write; False where the circuit has moved on meanwhile. What is remembered of it is old in either case."""
        try:
            self.database.write(change)
        except ConditionFailed:
            return False
        finally:
            self.board.forget()
        return True
