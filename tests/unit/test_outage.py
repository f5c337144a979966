"""A provider's outage, simulated: many processes, several hundred jobs, a clock that only the simulation moves.

`pytest -s tests/unit/test_outage.py` prints what happened.
"""

import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from broker.consequences import SUCCEEDED
from broker.errors import BrokerError, CircuitOpen, Unavailable
from broker.jobs.call_transitions import end_call, start_call
from broker.jobs.head import Head, Status
from broker.jobs.sweeping import Sweep
from broker.routing.board import KEEP_MS, Board
from broker.routing.breakers import Breakers
from broker.routing.catalog import Models
from broker.routing.circuits import FEWEST_CALLS, FIRST_COOLING_MS
from broker.routing.figures import SLOT_MS
from broker.routing.question import Question
from broker.routing.selection import select
from broker.steps.context import Run
from broker.steps.settling import SettleJob

from tests.fakes.counting import CountingDatabase
from tests.fakes.queue import FakeDeadLetters
from tests.fakes.world import HOUR, MINUTE, NOW, SECOND, World, a_head, a_model

JOBS = 900
PROCESSES = 24
EVERY_MS = 250
"""A job arrives four times a second, for almost four minutes."""

DEAD_FROM, DEAD_UNTIL = NOW + 30 * SECOND, NOW + 110 * SECOND
FAILS_AFTER_MS, ANSWERS_AFTER_MS = 800, 1_200
TENANTS = tuple(f"tenant-{number}" for number in range(12))
"""The jobs are theirs, in turn."""
BACK_AT = DEAD_FROM + 5 * MINUTE
"""When the only model answers again, where there is no second choice."""


@dataclass
class Simulation:
    """Processes that select and call, each with its own memory, around one table."""

    world: World = field(default_factory=lambda: World(CountingDatabase()))
    changes: list[tuple[int, str]] = field(default_factory=list)
    calls: list[tuple[int, str, str]] = field(default_factory=list)
    """When, which model, and what came of it."""
    answered: Counter[str] = field(default_factory=Counter)
    turned_away: int = 0
    now: int = NOW
    _agenda: list[tuple[int, int, Callable[[], None]]] = field(default_factory=list)
    _count: int = 0

    def __post_init__(self) -> None:
        self.world.register(a_model("primary", rank=1), a_model("secondary", rank=2))
        self.models: Models = self.world.models()
        dice = random.Random(7)
        self.processes = [
            Breakers(self.world.database, Board(self.world.database), self._tell, dice.random) for _ in range(PROCESSES)
        ]
        self.dice = dice

    def run(self) -> None:
        """All jobs, to their ends."""
        for number in range(JOBS):
            tenant = TENANTS[number % len(TENANTS)]
            self.at(
                NOW + number * EVERY_MS, lambda tenant=tenant: self.select(self.dice.choice(self.processes), tenant)
            )  # type: ignore[misc]
        while self._agenda:
            self.now, _, act = heapq.heappop(self._agenda)
            act()

    def at(self, when: int, act: Callable[[], None]) -> None:
        """Do something later."""
        self._count += 1
        heapq.heappush(self._agenda, (when, self._count, act))

    def select(self, process: Breakers, tenant: str) -> None:
        """What Select Model decides, and then the first candidate."""
        states, figures = process.states(self.now, tenant), process.figures(self.now)
        question = Question({"task": "chat"}, lambda model: 10, self.now, states=states, figures=figures)
        chosen = select(question, self.models.catalog(self.now))
        self.call([model.id for model in chosen.candidates], self.dice.choice(self.processes), tenant)

    def call(self, candidates: list[str], process: Breakers, tenant: str) -> None:
        """What Invoke Model does, and the workflow's way to the next candidate."""
        assert candidates, "a job was lost"
        model, *rest = candidates
        try:
            process.admit(model, tenant, self.now, 60 * SECOND)
        except CircuitOpen:
            self.turned_away += 1
            self.call(rest, process, tenant)
            return
        dead = model == "primary" and DEAD_FROM <= self.now < DEAD_UNTIL
        outcome, took = (Unavailable.__name__, FAILS_AFTER_MS) if dead else (SUCCEEDED, ANSWERS_AFTER_MS)
        self.calls.append((self.now, model, outcome))

        def end() -> None:
            process.record(model, tenant, outcome, took, self.now)
            if dead:
                self.call(rest, self.dice.choice(self.processes), tenant)
            else:
                self.answered[model] += 1

        self.at(self.now + took, end)

    def _tell(self, name: str, to: str) -> None:
        assert name == "primary", "it is known for all before one tenant alone has met ten failures"
        self.changes.append((self.now, to))

    def between(self, start: int, end: int) -> Counter[str]:
        """Calls by model in a span of time."""
        return Counter(model for at, model, outcome in self.calls if start <= at < end)


