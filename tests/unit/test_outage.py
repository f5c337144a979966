"""A provider's outage, simulated: many processes, several hundred jobs, a clock that only the simulation moves.

`pytest -s tests/unit/test_outage.py` prints what happened.
"""

import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from broker.errors import CircuitOpen, Unavailable
from broker.routing.board import KEEP_MS, Board
from broker.routing.breakers import Breakers
from broker.routing.circuits import FEWEST_CALLS, FIRST_COOLING_MS, SUCCEEDED
from broker.routing.figures import SLOT_MS
from broker.routing.models import Models
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


@dataclass
class Simulation:
    """Processes that select and call, each with its own memory, around one table."""

    world: World = field(default_factory=lambda: World(CountingDatabase()))
    told: list[tuple[int, str]] = field(default_factory=list)
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
            self.at(NOW + number * EVERY_MS, lambda: self.select(self.dice.choice(self.processes)))
        while self._agenda:
            self.now, _, act = heapq.heappop(self._agenda)
            act()

    def at(self, when: int, act: Callable[[], None]) -> None:
        """Do something later."""
        self._count += 1
        heapq.heappush(self._agenda, (when, self._count, act))

    def select(self, process: Breakers) -> None:
        """What Select Model decides, and then the first candidate."""
        states, figures = process.states(self.now), process.figures(self.now)
        question = Question({"task": "chat"}, lambda model: 10, self.now, states=states, figures=figures)
        chosen = select(question, self.models.catalog(self.now))
        self.call([model.id for model in chosen.candidates], self.dice.choice(self.processes))

    def call(self, candidates: list[str], process: Breakers) -> None:
        """What Invoke Model does, and the workflow's way to the next candidate."""
        assert candidates, "a job was lost"
        model, *rest = candidates
        try:
            process.admit(model, self.now, 60 * SECOND)
        except CircuitOpen:
            self.turned_away += 1
            self.call(rest, process)
            return
        dead = model == "primary" and DEAD_FROM <= self.now < DEAD_UNTIL
        outcome, took = (Unavailable.__name__, FAILS_AFTER_MS) if dead else (SUCCEEDED, ANSWERS_AFTER_MS)
        self.calls.append((self.now, model, outcome))

        def end() -> None:
            process.record(model, outcome, took, self.now)
            if dead:
                self.call(rest, self.dice.choice(self.processes))
            else:
                self.answered[model] += 1

        self.at(self.now + took, end)

    def _tell(self, model: str, to: str) -> None:
        self.told.append((self.now, to))

    def between(self, start: int, end: int) -> Counter[str]:
        """Calls by model in a span of time."""
        return Counter(model for at, model, outcome in self.calls if start <= at < end)


def test_an_outage_is_noticed_walked_around_probed_and_over() -> None:
    simulation = Simulation()
    simulation.run()
    told = simulation.told
    opened = next(at for at, to in told if to == "opened")
    closed = next(at for at, to in told if to == "closed")
    hits = [at for at, model, outcome in simulation.calls if outcome != SUCCEEDED]
    probes = [at for at, to in told if to == "probed"]
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
    assert [to for _, to in told] == ["opened", *["probed", "opened"] * (len(probes) - 1), "probed", "closed"]
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
