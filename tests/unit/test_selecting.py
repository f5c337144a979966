"""Select Model: the candidates of a run, and the reasons kept beside the job."""

import pytest
from broker.errors import Conflict, InvalidRequest
from broker.jobs.transitions import Fence
from broker.steps.context import Run
from broker.steps.selecting import SelectModel
from broker.tenants.registry import Tenants

from tests.fakes.questions import recalling
from tests.fakes.world import JOB_ID, NOW, World, a_head, a_model


@pytest.fixture
def world() -> World:
    made = World()
    made.register(a_model("small", rank=1), a_model("large", rank=2), a_model("vectors", tasks=["embed"]))
    made.tenant()
    made.put(a_head())
    return made


def step(world: World) -> SelectModel:
    recall = recalling(world)
    return SelectModel(world.jobs, world.payloads, world.models(), Tenants(world.database), recall)


def test_gives_the_candidates_and_keeps_the_reasons(world: World) -> None:
    run = world.start(JOB_ID)
    assert step(world)(run, NOW) == {"candidates": ["small", "large"]}
    route = world.jobs.notes(JOB_ID)["ROUTE#1"]["route"]
    assert [(each["model"], each["taken"]) for each in route] == [("small", True), ("large", True), ("vectors", False)]


def test_a_model_disabled_since_is_left_out(world: World) -> None:
    run = world.start(JOB_ID)
    world.register(a_model("small", status="disabled"))
    assert step(world)(run, NOW) == {"candidates": ["large"]}


def test_a_tenant_that_may_no_longer_use_any_fails_the_job_with_the_reasons_kept(world: World) -> None:
    run = world.start(JOB_ID)
    world.tenant(models=["vectors"])
    with pytest.raises(InvalidRequest) as failure:
        step(world)(run, NOW)
    assert failure.value.code == "no_candidate"
    assert all(not each["taken"] for each in world.jobs.notes(JOB_ID)["ROUTE#1"]["route"])


def test_a_job_that_was_erased_is_not_selected_for(world: World) -> None:
    run = world.start(JOB_ID)
    world.payloads.erase(JOB_ID)
    with pytest.raises(Conflict):
        step(world)(run, NOW)
    assert "ROUTE#1" not in world.jobs.notes(JOB_ID)


def test_a_run_is_read_from_a_states_payload() -> None:
    event = {"job_id": JOB_ID, "tenant": "acme", "run": 3, "execution": "exec-1", "expires_at": 7}
    assert Run.of(event) == Run(JOB_ID, "acme", Fence(3, "exec-1"), 7)
