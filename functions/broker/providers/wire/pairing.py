"""Tool calls of a history: ids that a dialect takes, and which call a result belongs to."""

import hashlib
from collections import deque
from typing import Generic, TypeVar

from broker.providers.wire.dialects import Dialect

Each = TypeVar("Each")


class Identities:
    """Ids of one request: each is as it was given where the dialect takes it, and else a hash; none comes twice.

    The hash is of the id and of how often it came before, so a history that grows keeps its ids.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._given: dict[str, int] = {}
        self._taken: set[str] = set()

    def made(self, given: str) -> str:
        """The id of the next call, which was given so."""
        number = self._given.get(given, 0)
        while True:
            made = given if number == 0 and self._dialect.identity.fullmatch(given) else self._hash(given, number)
            number += 1
            if made not in self._taken:
                break
        self._given[given] = number
        self._taken.add(made)
        return made

    def _hash(self, given: str, number: int) -> str:
        return hashlib.sha256(f"{given}#{number}".encode()).hexdigest()[: self._dialect.identity_length]


class Uses(Generic[Each]):
    """Calls that wait for their results. Of those with one id, the newest turn's are answered first, in order."""

    def __init__(self) -> None:
        self._turn = 0
        self._open: dict[str, list[tuple[int, deque[Each]]]] = {}

    def turn(self) -> None:
        """Another turn begins."""
        self._turn += 1

    def add(self, given: str, use: Each) -> None:
        """One more call, of this turn."""
        waiting = self._open.setdefault(given, [])
        if not waiting or waiting[-1][0] != self._turn:
            waiting.append((self._turn, deque()))
        waiting[-1][1].append(use)

    def answered(self, given: str) -> Each | None:
        """The call that a result with this id belongs to; it waits no longer."""
        waiting = self._open.get(given)
        if not waiting:
            return None
        use = waiting[-1][1].popleft()
        if not waiting[-1][1]:
            waiting.pop()
        return use
