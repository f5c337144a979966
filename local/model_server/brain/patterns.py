"""Texts that match a pattern, made with bounds on the work: patterns that nest repeats ask for any length."""

import random
from typing import Any

from rstr import Rstr

from local.model_server.work import Work

LONGEST_PATTERN = 10_000
FREE_REPEATS = 100
"""Of `*`, `+` and other repeats without an end."""
_OF_A_RANGE = 64
"""Characters of a range that are one step."""


def matching(pattern: str, seed: int, work: Work) -> str:
    """Give a text; the same pattern and seed give the same.

    Raises:
        ValueError: the pattern is too long.
        re.error: it is none.
        TooMuch, TooLate, Gone: by `Work`.
    """
    if len(pattern) > LONGEST_PATTERN:
        raise ValueError("the pattern is too long")
    # Seeded: nothing secret is made here.
    return str(_Bounded(random.Random(seed), work).xeger(pattern))  # noqa: S311


class _Bounded(Rstr):
    """Counts each part of the pattern as often as it is gone through."""

    def __init__(self, chance: random.Random, work: Work) -> None:
        super().__init__(chance)
        self._work = work

    def _handle_state(self, state: Any) -> Any:
        opcode, value = state
        if opcode.name == "RANGE":
            self._work.step((value[1] - value[0]) // _OF_A_RANGE)
        self._work.step()
        made = super()._handle_state(state)
        if isinstance(made, str):  # a reference to a group makes much in one step
            self._work.make(len(made))
        return made

    def _handle_repeat(self, start_range: int, end_range: int, value: Any) -> str:
        times = self._random.randint(start_range, max(start_range, min(end_range, FREE_REPEATS)))
        parts: list[str] = []
        for _ in range(times):
            self._work.step()
            parts += [self._handle_state(each) for each in value]
        return "".join(parts)
