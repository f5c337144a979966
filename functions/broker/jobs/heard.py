"""What processes of dispatch tell each other of a model: the decision they know, and what they let through since."""

from collections.abc import Mapping, Sequence
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


Pairs = Mapping[str, tuple[int, int]]
"""Two whole numbers of each tenant."""


class Shares(NamedTuple):
    """What a process told of the turns of tenants."""

    counters: Pairs
    """What it added itself, and what all did as far as it knew."""
    due: Mapping[str, Pairs]
    """By what they want: from which second on jobs come back, and a bit for each second."""

    @classmethod
    def of(cls, told: Any) -> "Shares":
        """Read it; nothing where it cannot be: what another version told."""
        if not isinstance(told, Mapping) or not isinstance(told.get("due"), Mapping):
            return cls({}, {})
        return cls(_pairs(told.get("counters")), {str(what): _pairs(some) for what, some in told["due"].items()})


def _pairs(told: Any) -> Pairs:
    known = told.items() if isinstance(told, Mapping) else ()
    return {str(tenant): (two[0], two[1]) for tenant, two in known if _are_two(two)}


def _are_two(told: Any) -> bool:
    return isinstance(told, Sequence) and len(told) == 2 and all(isinstance(each, int) for each in told)


def newer(one: Decision, other: Decision) -> bool:
    """True where the one holds rather than the other: what was learnt, the newest of it; else what began first."""
    return _order(one) > _order(other)


def _order(made: Decision) -> tuple[int, ...]:
    return (1, made.at, made.since, -made.base) if made.learnt else (0, made.was_hasty, made.base, -made.at)
