"""A sweep whose calls take time: virtual time, of which each strand has its own, as strands go side by side."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from broker.delivery.delivering import Deliver
from broker.delivery.sending import Sent
from broker.jobs.head import Head
from broker.jobs.store import Jobs
from broker.jobs.sweeping import Sweep, Swept
from broker.side_by_side import Work
from broker.storage import Check, Item, Page, Put, TableName, Update
from broker.tenants import ledger
from handlers.sweep import MARGIN_MS

from tests.contract.stack import functions
from tests.fakes.database import FakeDatabase
from tests.fakes.payloads import FakePayloads
from tests.fakes.queue import FakeDeadLetters, FakeDeliveries, FakeQueue

COSTS = {"read": 5, "write": 8, "transaction": 15, "send": 10, "receive": 10, "delete": 10}
"""Milliseconds of one call, assumed: AWS promises single digits for DynamoDB, and nothing for SQS."""

TIME_MS = functions()["SweepFunction"]["Timeout"] * 1000 - MARGIN_MS
"""What a sweep works for."""


@dataclass(slots=True)
class Meter:
    """The time of the strand that is under way, and the calls of all."""

    ms: int = 0
    calls: Counter[str] = field(default_factory=Counter)

    def call(self, kind: str) -> None:
        """Spend the time of a call."""
        self.calls[kind] += 1
        self.ms += COSTS[kind]


@dataclass(slots=True)
class SlowDatabase(FakeDatabase):
    """Takes its time, and finds a partition without going through all of them."""

    meter: Meter = field(default_factory=Meter)

    def get(self, table: TableName, pk: str, sk: str, *, eventual: bool = False) -> Item | None:
        """See `Database.get`."""
        self.meter.call("read")
        return FakeDatabase.get(self, table, pk, sk, eventual=eventual)

    def query(self, table: TableName, pk: str, prefix: str = "") -> list[Item]:
        """See `Database.query`; of one item, whose whole name is the prefix."""
        found = self.get(table, pk, prefix)
        return [] if found is None else [found]

    def index(self, name: Literal["tenant", "due"], value: str, **how: Any) -> Page:
        """See `Database.index`."""
        self.meter.call("read")
        return FakeDatabase.index(self, name, value, **how)

    def write(self, *operations: Put | Update | Check) -> None:
        """See `Database.write`."""
        self.meter.call("write" if len(operations) == 1 else "transaction")
        FakeDatabase.write(self, *operations)


@dataclass
class SlowQueue(FakeQueue):
    """Takes its time."""

    meter: Meter = field(default_factory=Meter)

    def send(self, head: Head) -> None:
        """See `Queue.send`."""
        self.meter.call("send")
        FakeQueue.send(self, head)


@dataclass
class SlowDeliveries(FakeDeliveries):
    """Takes its time."""

    meter: Meter = field(default_factory=Meter)

    def send(self, job_id: str, tenant: str, name: str, delay_s: int = 0) -> None:
        """See `Deliveries.send`."""
        self.meter.call("send")
        FakeDeliveries.send(self, job_id, tenant, name, delay_s)


@dataclass
class SlowDeadLetters(FakeDeadLetters):
    """Takes its time."""

    meter: Meter = field(default_factory=Meter)

    def take(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """See `DeadLetters.take`."""
        for place, (job_id, delete) in enumerate(FakeDeadLetters.take(self)):
            if place % 10 == 0:
                self.meter.call("receive")
            self.meter.call("delete")
            yield job_id, delete


class SlowPayloads(FakePayloads):
    """Take their time."""

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self._meter = meter

    def facts(self, job_id: str, name: str) -> dict[str, Any] | None:
        """See `Payloads.facts`."""
        self._meter.call("read")
        return super().facts(job_id, name)

    def drop(self, job_id: str, name: str) -> None:
        """See `Payloads.drop`: it looks, and deletes what is there."""
        self._meter.call("read")
        if (job_id, name) in self._kept:
            self._meter.call("write")
        super().drop(job_id, name)


def no_post(*_: Any) -> Sent:
    """The sweep posts nothing."""
    raise AssertionError


class SlowSweep:
    """A sweep of a deployment that takes its time."""

    def __init__(self) -> None:
        self.meter = meter = Meter()
        self.database = SlowDatabase(meter=meter)
        self.jobs = Jobs(self.database, (ledger.bookings,))
        self.queue, self.dead = SlowQueue(meter=meter), SlowDeadLetters(meter=meter)
        self.payloads = SlowPayloads(meter)
        deliver = Deliver(self.database, self.jobs, SlowDeliveries(meter=meter), no_post, lambda *_: None)
        self.sweep = Sweep(self.jobs, self.payloads, self.queue, self.dead, deliver.resend)
        self.took_ms = 0
        """Of the last sweep: of its slowest strand."""

    def __call__(self, now: int) -> Swept:
        """One sweep of a minute."""
        self.meter.calls.clear()

        def together(strands: Sequence[Work]) -> None:
            took = []
            for strand in strands:
                self.meter.ms = 0
                strand()
                took.append(self.meter.ms)
            self.took_ms = max(took)

        return self.sweep(now, time_left=lambda: self.meter.ms < TIME_MS, together=together)
