"""Budgets by rule over hours and days, at random: resets, crashes, repeats, ends of all kinds, and late calls.

A plain reference says what each budget has left: a job is accepted where all that are for it cover its worst case, and
refused by one that does not; whatever dies in between, each is right in sum, and no other tenant's is touched.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from broker.errors import BudgetExceeded, Conflict, TooManyAtOnce
from broker.jobs.accepting import Caller
from broker.jobs.ending import cancel_job
from broker.jobs.head import Head
from broker.jobs.idempotency import ACCEPTING_MS
from broker.jobs.request import parse_request
from broker.tenants.slices import read_all
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.fakes.database import Crash
from tests.fakes.world import CHAT, NOW
from tests.unit.test_budget_rules import WORST, a_world, usd
from tests.unit.test_usage import end

HOUR = 3_600_000
OPEN = 5
CRASHES = st.none() | st.none() | st.integers(0, 4)
KEYS = st.sampled_from(["k-1", "k-2"])
RULES = (
    {"id": "daily", "usd": usd(4), "period": "day"},
    {"id": "keys", "usd": usd(6), "per": "key", "period": "month"},
    {"id": "all", "usd": usd(30), "period": "total"},
)
ALLOWED = {"daily": 4 * WORST, "keys": 6 * WORST, "all": 30 * WORST}


@dataclass
class Job:
    """What the reference knows of one."""

    key: str
    at: int
    spent: int | None = None
    """None while it has not ended."""

    def period(self, name: str) -> tuple[str, str]:
        """Of a rule: the bucket that it is in."""
        moment = datetime.fromtimestamp(self.at / 1000, UTC)
        return {"daily": ("", f"{moment:%Y-%m-%d}"), "keys": (self.key, f"{moment:%Y-%m}"), "all": ("", "")}[name]


class RulesMachine(RuleBasedStateMachine):
    """One tenant with three budgets and a bound of jobs that have not ended, and another tenant beside it."""

    @initialize()
    def begin(self) -> None:
        self.world = a_world(*RULES, limits={"queued_jobs": OPEN})
        self.now = NOW
        self.jobs: dict[str, Job] = {}
        self.repeats = 0

    @contextmanager
    def trouble(self, crash: int | None) -> Iterator[None]:
        """The process may die after so many writes."""
        self.world.database.crash_in = crash
        try:
            yield
        except Crash:
            pass
        finally:
            self.world.database.crash_in = None

    def fits(self, key: str) -> bool:
        """Whether all budgets cover another job of a key, and it has a place."""
        asked = Job(key, self.now)
        covered = all(
            ALLOWED[name]
            - sum(self.used(each) for each in self.jobs.values() if each.period(name) == asked.period(name))
            >= WORST
            for name in ALLOWED
        )
        return covered and sum(each.spent is None for each in self.jobs.values()) < OPEN

    @staticmethod
    def used(job: Job) -> int:
        return WORST if job.spent is None else job.spent

    def open_jobs(self) -> list[str]:
        return [job_id for job_id, job in self.jobs.items() if job.spent is None]

    def heads(self) -> dict[str, Head]:
        items = (each for each in self.world.database.items() if each["sk"] == "HEAD" and "tenant" in each)
        return {each["id"]: Head.from_item(each) for each in items if each["tenant"] == "acme"}

    @rule(key=KEYS, crash=CRASHES, again=st.booleans())
    def accept(self, key: str, crash: int | None, again: bool) -> None:
        """With a crash, or without; and perhaps once more under the same key, which makes no second job."""
        self.repeats += 1
        caller, body = Caller("acme", "ci", "rest", "corr-1", key=key), parse_request({"model": "small", **CHAT})
        for died in [crash, None] if again else [crash]:
            fits, before = self.fits(key), set(self.jobs)
            with self.trouble(died):
                try:
                    head = self.world.accepting()(body, caller, self.now, f"again-{self.repeats}").head
                    assert fits or head.id in before, "no budget covered it, and yet it was accepted"
                except (BudgetExceeded, TooManyAtOnce):
                    assert not fits, "all budgets cover it, and yet it was refused"
            found = self.heads()
            news = found.keys() - before
            assert len(news) <= fits, "one request made two jobs, or one that nothing covers"
            self.jobs.update({job_id: Job(key, found[job_id].created_at) for job_id in news})
            self.now += ACCEPTING_MS  # until then a request that died keeps its key

    @rule(share=st.sampled_from([0, 1, 50, 100]), paid=st.sampled_from(["yes", "no", "unknown"]), crash=CRASHES)
    def end(self, share: int, paid: str, crash: int | None) -> None:
        """It called a model, and ended; a call that was not paid for costs nothing."""
        if not (running := self.open_jobs()):
            return
        job_id, cost = running[len(running) // 2], 0 if paid == "no" else WORST * share // 100
        before = self.heads()[job_id]
        with self.trouble(crash):
            try:
                end(self.world, before, cost, paid=paid)
            except BudgetExceeded:  # a call that nobody lived to settle has what it may have cost
                assert before.reserved + cost > before.limit
        self.look(job_id)

    @rule(crash=CRASHES)
    def cancel(self, crash: int | None) -> None:
        if running := self.open_jobs():
            with self.trouble(crash):
                cancel_job(self.world.jobs, running[0], "acme", self.now)
            self.look(running[0])

    @rule()
    def end_again(self) -> None:
        """Whoever ends a job that has ended changes nothing."""
        for job_id in [each for each, job in self.jobs.items() if job.spent is not None][:2]:
            before = self.world.database.items()
            try:
                end(self.world, self.heads()[job_id], WORST)
                raise AssertionError("it ended twice")
            except Conflict:
                assert self.world.database.items() == before

    def look(self, job_id: str) -> None:
        """What a process that died has done of an end is all of it, or nothing; a call that it left open may cost."""
        head = self.heads()[job_id]
        if head.is_over:
            self.jobs[job_id].spent = head.spent + head.reserved

    @rule(hours=st.sampled_from([1, 5, 24, 24 * 31]))
    def time_goes_on(self, hours: int) -> None:
        self.now += hours * HOUR

    @invariant()
    def each_budget_is_right_in_sum(self) -> None:
        known: dict[tuple[str, tuple[str, str]], int] = {}
        for job in self.jobs.values():
            for name in ALLOWED:
                place = name, job.period(name)
                known[place] = known.get(place, 0) + self.used(job)
        assert all(used <= ALLOWED[name] for (name, _), used in known.items()), "more than the budget"
        found: dict[str, list[int]] = {name: [] for name in ALLOWED}
        for item in self.world.database.items():
            scope = item["pk"].removeprefix("BUDGET#acme:")
            if scope != item["pk"] and scope.split(":")[0] in ALLOWED and "allowed" in item:
                stands = read_all(self.world.database, f"acme:{scope}/{item['sk']}")
                found[scope.split(":")[0]].append(stands.allowed - stands.available)
        for name in ALLOWED:
            mine = sorted(used for (each, _), used in known.items() if each == name and used)
            assert sorted(each for each in found[name] if each) == mine

    @invariant()
    def another_tenant_has_nothing_of_it(self) -> None:
        assert not any(
            "other" in each["pk"] for each in self.world.database.items() if each["pk"].startswith("BUDGET#")
        )


RulesMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestRulesMachine = RulesMachine.TestCase
