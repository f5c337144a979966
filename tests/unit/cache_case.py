"""What the tests of the cache in the workflow begin with."""

from typing import Any

from broker.cache.answers import NOTE
from broker.jobs.ending import settle_job
from broker.jobs.head import Head, Status
from broker.jobs.transitions import Outcome
from broker.steps.context import Run
from broker.steps.selecting import SelectModel
from broker.tenants.registry import Tenants

from tests.fakes.circuits import FakeCircuits
from tests.fakes.questions import cache_lookup_of
from tests.fakes.world import NOW, World, a_model

BODY: dict[str, Any] = {"input": {"text": "How are you?"}}
CACHED: dict[str, Any] = {**BODY, "cache": {}}
SIMILAR: dict[str, Any] = {**BODY, "cache": {"similarity": 0.9}}
OUTPUT = {"text": "Fine, thanks.", "finish_reason": "stop"}
USAGE = {"input_tokens": 5, "output_tokens": 3}


def make_world() -> World:
    """Two models and two tenants."""
    made = World()
    made.register(a_model("small", rank=1), a_model("large", rank=2))
    made.tenant(cache_embedding_model="titan")
    made.tenant("zeta")
    return made


def select(world: World, run: Run, now: int = NOW) -> dict[str, Any]:
    """Select Model."""
    step = SelectModel(
        world.jobs, world.payloads, world.models(), Tenants(world.database), cache_lookup_of(world), FakeCircuits()
    )
    return step(run, now)


def started(world: World, body: dict[str, Any], *, tenant: str = "acme", now: int = NOW) -> Run:
    """A job that was accepted and dispatched."""
    return world.start(world.accept(body, tenant=tenant, now=now).head.id, now=now)


def succeed(world: World, run: Run, model: str = "small", now: int = NOW) -> Head:
    """The rest of a run that goes well."""
    world.payloads.save(world.jobs.get(run.id), "OUTPUT#1.1", OUTPUT)
    outcome = Outcome(Status.SUCCEEDED, model=model, output="OUTPUT#1.1", usage=USAGE)
    return settle_job(world.jobs, world.jobs.get(run.id), run.fence, outcome, now)


def answered(world: World, body: dict[str, Any] = CACHED, now: int = NOW) -> Head:
    """A job that found nothing and gave its answer."""
    run = started(world, body, now=now)
    assert select(world, run, now)["keep"] is True
    head = succeed(world, run, now=now)
    assert cache_lookup_of(world).keep(head, now)
    return head


def note(world: World, job_id: str) -> dict[str, Any] | None:
    """What stands beside a job of the cache."""
    return world.jobs.notes(job_id).get(NOTE)
