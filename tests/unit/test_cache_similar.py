"""The answer to a similar question: which is worth a look, and what its embedding costs and leaves."""

from collections.abc import Sequence
from typing import Any

import pytest
from broker.errors import BadOutput, Conflict, Unavailable
from broker.jobs.ending import cancel_job
from broker.steps.context import Run

from tests.fakes.questions import answers, cache_lookup_of
from tests.fakes.world import MINUTE, NOW, World
from tests.unit.cache_case import (
    CACHED,
    OUTPUT,
    SIMILAR,
    make_world,
    note,
    select,
    started,
    succeed,
)


@pytest.fixture
def world() -> World:
    return make_world()


def embed(*vector: float) -> Any:
    def ask(text: str) -> Sequence[float]:
        assert text
        return vector

    return ask


def similar(world: World, run: Run, *vector: float, now: int = NOW) -> dict[str, Any]:
    return cache_lookup_of(world).similar(run, {"task": "chat", "input": world.prompt(run.id)}, embed(*vector), now)


def test_a_similar_question_is_worth_a_look_where_tenant_and_job_ask_for_it(world: World) -> None:
    assert select(world, started(world, SIMILAR)).get("embed") is True
    assert "embed" not in select(world, started(world, CACHED))
    assert "embed" not in select(world, started(world, SIMILAR, tenant="zeta")), "it has no embedding model"
    assert "embed" not in select(world, started(world, {**SIMILAR, "cache": {"similarity": 0.9, "mode": "refresh"}}))


def test_a_repeat_asks_for_no_second_embedding(world: World) -> None:
    run = started(world, SIMILAR)
    select(world, run)
    assert similar(world, run, 1.0, 0.1) == {}
    assert similar(world, run) == {}, "an empty embedding would be an error"


def test_a_similar_question_takes_the_answer(world: World) -> None:
    run = started(world, SIMILAR)
    select(world, run)
    assert similar(world, run, 1.0, 0.1) == {}
    assert cache_lookup_of(world).keep(succeed(world, run), NOW)
    other = started(world, {**SIMILAR, "input": {"text": "How do you do?"}})
    assert select(world, other)["embed"] is True
    result = similar(world, other, 1.0, 0.2, now=NOW + MINUTE)
    assert world.payloads.load(other.id, result["cached"]["output"]) == OUTPUT
    shown = note(world, other.id)
    assert shown is not None
    assert (shown["kind"], shown["similarity"] > 9_000) == ("semantic", True)


def test_a_job_that_was_erased_meanwhile_has_nothing_of_its_embedding(world: World) -> None:
    run = started(world, SIMILAR)
    select(world, run)

    def end() -> None:
        cancel_job(world.jobs, run.id, run.tenant, NOW)
        answers(world.database).forget(run.id)

    world.database.meanwhile.append(end)
    with pytest.raises(Conflict):
        similar(world, run, 1.0, 0.5)
    assert "vector" not in (note(world, run.id) or {})


def test_an_embedding_that_is_none_is_the_models_fault(world: World) -> None:
    run = started(world, SIMILAR)
    select(world, run)
    with pytest.raises(BadOutput):
        similar(world, run, 0.0, 0.0)


def test_an_embedding_that_fails_leaves_the_job_as_it_was(world: World) -> None:
    run = started(world, SIMILAR)
    select(world, run)
    before = note(world, run.id)

    def fail(text: str) -> Sequence[float]:
        raise Unavailable("Down.")

    with pytest.raises(Unavailable):
        cache_lookup_of(world).similar(run, {"input": world.prompt(run.id)}, fail, NOW)
    assert note(world, run.id) == before
    assert cache_lookup_of(world).keep(succeed(world, run), NOW), "it is kept for the same question"
