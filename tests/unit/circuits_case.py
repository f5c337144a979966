"""What tests of circuits begin with: the ledger, processes that know it, and what errors say."""

from collections.abc import Sequence

from broker import errors
from broker.consequences import of_outcome
from broker.errors import BrokerError, CircuitOpen, Unavailable
from broker.routing.board import Board
from broker.routing.breakers import Breakers
from broker.routing.figures import SLOT_MS

from tests.fakes.database import FakeDatabase
from tests.fakes.world import NOW, SECOND

START = NOW - NOW % SLOT_MS
LEASE = 90 * SECOND

TENANTS = ("acme", "globex")
"""Whose calls the tests make, in turn."""

ONLOOKER = "umbra"
"""Who makes none of them: what it sees holds for all."""

KINDS = [kind.__name__ for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, BrokerError)]
SILENT = sorted(kind for kind in KINDS if of_outcome(kind).circuit == "silent")
ANSWERED = sorted(kind for kind in KINDS if of_outcome(kind).circuit == "answered")
FAILED = sorted(kind for kind in KINDS if of_outcome(kind).circuit in ("failed", "opens", "opens_longer"))


class Stage:
    """Processes around one table; a clock that only the test moves."""

    def __init__(self) -> None:
        self.database = FakeDatabase()
        self.now = START
        self.changes: list[tuple[str, str]] = []

    def process(self) -> Breakers:
        """One that writes each call that it makes."""
        changes = self.changes
        return Breakers(self.database, Board(self.database), lambda model, to: changes.append((model, to)), lambda: 0.0)

    def fail(
        self,
        times: int,
        outcome: str = Unavailable.__name__,
        process: Breakers | None = None,
        tenants: Sequence[str] = TENANTS,
    ) -> None:
        for number in range(times):
            (process or self.process()).record("m", tenants[number % len(tenants)], outcome, 100, self.now)

    def open(self) -> None:
        self.fail(10)
        assert self.phase == "open"

    @property
    def phase(self) -> str:
        """What a fresh process sees, for all."""
        return self.phase_for(ONLOOKER)

    def phase_for(self, tenant: str) -> str:
        state = self.process().states(self.now, tenant).get("m")
        return state.phase if state else "closed"

    def admits(self, process: Breakers | None = None, tenant: str = ONLOOKER) -> bool:
        try:
            (process or self.process()).admit("m", tenant, self.now, LEASE)
        except CircuitOpen:
            return False
        return True

    def probe(self) -> Breakers:
        process = self.process()
        assert self.admits(process)
        return process
