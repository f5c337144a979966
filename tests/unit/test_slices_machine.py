"""A budget's life at random: holds that are made twice, crash, borrow and meet others; ends of all kinds; allowances.

Whatever happens, the slices are right in sum, and a job is refused only where all of them together do not cover it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from broker.errors import BudgetExceeded
from broker.storage import ConditionFailed, Contended
from broker.tenants.budgets import TRIES
from broker.tenants.slices import COUNT
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.fakes.database import Crash
from tests.unit.slices_case import PERIOD, TENANT, Spending

ALLOWED = 800
AMOUNTS = st.sampled_from([1, 7, 50, 51, 200, 799])
CRASHES = st.none() | st.none() | st.integers(0, 2)
OTHERS = st.none() | st.none() | AMOUNTS


class BudgetMachine(RuleBasedStateMachine):
    """One tenant, and three processes that know of its slices what they have seen."""

    @initialize()
    def begin(self) -> None:
        self.spending = Spending(allowed=ALLOWED)
        self.processes = [self.spending.opened() for _ in range(3)]
        self.count = 0
        self.lowered = False

    @contextmanager
    def trouble(self, crash: int | None, others: int | None) -> Iterator[None]:
        """The process may die after so many writes, and another job be taken before the first of them."""
        database = self.spending.database
        database.crash_in = crash
        if others:
            database.meanwhile = [lambda: self.take(self.fresh(), others, 0)]
        try:
            yield
        except Crash:
            return
        finally:
            database.crash_in, database.meanwhile = None, []
            database.held.clear()

    def fresh(self) -> str:
        self.count += 1
        return f"job_{self.count}"

    def take(self, job_id: str, nusd: int, process: int) -> bool:
        try:
            self.spending.hold(job_id, nusd, self.processes[process])
        except (BudgetExceeded, Crash):
            return False
        return True

    @rule(nusd=AMOUNTS, process=st.integers(0, 2), crash=CRASHES, others=OTHERS)
    def hold(self, nusd: int, process: int, crash: int | None, others: int | None) -> None:
        fits = nusd + (others or 0) <= self.spending.stands.available
        with self.trouble(crash, others):
            taken = self.take(self.fresh(), nusd, process)
            assert taken or crash is not None or not fits, "all together covered it, and yet it was refused"

    @rule(nusd=AMOUNTS, process=st.integers(0, 2), first=st.integers(0, 2 * TRIES), others=st.integers(0, 1))
    def hold_in_a_crowd(self, nusd: int, process: int, first: int, others: int) -> None:
        """Others hold the first slice at some of the next tries, and each other one at the next."""
        crowds = {f"BUDGET#{TENANT}#{number}": others for number in range(1, COUNT)}
        fits = nusd <= self.spending.stands.available
        with self.trouble(None, None):
            self.spending.database.held.update({f"BUDGET#{TENANT}": first, **crowds})
            assert self.take(self.fresh(), nusd, process) == fits

    @rule(nusd=AMOUNTS, process=st.integers(0, 2))
    def hold_beyond_all_crowds(self, nusd: int, process: int) -> None:
        scopes = [TENANT, *(f"{TENANT}#{number}" for number in range(1, COUNT))]
        before = self.spending.database.items()
        self.spending.database.held.update({f"BUDGET#{scope}": 10**6 for scope in scopes})
        try:
            assert not self.take(self.fresh(), nusd, process)
        except Contended:
            assert self.spending.database.items() == before
        finally:
            self.spending.database.held.clear()

    @rule(nusd=AMOUNTS, process=st.integers(0, 2))
    def hold_again(self, nusd: int, process: int) -> None:
        """A commit whose reply was lost is made again, perhaps on another slice."""
        if not (running := self.spending.running):
            return
        before = self.spending.stands
        try:
            assert not self.take(running[0]["pk"], nusd, process)
        except ConditionFailed as error:
            assert 0 in error.failed
        assert self.spending.stands == before

    @rule(share=st.sampled_from([0, 1, 50, 100]), calls=st.booleans(), crash=CRASHES, others=OTHERS)
    def end(self, share: int, calls: bool, crash: int | None, others: int | None) -> None:
        if not (running := self.spending.running):
            return
        head = running[len(running) // 2]
        with self.trouble(crash, others):
            self.spending.end(head["pk"], *([head["nusd"] * share // 100] if calls else []))

    @rule(allowed=st.sampled_from([0, 100, ALLOWED, 2 * ALLOWED]), process=st.integers(0, 2), crash=CRASHES)
    def change_allowance(self, allowed: int, process: int, crash: int | None) -> None:
        """One process learns of it first, and may die of it; then all do."""
        self.spending.allowed = allowed
        self.lowered = True
        with self.trouble(crash, None):
            self.processes[process].open(TENANT, PERIOD, allowed)
        self.processes = [self.spending.opened() for _ in range(3)]

    @invariant()
    def the_sum_is_right(self) -> None:
        heads = [item for item in self.spending.database.items() if "held_from" in item]
        spent = sum(item.get("spent", 0) for item in heads)
        held = sum(item["nusd"] for item in heads if "spent" not in item)
        stands = self.spending.stands
        assert (stands.allowed, stands.spent) == (self.spending.allowed, spent)
        assert stands.available == self.spending.allowed - spent - held
        assert stands.available >= 0 or self.lowered, "more than the budget"

    @invariant()
    def no_slice_has_what_is_not_there(self) -> None:
        """A job that any slice covers is covered by all together."""
        found = self.spending.found
        most = max(item["available"] for item in found.items)
        assert most <= max(0, found.available)


BudgetMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestBudgetMachine = BudgetMachine.TestCase
