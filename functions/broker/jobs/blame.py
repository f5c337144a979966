"""Whose calls a model refuses: all tenants', or those of one, which may be of its own making."""

from collections.abc import Collection
from dataclasses import dataclass, field

from broker.jobs.met import FEWEST, Met

OWN_PART = 0.5
"""A tenant of which so large a part of its calls is refused has its own rate."""

NOTHING = (0, 0.0, 0.0)

BLAME_MS = 30_000
"""In so long what is remembered of a tenant's calls halves."""


@dataclass(slots=True)
class Blame:
    """What a process knows of tenants' calls to models."""

    _known: dict[tuple[str, str], tuple[int, float, float]] = field(default_factory=dict)
    """By model and tenant: since when, how many calls, and how many of them were refused."""

    def count(self, model: str, tenant: str, at: int, before: Met | None, *, refused: bool) -> None:
        """Count a job's calls to a model.

        Args:
            model: its id.
            tenant: whose job it is.
            at: milliseconds.
            before: what was known of the same job, where it was counted.
            refused: whether any of its calls was refused.
        """
        since, calls, bad = self._known.get((model, tenant), (at, 0.0, 0.0))
        if at - since >= BLAME_MS:
            since, calls, bad = at, calls / 2, bad / 2
        calls, bad = calls + (before is None), bad + (refused and not (before and before.refused))
        self._known[model, tenant] = since, calls, bad

    def falls_on(self, model: str, tenant: str, tenants: Collection[str]) -> bool:
        """True where most of its calls are refused, and not those of the others."""
        others = [self._known.get((model, each), NOTHING) for each in tenants if each != tenant]
        made, refused = sum(each[1] for each in others), sum(each[2] for each in others)
        _, calls, bad = self._known.get((model, tenant), NOTHING)
        fails = calls >= FEWEST and bad >= OWN_PART * calls
        return fails and made >= FEWEST and refused < OWN_PART / 2 * made

    def forget(self, model: str) -> None:
        """Nobody has called it for long."""
        for key in [key for key in self._known if key[0] == model]:
            del self._known[key]
