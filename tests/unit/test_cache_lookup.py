"""The cache in the workflow: Select Model finds an answer, and the job that ends well gives its own."""

from dataclasses import replace
from typing import Any

import pytest
from broker.errors import Conflict
from broker.jobs.ending import cancel_job, settle_job
from broker.jobs.erasing import erase
from broker.jobs.head import Status
from broker.jobs.transitions import Outcome
from broker.steps.cache_lookup import CacheLookup
from broker.steps.selecting import SelectModel
from broker.tenants.registry import Tenants

from tests.fakes.circuits import FakeCircuits
from tests.fakes.questions import answers, cache_lookup_of
from tests.fakes.world import MINUTE, NOW, World, a_model
from tests.unit.cache_case import BODY, CACHED, OUTPUT, USAGE, answered, make_world, note, select, started, succeed


@pytest.fixture
def world() -> World:
    return make_world()


class Untouchable:
    """A cache that nobody may look into."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the cache is asked to {name}")


@pytest.mark.parametrize("body", [BODY, {**BODY, "cache": {"mode": "bypass"}}], ids=["none", "bypass"])
def test_a_job_that_asked_for_no_cache_costs_no_request_more(world: World, body: dict[str, Any]) -> None:
    untouchable: Any = Untouchable()
    recall = CacheLookup(*[untouchable] * 5)
    run = started(world, body)
    step = SelectModel(world.jobs, world.payloads, world.models(), Tenants(world.database), recall, FakeCircuits())
    assert step(run, NOW).keys() == {"candidates", "route"}
    assert cache_lookup_of(world).keep(succeed(world, run), NOW) is False


def test_a_second_job_takes_the_first_ones_answer(world: World) -> None:
    answered(world)
    run = started(world, CACHED, now=NOW + MINUTE)
    result = select(world, run, NOW + MINUTE)
    assert result["candidates"] == ["small", "large"]
    assert result["cached"]["facts"] == {"model": "small", **USAGE}
    assert world.payloads.load(run.id, result["cached"]["output"]) == OUTPUT
    shown = note(world, run.id)
    assert shown is not None
    assert {name: shown[name] for name in ("hit", "kind", "age_ms")} == {
        "hit": True,
        "kind": "exact",
        "age_ms": 60_000,
    }


def test_an_answer_that_was_taken_is_not_kept_again(world: World) -> None:
    answered(world)
    run = started(world, CACHED)
    cached = select(world, run)["cached"]
    outcome = Outcome(Status.SUCCEEDED, model="small", output=cached["output"], usage=USAGE)
    assert (
        cache_lookup_of(world).keep(settle_job(world.jobs, world.jobs.get(run.id), run.fence, outcome, NOW), NOW)
        is False
    )


@pytest.mark.parametrize(
    "body",
    [
        {**CACHED, "input": {"text": "Who are you?"}},
        {**CACHED, "cache": {"mode": "refresh"}},
        {**CACHED, "model": "large"},
        {**CACHED, "parameters": {"temperature": 1}},
    ],
    ids=["question", "refresh", "model", "parameters"],
)
def test_another_question_is_asked(world: World, body: dict[str, Any]) -> None:
    answered(world)
    result = select(world, started(world, body))
    assert result["keep"] is True
    assert "cached" not in result


def test_bypass_does_not_take_what_is_there(world: World) -> None:
    answered(world)
    run = started(world, {**CACHED, "cache": {"mode": "bypass"}})
    assert select(world, run).keys() == {"candidates", "route"}


def test_another_tenant_asks_for_itself(world: World) -> None:
    answered(world)
    assert "cached" not in select(world, started(world, CACHED, tenant="zeta"))


def test_stricter_guardrails_make_old_answers_unfit(world: World) -> None:
    answered(world)
    world.tenant(policy={"denied_terms": ["fine"]})
    assert "cached" not in select(world, started(world, CACHED))


def test_a_policy_that_is_named_or_changed_makes_old_answers_unfit(world: World) -> None:
    rule = {"check": "secrets", "action": "block"}
    world.policy("strict", rules=[rule])
    for settings in ({}, {"guardrails": ["strict"]}):
        world.tenant(**settings)
        answered(world)
        assert "cached" in select(world, started(world, CACHED))
    world.policy("strict", rules=[rule, {"check": "card_numbers", "action": "block"}])
    assert "cached" not in select(world, started(world, CACHED)), "its next version is another"
    world.tenant()
    assert "cached" in select(world, started(world, CACHED)), "the built-in ones are as they were"


def test_a_routes_policy_is_part_of_the_question(world: World) -> None:
    answered(world)
    world.policy("strict", rules=[{"check": "secrets", "action": "block"}])
    world.register({"pk": "MODELS", "sk": "ROUTE#all", "guardrails": ["strict"]})
    answered(world)
    assert "cached" in select(world, started(world, CACHED))


def test_a_model_that_is_left_out_by_now_does_not_answer_from_the_cache(world: World) -> None:
    answered(world)
    world.register(a_model("small", status="disabled"))
    result = select(world, started(world, CACHED))
    assert (result["candidates"], "cached" in result) == (["large"], False)


def test_the_step_may_be_repeated(world: World) -> None:
    answered(world)
    run = started(world, CACHED)
    assert select(world, run) == select(world, run)


def test_what_a_job_gave_goes_when_it_is_erased(world: World) -> None:
    head = answered(world)
    answers(world.database).forget(head.id)
    assert "cached" not in select(world, started(world, CACHED))


def test_each_answer_that_is_given_is_told(world: World) -> None:
    answered(world)
    run, hits = started(world, CACHED), []
    recall = cache_lookup_of(world, lambda given, hit: hits.append((given.id, hit.kind)))
    SelectModel(world.jobs, world.payloads, world.models(), Tenants(world.database), recall, FakeCircuits())(run, NOW)
    assert hits == [(run.id, "exact")]


def test_a_job_that_was_erased_meanwhile_has_nothing_of_the_answer(world: World) -> None:
    answered(world)
    run = started(world, CACHED)

    def end() -> None:
        head = cancel_job(world.jobs, run.id, run.tenant, NOW)
        erase(world.jobs, world.payloads, answers(world.database).forget, world.turns.erase_turn, head)

    world.database.meanwhile.append(end)
    with pytest.raises(Conflict):
        select(world, run)
    assert world.payloads.names(run.id) == []


def test_a_doubled_execution_takes_nothing_from_the_one_that_ended_the_job(world: World) -> None:
    answered(world)
    run = started(world, CACHED)
    double = replace(run, fence=replace(run.fence, execution="exec-2"))
    cached: list[dict[str, Any]] = []

    def end() -> None:
        cached.append(select(world, run)["cached"])
        outcome = Outcome(Status.SUCCEEDED, model="small", output=cached[0]["output"], usage=USAGE)
        settle_job(world.jobs, world.jobs.get(run.id), run.fence, outcome, NOW)

    world.database.meanwhile.append(end)
    with pytest.raises(Conflict):
        select(world, double)
    assert world.payloads.load(run.id, cached[0]["output"]) == OUTPUT
    assert len([name for name in world.payloads.names(run.id) if name.startswith("OUTPUT")]) == 1


def test_a_doubled_execution_does_not_hide_what_the_job_gave(world: World) -> None:
    run = started(world, CACHED)
    double = replace(run, fence=replace(run.fence, execution="exec-2"))

    def end() -> None:
        select(world, run)
        assert cache_lookup_of(world).keep(succeed(world, run), NOW)

    world.database.meanwhile.append(end)
    with pytest.raises(Conflict):
        select(world, double)
    answers(world.database).forget(run.id)
    assert "cached" not in select(world, started(world, CACHED))