def test_an_outage_is_noticed_walked_around_probed_and_over() -> None:
    simulation = Simulation()
    simulation.run()
    changes = simulation.changes
    opened = next(at for at, to in changes if to == "opened")
    closed = next(at for at, to in changes if to == "closed")
    hits = [at for at, model, outcome in simulation.calls if outcome != SUCCEEDED]
    probes = [at for at, to in changes if to == "probed"]
    database = simulation.world.database
    assert isinstance(database, CountingDatabase)
    said = [
        f"{JOBS} jobs in {JOBS * EVERY_MS // 1000} s through {PROCESSES} processes; "
        f"the first choice is dead for {(DEAD_UNTIL - DEAD_FROM) // 1000} s",
        f"opened {(opened - DEAD_FROM) / 1000:.1f} s after the provider died; "
        f"closed {(closed - DEAD_UNTIL) / 1000:.1f} s after it was back",
        f"calls that hit the dead provider: {len(hits)} ({len(probes) - 1} of them probes), of "
        f"{(DEAD_UNTIL - DEAD_FROM) // EVERY_MS} jobs that began meanwhile; probes at "
        f"{[(at - DEAD_FROM) // 1000 for at in probes]} s",
        f"turned away at the call: {simulation.turned_away}; answers: {dict(simulation.answered)}",
        f"of the ledger table: {database.reads} reads and {database.writes} writes for {len(simulation.calls)} calls",
    ]
    print("\n" + "\n".join(said))

    # No job was lost, and each got one answer.
    assert sum(simulation.answered.values()) == JOBS

    # It opens soon, though the minute before was full of successes.
    assert DEAD_FROM < opened <= DEAD_FROM + FAILS_AFTER_MS + 2 * SLOT_MS
    # From when every process has heard of it, nothing but probes reaches the dead provider.
    heard = opened + KEEP_MS
    assert [at for at in hits if at >= heard] == [at for at in probes if heard <= at < DEAD_UNTIL]
    # Probes come one at a time, each after a cooling time that doubles.
    assert [to for _, to in changes] == ["opened", *["probed", "opened"] * (len(probes) - 1), "probed", "closed"]
    gaps = [after - before for before, after in pairwise(probes)]
    assert probes[0] >= opened + FIRST_COOLING_MS
    assert all(gap >= FIRST_COOLING_MS * 2 ** (place + 1) for place, gap in enumerate(gaps))

    # Traffic moves: all of it to the second choice while the first is open, and back after it is closed.
    moved = simulation.between(heard, probes[0])
    assert moved.keys() == {"secondary"}
    back = simulation.between(closed + KEEP_MS, simulation.now + 1)
    assert back.keys() == {"primary"}

    # Far fewer calls are wasted than jobs began during the outage.
    assert FEWEST_CALLS <= len(hits) < (DEAD_UNTIL - DEAD_FROM) // EVERY_MS / 4


