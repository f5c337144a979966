"""How much work one reply may be: bounds on its steps and on what it makes, and an end when nobody waits for it.

Threads cannot be ended from outside, so whatever a request can make long counts its own steps here.
"""

import time
from collections.abc import Callable

MOST_STEPS = 100_000
MOST_CHARACTERS = 4_000_000
MOST_SECONDS = 30.0
_LOOKS_EVERY = 500
"""Steps between two looks at the clock and at the client."""


class Gone(Exception):
    """The client left, or is to be left without an answer."""


class TooMuch(Exception):
    """More was asked for than is made here."""


class TooLate(Exception):
    """It took longer than anybody waits."""


class Work:
    """Counts what one reply takes."""

    def __init__(self, gone: Callable[[], bool] = lambda: False, clock: Callable[[], float] = time.monotonic) -> None:
        """`gone` tells whether the client left; `clock` gives seconds."""
        self.steps = self.characters = 0
        self._gone, self._clock = gone, clock
        self._until = clock() + MOST_SECONDS
        self._next_look = 0

    def step(self, count: int = 1) -> None:
        """Count steps.

        Raises:
            TooMuch: they are too many.
            TooLate: they took too long.
            Gone: the client left.
        """
        self.steps += count
        if self.steps > MOST_STEPS:
            raise TooMuch(f"The answer to this schema takes more than {MOST_STEPS} steps.")
        if self.steps >= self._next_look:
            self._next_look = self.steps + _LOOKS_EVERY
            if self._gone():
                raise Gone
            if self._clock() > self._until:
                raise TooLate("The answer took too long to make.")

    def make(self, characters: int) -> None:
        """Count characters, before or soon after they are made; raises TooMuch where they are too many."""
        self.characters += characters
        if self.characters > MOST_CHARACTERS:
            raise TooMuch(f"The answer to this schema has more than {MOST_CHARACTERS} characters.")
