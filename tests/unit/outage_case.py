"""A provider's outage, simulated: processes that select and call, around one table, on a clock of its own."""

import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from broker.consequences import SUCCEEDED
from broker.errors import CircuitOpen, Unavailable
from broker.routing.board import Board
from broker.routing.breakers import Breakers
from broker.routing.catalog import Models
from broker.routing.question import Question
from broker.routing.selection import select

from tests.fakes.counting import CountingDatabase
from tests.fakes.world import NOW, SECOND, World, a_model

JOBS = 900
PROCESSES = 24
EVERY_MS = 250
"""A job arrives four times a second, for almost four minutes."""

DEAD_FROM, DEAD_UNTIL = NOW + 30 * SECOND, NOW + 110 * SECOND
FAILS_AFTER_MS, ANSWERS_AFTER_MS = 800, 1_200
TENANTS = tuple(f"tenant-{number}" for number in range(12))
"""The jobs are theirs, in turn."""


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
