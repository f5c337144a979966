"""Virtual time for code that waits: actors are threads of which one runs at a time, and time goes on when all wait.

So threads that wait in real code do so at no cost, in the same order each time.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event, Thread, local


@dataclass
class Actor:
    """One line of work."""

    work: Callable[[], None]
    wake: Event = field(default_factory=Event)
    joined: "Actor | None" = None
    is_over: bool = False


class VirtualTime:
    """A clock and those who live by it."""

    def __init__(self, now: int) -> None:
        self.now = now
        self._agenda: list[tuple[int, int, Actor | Callable[[], None]]] = []
        self._count = 0
        self._own = local()
        self._yielded = Event()
        self._failed: list[BaseException] = []

    def at(self, when: int, what: Actor | Callable[[], None]) -> None:
        """Do something then, or let an actor go on."""
        self._count += 1
        heapq.heappush(self._agenda, (when, self._count, what))

    def spawn(self, work: Callable[[], None]) -> Actor:
        """Begin a line of work, now."""
        actor = Actor(work)
        Thread(target=self._live, args=(actor,), daemon=True).start()
        self.at(self.now, actor)
        return actor

    def sleep(self, ms: int) -> None:
        """Wait, as an actor."""
        self.at(self.now + ms, self._own.actor)
        self._pass_on()

    def together(self, works: Sequence[Callable[[], None]], seconds_left: Callable[[], float]) -> None:
        """See `broker.side_by_side.side_by_side`; it waits for all."""
        for actor in [self.spawn(work) for work in works]:
            if not actor.is_over:
                actor.joined = self._own.actor
                self._pass_on()

    def run(self, until: int) -> None:
        """Let all live until then, or until nothing is left to be done."""
        while self._agenda and self._agenda[0][0] <= until:
            self.now, _, what = heapq.heappop(self._agenda)
            if isinstance(what, Actor):
                self._yielded.clear()
                what.wake.set()
                self._yielded.wait()
            else:
                what()
            if self._failed:
                raise self._failed[0]

    def _live(self, actor: Actor) -> None:
        self._own.actor = actor
        actor.wake.wait()
        try:
            actor.work()
        except BaseException as error:
            self._failed.append(error)
        actor.is_over = True
        if actor.joined:
            self.at(self.now, actor.joined)
        self._yielded.set()

    def _pass_on(self) -> None:
        actor: Actor = self._own.actor
        actor.wake.clear()
        self._yielded.set()
        actor.wake.wait()
