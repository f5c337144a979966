"""What the tests of the cache begin with."""

from collections.abc import Callable, Mapping
from typing import Any

from broker.cache.answers import Answers, Given, Hit, Wish
from broker.cache.canonical import CacheKey, cache_key_of
from broker.jobs.request import parse_request, stored_form
from broker.routing.model import Model
from broker.steps.cache_lookup import CacheLookup
from broker.steps.context import Run
from broker.tenants.policies import Policies

from tests.fakes.database import FakeDatabase
from tests.fakes.shelf import FakeShelf
from tests.fakes.world import World, a_model

SMALL, LARGE = Model.from_item(a_model("small")), Model.from_item(a_model("large", max_output_tokens=4_000))

GIVEN = Given("small", {"text": "Fine, thanks.", "finish_reason": "stop"}, {"input_tokens": 5, "output_tokens": 3}, 11)


def stored(body: Mapping[str, Any]) -> dict[str, Any]:
    """A request as it is kept, from the body that a client sent."""
    return stored_form(parse_request(body))


def question(body: Mapping[str, Any], *, tenant: str = "acme", **facts: Any) -> CacheKey:
    """The question that a body asks, of two candidates unless others are named."""
    found = cache_key_of(
        tenant, stored(body), facts.pop("candidates", (SMALL, LARGE)), facts.pop("guardrails", {}), **facts
    )
    assert found is not None
    return found


def wish(body: Mapping[str, Any], **facts: Any) -> Wish:
    """A job's wish, whose body asks for the cache."""
    return Wish.of(question(body, **facts), stored(body)["cache"])


def answers(database: FakeDatabase) -> Answers:
    """The cache on the fakes."""
    return Answers(database, FakeShelf(database))


def cache_lookup_of(world: World, observe: Callable[[Run, Hit], None] = lambda run, hit: None) -> CacheLookup:
    """The cache in the workflow, on the fakes."""
    return CacheLookup(world.jobs, world.payloads, Policies(world.database), answers(world.database), observe)
