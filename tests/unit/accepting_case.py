"""What tests of accepting begin with: a broker of two tenants, its heads, and its sweep."""

from broker.jobs.sweeping import Sweep

from tests.fakes.queue import FakeDeadLetters
from tests.fakes.world import World, a_model


def accepting_world() -> World:
    """One model; the tenant `acme`, and `rich`, which has a budget."""
    made = World()
    made.register(a_model("small"))
    made.tenant()
    made.tenant("rich", monthly_budget=10**9)
    return made


def heads(world: World) -> list[str]:
    return [new["id"] for old, new in world.database.stream if old is None]


def sweep(world: World, now: int) -> None:
    Sweep(world.jobs, world.payloads, world.queue, FakeDeadLetters(), lambda item, now: False)(now)
