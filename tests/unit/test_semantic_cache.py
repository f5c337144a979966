"""Find Similar: the embedding is a call like any other, booked once, and not the job's answer."""

from dataclasses import replace
from typing import Any

import pytest
from broker.errors import Refused, Throttled, Unavailable
from broker.jobs.head import Status
from broker.providers.wire.base import Answer
from broker.steps.selecting import SelectModel
from broker.steps.semantic_cache import FindSimilar
from broker.tenants.registry import Tenants

from tests.fakes.circuits import FakeCircuits
from tests.fakes.database import Crash
from tests.fakes.provider import ANSWER, failing
from tests.fakes.questions import cache_lookup_of
from tests.fakes.stage import Stage
from tests.fakes.world import JOB_ID, NOW, a_model

EMBEDDING = Answer({"embeddings": [[1.0, 0.5]]}, input_tokens=4)


@pytest.fixture
def stage() -> Stage:
    made = Stage()
    made.world.register(a_model("titan", tasks=["embed"]))
    made.world.tenant(cache_embedding_model="titan")
    request = {"task": "chat", "input": {"text": "How are you?"}, "cache": {"similarity": 0.9}}
    made.world.payloads.save(made.head, "INPUT", request)
    return made


def select(stage: Stage) -> dict[str, Any]:
    world = stage.world
    return SelectModel(
        world.jobs,
        world.payloads,
        world.models(),
        Tenants(world.database),
        cache_lookup_of(stage.world),
        FakeCircuits(),
    )(stage.run, NOW)


def find(stage: Stage) -> dict[str, Any]:
    tenants = Tenants(stage.world.database)
    step = FindSimilar(
        stage.world.jobs, stage.world.payloads, tenants, cache_lookup_of(stage.world), stage.invoke().embed
    )
    return step(stage.run, NOW)


def test_the_embedding_is_booked_once_and_is_not_the_answer(stage: Stage) -> None:
    stage.provider.script = [EMBEDDING]
    assert select(stage)["embed"] is True
    for _ in range(2):
        assert find(stage) == {}
    (call,) = stage.provider.calls
    assert (call.task, call.model, call.input) == ("embed", "titan-1", {"text": "How are you?"})
    assert (stage.head.spent, stage.head.open_calls) == (4, [])
    result = stage()
    assert (result["facts"]["model"], result["output"]) == ("small", "OUTPUT#1.2")
    assert stage.world.payloads.load(JOB_ID, "OUTPUT#1.2") == ANSWER.output


def test_a_job_that_comes_back_from_a_wait_pays_for_no_second_embedding(stage: Stage) -> None:
    stage.provider.script = [EMBEDDING]
    select(stage)
    find(stage)
    world = stage.world
    world.jobs.change(JOB_ID, lambda head: replace(head, rev=head.rev + 1, status=Status.QUEUED, execution=None))
    stage.run = world.start(JOB_ID, "exec-2")
    assert select(stage)["embed"] is True
    assert find(stage) == {}
    assert [call.task for call in stage.provider.calls] == ["embed"]


def test_a_job_goes_on_after_an_embedding_that_failed(stage: Stage) -> None:
    stage.provider.script = [failing(Throttled)]
    select(stage)
    assert find(stage) == {}
    assert stage()["facts"]["model"] == "small"


def test_a_refusal_of_the_embedding_is_not_routed_around(stage: Stage) -> None:
    stage.provider.script = [failing(Refused)]
    select(stage)
    with pytest.raises(Refused):
        find(stage)


def test_without_an_embedding_model_there_is_nothing_to_look_for(stage: Stage) -> None:
    select(stage)
    stage.world.tenant()
    assert find(stage) == {}
    assert stage.provider.calls == []


def test_an_adapter_that_gives_nothing_is_a_failed_call(stage: Stage) -> None:
    stage.provider.script = [failing(Unavailable)]
    select(stage)
    assert find(stage) == {}
    assert stage.head.calls["1.1"]["o"] == "Unavailable"


def test_an_embedding_whose_booking_crashed_is_neither_lost_nor_taken_for_the_answer(stage: Stage) -> None:
    stage.provider.script = [EMBEDDING]
    select(stage)
    stage.world.database.crash_in = 1  # the call is on record, and its settling is not
    with pytest.raises(Crash):
        find(stage)
    stage.world.database.crash_in = None
    assert find(stage) == {}
    assert (len(stage.provider.calls), stage.head.spent) == (1, 4)
    stage.provider.script = []
    assert stage()["output"] == "OUTPUT#1.2"


def test_an_embedding_that_nobody_came_back_for_is_not_the_answer(stage: Stage) -> None:
    stage.provider.script = [EMBEDDING]
    select(stage)
    stage.world.database.crash_in = 1
    with pytest.raises(Crash):
        find(stage)
    stage.world.database.crash_in = None
    assert stage()["facts"]["model"] == "small"


def test_only_a_model_that_embeds_is_asked(stage: Stage) -> None:
    stage.world.tenant(cache_embedding_model="small")
    select(stage)
    assert find(stage) == {}
    assert stage.head.calls == {}
