"""Coalescing in the workflow: what Invoke Model does before its call, and after it."""

from typing import Any

import pytest
from broker.cache.answers import NOTE
from broker.cache.single_flight import Flights, Leader
from broker.errors import Pending, Refused, Unavailable
from broker.jobs.head import Head
from broker.jobs.transitions import Fence
from broker.routing.model import Model
from broker.steps.context import Run
from broker.steps.single_flight import LEASE_SPARE_MS, SPARE_MS, SingleFlight
from broker.tenants.policies import Policies
from broker.tenants.registry import Tenants

from tests.fakes.questions import cache_lookup_of
from tests.fakes.world import NOW, SECOND, World, a_model

BODY: dict[str, Any] = {"input": {"text": "How are you?"}, "coalesce": True}
OUTPUT = {"text": "Fine, thanks.", "finish_reason": "stop"}
USAGE = {"input_tokens": 5, "output_tokens": 3}
TIMEOUT_S = 20


@pytest.fixture
def world() -> World:
    made = World()
    made.register(a_model("small", rank=1), a_model("large", rank=2))
    made.tenant()
    return made


def share(world: World) -> SingleFlight:
    tenants, policies = Tenants(world.database), Policies(world.database)
    return SingleFlight(world.payloads, tenants, policies, Flights(world.database), cache_lookup_of(world))


def started(world: World, body: dict[str, Any] = BODY) -> Head:
    return world.jobs.get(world.start(world.accept(body).head.id).id)


def run_of(head: Head) -> Run:
    return Run(head.id, head.tenant, Fence(head.run, "exec-1"), head.payloads_until, head.expires_at)


def join(world: World, head: Head, now: int = NOW, model: str = "small") -> Leader | dict[str, Any] | None:
    request = world.payloads.load(head.id, "BODY")
    return share(world).join(run_of(head), head, request, Model.from_item(a_model(model)), TIMEOUT_S, now)


def lead(world: World) -> tuple[Head, Leader]:
    head = started(world)
    leading = join(world, head)
    assert isinstance(leading, Leader)
    return head, leading


def answer(world: World, head: Head, leading: Leader, now: int = NOW + SECOND) -> None:
    """The leader's call goes well."""
    world.payloads.save(head, "OUTPUT#1.1", OUTPUT)
    facts = {"model": "small", "cost": 11, "ended_at": now, **USAGE}
    share(world).brought(leading, run_of(head), {"output": "OUTPUT#1.1", "facts": facts})


def test_a_job_that_does_not_ask_to_share_does_not_touch_the_table(world: World) -> None:
    assert join(world, started(world, {"input": {"text": "How are you?"}})) is None
    assert not [key for key in world.database._items if key[0] == "cache"]


def test_work_that_goes_on_by_itself_is_not_shared(world: World) -> None:
    head = started(world)
    model = Model.from_item(a_model("small", asynchronous=True))
    request = world.payloads.load(head.id, "BODY")
    assert share(world).join(run_of(head), head, request, model, TIMEOUT_S, NOW) is None


def test_jobs_under_other_policies_share_no_call(world: World) -> None:
    lead(world)
    world.policy("strict", rules=[{"check": "secrets", "action": "block"}])
    world.tenant(guardrails=["strict"])
    assert isinstance(join(world, started(world)), Leader)
    world.policy("strict", rules=[{"check": "secrets", "action": "flag"}])
    assert isinstance(join(world, started(world)), Leader)
    with pytest.raises(Pending):
        join(world, started(world))


def test_an_identical_job_waits_without_a_function(world: World) -> None:
    lead(world)
    with pytest.raises(Pending) as waiting:
        join(world, started(world))
    assert waiting.value.retry_after == 1
    assert waiting.value.code == "coalesced"


def test_it_takes_the_answer_at_no_cost_and_says_so(world: World) -> None:
    head, leading = lead(world)
    follower = started(world)
    answer(world, head, leading)
    result = join(world, follower, NOW + 3 * SECOND)
    assert isinstance(result, dict)
    assert result["facts"] == {"model": "small", **USAGE}
    assert world.payloads.load(follower.id, result["output"]) == OUTPUT
    shown = world.jobs.notes(follower.id)[NOTE]
    assert {name: shown[name] for name in ("hit", "kind", "age_ms", "saved")} == {
        "hit": True,
        "kind": "coalesced",
        "age_ms": 2_000,
        "saved": 11,
    }
    assert world.jobs.get(follower.id).calls == {}


def test_a_job_for_another_model_or_with_another_question_does_not_wait(world: World) -> None:
    lead(world)
    assert isinstance(join(world, started(world), model="large"), Leader)
    assert isinstance(join(world, started(world, {**BODY, "input": {"text": "Who?"}})), Leader)


def test_an_answer_that_was_erased_is_asked_for_again(world: World) -> None:
    head, leading = lead(world)
    follower = started(world)
    answer(world, head, leading)
    world.payloads.erase(head.id)
    assert join(world, follower, NOW + 2 * SECOND) is None


def test_when_the_leader_fails_the_next_leads(world: World) -> None:
    _, leading = lead(world)
    share(world).failed(leading, Unavailable("Down."), NOW)
    assert isinstance(join(world, started(world)), Leader)


def test_a_refusal_is_everyones(world: World) -> None:
    _, leading = lead(world)
    share(world).failed(leading, Refused("No."), NOW)
    with pytest.raises(Refused):
        join(world, started(world))


def test_a_leader_that_dies_is_replaced_soon_after_its_call(world: World) -> None:
    lead(world)
    follower = started(world)
    over = NOW + TIMEOUT_S * SECOND + LEASE_SPARE_MS
    with pytest.raises(Pending):
        join(world, follower, over - 1)
    assert isinstance(join(world, follower, over), Leader)


def test_half_of_the_time_is_left_for_a_call_of_its_own(world: World) -> None:
    lead(world)
    follower = started(world, {**BODY, "timeout_seconds": 20})
    with pytest.raises(Pending):
        join(world, follower, NOW + 10 * SECOND - 1)
    assert join(world, follower, NOW + 10 * SECOND) is None


def test_a_deadline_counts_as_well(world: World) -> None:
    lead(world)
    follower = started(world, {**BODY, "deadline_seconds": 6})
    assert join(world, follower, NOW + 3 * SECOND) is None


def test_a_job_calls_before_its_lease_is_over_however_long_it_may_run(world: World) -> None:
    model = Model.from_item(a_model("small"))
    first, follower = (started(world, {**BODY, "timeout_seconds": 3600}) for _ in range(2))
    request = world.payloads.load(first.id, "BODY")
    assert isinstance(share(world).join(run_of(first), first, request, model, 300, NOW), Leader)
    assert follower.lease_until is not None
    until = follower.lease_until - SPARE_MS
    with pytest.raises(Pending):
        share(world).join(run_of(follower), follower, request, model, 300, until - 1)
    assert share(world).join(run_of(follower), follower, request, model, 300, until) is None
