"""What tests of circuits begin with: the ledger, processes that know it, and what errors say."""

from collections.abc import Sequence

from broker import errors
from broker.consequences import of_outcome
from broker.errors import BrokerError, CircuitOpen, Unavailable
from broker.routing.board import Board
from broker.routing.breakers import Breakers
from broker.routing.figures import SLOT_MS
from broker.storage import TRIES, Check, Item, Put, TableName, Update

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


class Refusing(FakeDatabase):
    """A database that refuses, as one that throttles, what touches partitions of these beginnings."""

    refused: tuple[str, ...] = ()

    def query(self, table: TableName, pk: str, prefix: str = "") -> list[Item]:
        self._refuse(pk)
        return super().query(table, pk, prefix)

    def query_since(self, table: TableName, pk: str, sk: str) -> list[Item]:
        self._refuse(pk)
        return super().query_since(table, pk, sk)

    def write(self, *operations: Put | Update | Check, tries: int = TRIES) -> None:
        for each in operations:
            self._refuse(each.item["pk"] if isinstance(each, Put) else each.pk)
        super().write(*operations, tries=tries)

    def _refuse(self, pk: str) -> None:
        if pk.startswith(self.refused):
            raise OSError("throttled")


class Stage:
    """Processes around one table; a clock that only the test moves."""

    def __init__(self) -> None:
        self.database = Refusing()
        self.now = START
        self.changes: list[tuple[str, str]] = []
        self.unread: list[Exception] = []

    def process(self) -> Breakers:
        """One that writes each call that it makes."""
        changes = self.changes
        board = Board(self.database, self.unread.append)
        return Breakers(self.database, board, lambda model, to: changes.append((model, to)), lambda: 0.0)

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
