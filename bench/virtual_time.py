"""Time that passes only while everybody waits: threads that take turns, in the order of what they wait for."""

import heapq
import threading
from collections.abc import Callable


class VirtualTime:
    """One thread runs at a time. In what order they run follows from their waits alone, so each run is the same."""

    def __init__(self) -> None:
        self.now = 0.0
        """Seconds."""
        self._agenda: list[tuple[float, int, threading.Semaphore]] = []
        self._count = 0
        self._over = threading.Semaphore(0)
        self._failures: list[BaseException] = []

    def at(self, when: float, work: Callable[[], object]) -> None:
        """Have something done at a time, by a thread of its own."""
        turn = self._wait_for(when)

        def done() -> None:
            turn.acquire()
            try:
                work()
            except BaseException as error:
                self._failures.append(error)
            self._next()

        threading.Thread(target=done, daemon=True).start()

    def sleep(self, seconds: float) -> None:
        """What a thread of `at` waits by."""
        turn = self._wait_for(self.now + seconds)
        self._next()
        turn.acquire()

    def run(self) -> None:
        """Until nothing is left to be done; raises what a thread failed of."""
        self._next()
        self._over.acquire()
        if self._failures:
            raise self._failures[0]

    def _wait_for(self, when: float) -> threading.Semaphore:
        turn = threading.Semaphore(0)
        self._count += 1
        heapq.heappush(self._agenda, (when, self._count, turn))
        return turn

    def _next(self) -> None:
        if not self._agenda or self._failures:
            self._over.release()
            return
        self.now, _, turn = heapq.heappop(self._agenda)
        turn.release()
