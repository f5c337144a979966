"""What processes of dispatch tell each other of a model: the decision they know, and what they let through since."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from broker.jobs.flows import AHEAD_MS
from broker.jobs.rates import Decision


class Told(NamedTuple):
    """What a process told of a model."""

    decision: Decision
    calls: int
    tokens: int
    through: int

    @classmethod
    def of(cls, values: Sequence[Any], now: int) -> "Told | None":
        """Read it; None where it cannot be: what another version told, or a wrong clock."""
        if len(values) != 9 or not all(isinstance(each, int) for each in values):
            return None
        made = Decision(*values[:6])
        believed = made.base > 0 and made.at <= now + AHEAD_MS and made.since <= now + AHEAD_MS
        return cls(made, *values[6:]) if believed else None


def newer(one: Decision, other: Decision) -> bool:
    """True where the one holds rather than the other: what was learnt, the newest of it; else what began first."""
    return _order(one) > _order(other)


def _order(made: Decision) -> tuple[int, ...]:
    return (1, made.at, made.since, -made.base) if made.learnt else (0, made.was_hasty, made.base, -made.at)
