"""The world of a job's life at random, and what always holds in it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date

from broker.delivery.publishing import HeadChange, Publish
from broker.errors import BudgetExceeded, Conflict, NotCancelable
from broker.jobs.head import Head, Status
from broker.jobs.store import Moved
from broker.jobs.sweeping import Sweep
from broker.jobs.transitions import Fence
from broker.tenants import ledger, slices
from broker.tenants.usage import Usage
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from tests.fakes.bus import FakeBus
from tests.fakes.database import Crash
from tests.fakes.queue import Down, FakeDeadLetters, FakeDeliveries
from tests.fakes.world import BASE_URL, HOUR, NOW, World

ALLOWED = 2_000
PERIOD = "2026-11"
RULE, RULE_PERIOD, RULE_ALLOWED = "acme:daily", "2026-11-18", 1_500
PLACES, AT_ONCE = "acme:jobs", 2
"""A budget beside the tenant's own, which is smaller, and a bound of jobs that have not ended."""
STATUSES = [Status.SUCCEEDED, Status.FAILED, Status.BLOCKED]
BUCKETS = (("acme", PERIOD, ALLOWED), (RULE, RULE_PERIOD, RULE_ALLOWED), (PLACES, ledger.OPEN, AT_ONCE))
GROUPS = {"user": "ann", "model": ""}
"""What usage is counted by."""
CRASHES = st.none() | st.none() | st.integers(0, 2)
EXPECTED = (Conflict, Moved, NotCancelable, BudgetExceeded, Down, Crash)


@dataclass(frozen=True)
class Execution:
    """One execution of one run."""

    job_id: str
    fence: Fence
    told: Head
    """As the job was started, which goes along."""


@dataclass(frozen=True)
class Made:
    """A call that was made, and the head of then."""

    head: Head
    key: str
    fence: Fence


class Life(RuleBasedStateMachine):
    """Two or three jobs that share a budget; those who inherit say what happens to them."""

    @initialize()
    def begin(self) -> None:
        self.world = World()
        self.database = self.world.database
        self.now = NOW
        self.count = 0
        self.dead = FakeDeadLetters()
        self.overran: set[str] = set()
        for scope, period, allowed in BUCKETS:
            ledger.open_period(self.database, scope, period, allowed)

    @contextmanager
    def crashing(self, writes: int | None, *meanwhile: Callable[[], object]) -> Iterator[None]:
        """Let the process end after so many writes, and others write in between."""

        def others() -> None:
            for each in meanwhile:
                try:
                    each()
                except EXPECTED:
                    continue

        self.database.crash_in = writes
        self.database.meanwhile = [others] if meanwhile else []
        try:
            yield
        except EXPECTED:
            return
        finally:
            self.database.crash_in = None
            self.database.meanwhile = []

    def fresh(self) -> int:
        self.count += 1
        return self.count

    def heads(self) -> list[Head]:
        ids = dict.fromkeys(new["id"] for _, new in self.database.stream)
        return [self.world.jobs.get(job_id) for job_id in ids]

    def usage_is_what_was_booked(self, over: list[Head]) -> None:
        days, _ = Usage(self.database).by_day("acme", "user", date(2026, 1, 1), date(2027, 1, 1), 100, None)
        counted = [sum(each.counts[name] for each in days) for name in ("jobs", "calls", "nusd")]
        calls = sum(len(head.calls) - len(head.open_calls) for head in over)
        assert counted == [len(over), calls, sum(head.spent for head in over)]
        models, _ = Usage(self.database).by_day("acme", "model", date(2026, 1, 1), date(2027, 1, 1), 100, None)
        assert sum(each.counts["nusd"] for each in models) == counted[2]

    def left(self, scope: str, period: str) -> int:
        return slices.read_all(self.database, ledger.bucket_of(scope, period)).available

    def sweep_once(self) -> None:
        swept = Sweep(self.world.jobs, self.world.payloads, self.world.queue, self.dead, lambda item, now: False)(
            self.now
        )
        assert set(swept.errors) <= {"Down"}

    @invariant()
    def history_is_legal(self) -> None:
        terminal: dict[str, set[str]] = {}
        for old, new in self.database.stream:
            after = Head.from_item(new)
            if after.status.terminal:
                terminal.setdefault(after.id, set()).add(after.status.value)
            if old is None:
                assert after.rev == 1
                continue
            before = Head.from_item(old)
            assert after.rev == before.rev + 1
            assert before.run <= after.run <= before.run + 1
            settled = {key: call for key, call in before.calls.items() if "c" in call}
            assert {key: after.calls.get(key) for key in settled} == settled
            assert before.calls.keys() <= after.calls.keys()
            if before.status.terminal:
                assert replace(after, rev=before.rev, calls=before.calls, due_at=before.due_at) == before
                assert before.calls.keys() == after.calls.keys()
        assert all(len(statuses) == 1 for statuses in terminal.values())

    @invariant()
    def money_adds_up(self) -> None:
        heads = self.heads()
        taken = sum(head.spent + head.reserved if head.status.terminal else head.limit for head in heads)
        assert self.world.available() == ALLOWED - taken
        assert self.left(RULE, RULE_PERIOD) == RULE_ALLOWED - taken
        going_on = sum(not head.status.terminal for head in heads)
        assert self.left(PLACES, ledger.OPEN) == AT_ONCE - going_on >= 0
        assert taken <= RULE_ALLOWED or self.overran, "more than the budget"
        over = [head for head in heads if head.status.terminal]
        spent = self.world.spent()
        assert spent.get("nusd", 0) == sum(head.spent for head in over)
        assert spent.get("calls", 0) == sum(len(head.calls) - len(head.open_calls) for head in over)
        self.usage_is_what_was_booked(over)
        for head in heads:
            assert head.id in self.overran or head.spent + head.reserved <= head.limit

    def teardown(self) -> None:
        for _ in range(4):
            self.now += 2 * HOUR
            self.sweep_once()
        heads = self.heads()
        assert all(head.status.terminal for head in heads)
        assert all(not head.open_calls and head.due_at is None for head in heads)
        assert self.world.available() == ALLOWED - sum(head.spent for head in heads)
        assert self.left(PLACES, ledger.OPEN) == AT_ONCE
        self.money_adds_up()
        self.history_is_legal()
        bus = FakeBus()
        publish = Publish(self.database, self.world.jobs, bus, FakeDeliveries(), BASE_URL, lambda head: None)
        changes = [
            HeadChange(str(place), Head.from_item(old) if old else None, Head.from_item(new))
            for place, (old, new) in enumerate(self.database.stream)
        ]
        assert publish(changes, self.now) is None
        goes_on = ("queued", "running", "held", "released")
        ends = [event_id for event_id in bus.ids if event_id.split("_")[2] not in goes_on]
        assert sorted(ends) == sorted(head.event_id for head in heads)
