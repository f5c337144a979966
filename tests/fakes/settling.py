"""Settle Job as the tests run it: nothing of the cache is asked unless a test says so."""

from collections.abc import Callable
from typing import Any

from broker.steps.context import Run
from broker.steps.settling import SettleJob

from tests.fakes.questions import cache_lookup_of
from tests.fakes.world import World


def settling_of(
    world: World,
    *,
    payloads: Any = None,
    turns: Callable[[], Any] | None = None,
    cache: Callable[[], Any] | None = None,
    chance: Callable[[], float] = lambda: 0.5,
) -> SettleJob:
    """The step over a world."""
    return SettleJob(
        world.jobs,
        payloads or world.payloads,
        turns or (lambda: world.turns),
        cache or (lambda: cache_lookup_of(world)),
        _never,
        chance,
    )


def _never(run: Run, error: Exception) -> None:
    raise error
