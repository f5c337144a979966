"""How many jobs of one tenant are accepted in a second, where transactions on one item cancel each other.

The broker's own code holds the budget, in virtual time: a transaction holds its items for ten milliseconds, one that
meets another is refused after as long, and a read takes four. Jobs come at random, and each process has one at a time.
What is told of 1,000 write units a second of one partition key is counted, cancelled transactions with the others.
"""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from broker.cloud.contention import Met, persist
from broker.errors import BudgetExceeded
from broker.storage import TRIES, Contended, Item, Operation, Put, TableName, Update
from broker.tenants import budgets as holding
from broker.tenants import ledger, slices
from broker.tenants.budgets import Budgets

from bench.figures import percentile
from bench.tables import Cell, keep, show, table
from bench.virtual_time import VirtualTime
from tests.fakes.database import FakeDatabase

TRANSACTION_S, READ_S = 0.010, 0.004
WRITE_UNITS = 2
"""Of an item of less than a kilobyte in a transaction."""

MODEL_S = 3.0
HELD = 1_000_000
COSTS = HELD // 20
"""Nano-dollars of a job: its worst case, and what it costs."""

TENANT, PERIOD = "acme", "2026-11"
OFFERED = (50, 100, 250, 500, 1_000)
"""Jobs a second."""

LASTS_S = 4


@dataclass(slots=True)
class Timed(FakeDatabase):
    """Tables in which everything takes its time, and transactions meet."""

    time: VirtualTime = field(default_factory=VirtualTime)
    units: Counter[tuple[str, int]] = field(default_factory=Counter)
    """By partition key and second."""
    taken: dict[tuple[str, str], float] = field(default_factory=dict)
    """Items of transactions under way, and until when."""

    def get(self, table: TableName, pk: str, sk: str, *, eventual: bool = False) -> Item | None:
        """See `Database.get`."""
        self.time.sleep(READ_S)
        return FakeDatabase.get(self, table, pk, sk, eventual=eventual)

    def query(self, table: TableName, pk: str, prefix: str = "") -> list[Item]:
        """See `Database.query`."""
        self.time.sleep(READ_S)
        return FakeDatabase.query(self, table, pk, prefix)

    def write(self, *operations: Operation, tries: int = TRIES) -> None:
        """See `Database.write`."""
        persist(lambda: self._try(operations), tries, self.time.sleep)

    def still(self) -> FakeDatabase:
        """The same, read at once."""
        return FakeDatabase(_items=self._items, _keys=self._keys)

    def _try(self, operations: Sequence[Operation]) -> None:
        keys = [_key(operation) for operation in operations]
        now = self.time.now
        met = [place for place, key in enumerate(keys) if self.taken.get(key, 0) > now]
        self.units.update({(pk, int(now)): WRITE_UNITS for pk, _ in keys})
        if not met and len(keys) > 1:
            self.taken.update(dict.fromkeys(keys, now + TRANSACTION_S))
        self.time.sleep(TRANSACTION_S)
        if met:
            raise Met(met)
        FakeDatabase.write(self, *operations)


def _key(operation: Operation) -> tuple[str, str]:
    if isinstance(operation, Put):
        return operation.item["pk"], operation.item["sk"]
    return operation.pk, operation.sk


@dataclass
class Run:
    """Jobs of one tenant, which come at some times, and end when a model has answered."""

    slices: int = slices.COUNT
    """Into which the budget may be cut."""
    budget: int = 10**15
    database: Timed = field(default_factory=Timed)
    ends: Counter[str] = field(default_factory=Counter)
    """What was answered, and how often an end had to be tried again."""
    took: list[float] = field(default_factory=list)
    """Seconds until a job was accepted."""
    _idle: list[Budgets] = field(default_factory=list)
    """Processes that do nothing; each knows of the slices that it has seen."""

    def __call__(self, arrivals: Iterable[float]) -> "Run":
        """Let them come."""
        opened: Item = {"pk": f"BUDGET#{TENANT}", "sk": PERIOD, "available": self.budget, "allowed": self.budget}
        FakeDatabase.write(self.database, Put("ledger", opened))
        time = self.database.time
        for number, at in enumerate(arrivals):
            time.at(at, partial(self._accept, f"job_{number}"))
        time.run()
        return self

    @property
    def stands(self) -> ledger.Standing:
        """The budget, now."""
        return ledger.standing(self.database.still(), TENANT, PERIOD)

    @property
    def count(self) -> int:
        """The slices that there came to be."""
        return len(slices.read(self.database.still(), ledger.bucket_of(TENANT, PERIOD)).items)

    def most_units(self, since: int = 0) -> int:
        """Write units of the busiest partition key of the ledger in its busiest second, from one on."""
        counted = self.database.units.items()
        return max(units for (pk, second), units in counted if not pk.startswith("JOB#") and second >= since)

    def _accept(self, job_id: str) -> None:
        time = self.database.time
        began = time.now
        process = self._idle.pop() if self._idle else Budgets(self.database, self.slices)
        process.open(TENANT, PERIOD, self.budget)
        made: list[str] = []

        def write(name: str, writes: Sequence[Put | Update]) -> None:
            self.database.write(_head(job_id), *writes, tries=holding.TRIES)
            made.append(name)

        try:
            process.hold(TENANT, PERIOD, HELD, job_id, write)
        except Contended:
            self.ends["503"] += 1
        except BudgetExceeded:
            self.ends["402"] += 1
        else:
            self.ends["202"] += 1
            self.took.append(time.now - began)
            time.at(time.now + MODEL_S, partial(self._end, job_id, made[0]))
        self._idle.append(process)

    def _end(self, job_id: str, name: str) -> None:
        call = {"model": "m", "cost": COSTS, "paid": "yes"}
        try:
            self.database.write(_head(job_id), *ledger.book(TENANT, PERIOD, job_id, [call], {name: HELD - COSTS}))
        except Contended:  # its workflow tries it again
            self.ends["again"] += 1
            self.database.time.at(self.database.time.now + 1, partial(self._end, job_id, name))


def at_random(rate: float, lasts_s: float) -> Iterator[float]:
    """When jobs come, at so many a second."""
    at = random.expovariate(rate)
    while at < lasts_s:
        yield at
        at += random.expovariate(rate)


def _head(job_id: str) -> Put:
    return Put("jobs", {"pk": f"JOB#{job_id}", "sk": "HEAD"})


def run() -> None:
    """Simulate, print and keep."""
    rows: list[list[Cell]] = []
    for count in (1, slices.COUNT):
        for rate in OFFERED:
            random.seed(rate)
            found = Run(count)(at_random(rate, LASTS_S))
            told = [found.ends[status] / LASTS_S for status in ("202", "503", "again")]
            took = [1000 * percentile(found.took, share) for share in (50, 95)]
            rows.append([count, rate, *told, *took, found.most_units(), found.most_units(1)])
    heads = ["slices", "offered/s", "202/s", "503/s", "ends tried again/s", "ms p50", "ms p95"]
    heads += ["units/s of a key", "after the first second"]
    show(table(f"One tenant's jobs, {1000 * TRANSACTION_S:g} ms a transaction (simulated)", heads, rows))
    keep("contention", {"rows": [dict(zip(heads, row, strict=True)) for row in rows]})