@dataclass
class Lonely(Simulation):
    """One model and none to move to: what the workflow and the sweep make of it, by the real transitions."""

    runs: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.world.register(a_model("primary"))
        self.models = self.world.models()
        self.dice = random.Random(11)
        self.processes = [
            Breakers(self.world.database, Board(self.world.database), self._tell, self.dice.random)
            for _ in range(PROCESSES)
        ]
        jobs, payloads = self.world.jobs, self.world.payloads
        self.settling = SettleJob(jobs, payloads, lambda: self.world.turns, self.dice.random)
        self.sweeping = Sweep(jobs, payloads, self.world.queue, FakeDeadLetters(), lambda item, now: False)

    def run(self) -> None:
        for number in range(JOBS):
            self.at(NOW + number * EVERY_MS, lambda job_id=f"job_{number}": self.accept(job_id))  # type: ignore[misc]
        self.at(NOW + MINUTE, self.sweep)
        while self._agenda:
            self.now, _, act = heapq.heappop(self._agenda)
            act()

    def heads(self) -> list[Head]:
        return [self.world.jobs.get(f"job_{number}") for number in range(JOBS)]

    def accept(self, job_id: str) -> None:
        tenant, times = TENANTS[len(self.runs) % len(TENANTS)], (self.now + HOUR, self.now + MINUTE)
        self.world.put(a_head(id=job_id, tenant=tenant, created_at=self.now, deadline_at=times[0], due_at=times[1]))
        self.begin(job_id)

    def sweep(self) -> None:
        """Every minute of the hour."""
        assert not self.sweeping(self.now).errors
        for head in self.world.queue.sent:
            self.at(self.now + self.dice.randrange(SECOND), lambda job_id=head.id: self.begin(job_id))  # type: ignore[misc]
        self.world.queue.sent.clear()
        if self.now < NOW + HOUR:
            self.at(self.now + MINUTE, self.sweep)

    def begin(self, job_id: str) -> None:
        """Dispatch and Select Model."""
        self.runs[job_id] += 1
        run = self.world.start(job_id, f"{job_id}-{self.runs[job_id]}", self.now)
        process = self.dice.choice(self.processes)
        question = Question({"task": "chat"}, lambda model: 10, self.now, states=process.states(self.now, run.tenant))
        chosen = select(question, self.models.catalog(self.now))
        if chosen.candidates:
            self.at(self.now + 100, lambda: self.ask(run))
        else:
            self.fail(run, chosen.refusal())

    def ask(self, run: Run, tries: int = 1) -> None:
        """Invoke Model, and the workflow's one repeat."""
        process = self.dice.choice(self.processes)
        try:
            process.admit("primary", run.tenant, self.now, 2 * MINUTE)
        except CircuitOpen as error:
            self.fail(run, error)
            return
        keys: list[str] = []

        def start(head: Head) -> Head:
            after, key = start_call(head, run.fence, model="primary", reserve=1, now=self.now, lease_ms=2 * MINUTE)
            keys.append(key)
            return after

        self.world.jobs.change(run.id, start)
        error = Unavailable("The provider answered 503.", code="http_503") if DEAD_FROM <= self.now < BACK_AT else None
        outcome, took = (Unavailable.__name__, FAILS_AFTER_MS) if error else (SUCCEEDED, ANSWERS_AFTER_MS)
        self.calls.append((self.now, "primary", outcome))

        def end() -> None:
            process.record("primary", run.tenant, outcome, took, self.now)
            facts = {"model": "primary", "outcome": outcome, "paid": "no", "cost": 0, "ended_at": self.now}
            if error is None:
                self.settling(run, {"answer": {"output": f"OUTPUT#{keys[-1]}", "facts": facts}}, self.now)
                return
            ended = facts | {"error": error.facts()}
            self.world.jobs.change(run.id, lambda head: end_call(head, run.fence, keys[-1], ended))
            if tries == 1:
                self.at(self.now + self.dice.randrange(SECOND), lambda: self.ask(run, 2))
            else:
                self.fail(run, error)

        self.at(self.now + took, end)

    def fail(self, run: Run, error: BrokerError) -> None:
        """Settle Job."""
        self.settling(run, {"failure": error.failure()}, self.now)


def test_jobs_wait_for_the_only_model_and_do_not_hammer_it() -> None:
    simulation = Lonely()
    simulation.run()
    heads = simulation.heads()
    changes = simulation.changes
    opened = next(at for at, to in changes if to == "opened")
    closed = next(at for at, to in changes if to == "closed")
    hits = [at for at, _, outcome in simulation.calls if outcome != SUCCEEDED]
    probes = [at for at, to in changes if to == "probed"]
    waited = [head for head in heads if head.waits]
    ends = Counter(head.status.value for head in heads)
    most, runs = max(simulation.runs.values()), sum(simulation.runs[head.id] for head in waited)
    last = max(head.ended_at or 0 for head in waited) - closed
    said = [
        f"{JOBS} jobs; their only model is dead for {(BACK_AT - DEAD_FROM) // 1000} s; {dict(ends)}",
        f"calls that hit the dead provider: {len(hits)} ({sum(at < BACK_AT for at in probes)} of them probes)",
        f"opened {[(at - DEAD_FROM) // 1000 for at, to in changes if to == 'opened']} s after it died, "
        f"closed {(closed - BACK_AT) / 1000:.1f} s after it was back; the last job ended {last / 1000:.0f} s later",
        f"{len(waited)} jobs waited, in {runs} runs (at most {most} each)",
    ]
    print("\n" + "\n".join(said))

    # Circuits failed nobody: what failed was told so by the provider itself.
    assert ends.keys() == {Status.SUCCEEDED, Status.FAILED}
    failed = [head for head in heads if head.status is Status.FAILED]
    assert {(head.error or {})["code"] for head in failed} == {"http_503"}
    assert sum(len(head.calls) for head in failed) == len(hits)
    assert all(head.status is Status.SUCCEEDED or head.calls for head in waited)

    # From when every process has heard of it, nothing but one probe for each cooling time reaches the provider.
    heard = opened + KEEP_MS
    assert [at for at in hits if at >= heard] == [at for at in probes if heard <= at < BACK_AT]
    assert len(hits) < 5 * FEWEST_CALLS

    # Most jobs waited, and each came back about once for each time that the circuit was opened.
    windows = sum(1 for _, to in changes if to == "opened")
    assert len(waited) > JOBS / 2
    assert most <= 2 * windows + 1
    assert runs <= len(waited) * (windows + 1)
