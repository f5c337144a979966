"""An outage of the only model, simulated: jobs wait, and the transitions and the sweep are the real ones.

`pytest -s tests/unit/test_outage_waiting.py` prints what happened.
"""

import heapq
import random
from collections import Counter
from dataclasses import dataclass, field

from broker.consequences import SUCCEEDED
from broker.errors import BrokerError, CircuitOpen, Unavailable
from broker.jobs.call_transitions import end_call, start_call
from broker.jobs.head import Head, Status
from broker.jobs.sweeping import Sweep
from broker.routing.board import KEEP_MS, Board
from broker.routing.breakers import Breakers
from broker.routing.circuits import FEWEST_CALLS
from broker.routing.question import Question
from broker.routing.selection import select
from broker.steps.context import Run

from tests.fakes.queue import FakeDeadLetters
from tests.fakes.settling import settling_of
from tests.fakes.world import HOUR, MINUTE, NOW, SECOND, a_head, a_model
from tests.unit.outage_case import (
    ANSWERS_AFTER_MS,
    DEAD_FROM,
    EVERY_MS,
    FAILS_AFTER_MS,
    JOBS,
    PROCESSES,
    TENANTS,
    Simulation,
)

BACK_AT = DEAD_FROM + 5 * MINUTE
"""When the only model answers again, where there is no second choice."""


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
        self.settling = settling_of(self.world, chance=self.dice.random)
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
