"""Select Model: the candidates of a run, and the reasons kept beside the job."""

import pytest
from broker.errors import CircuitOpen, Conflict, InvalidRequest, TimedOut
from broker.jobs.explained import packed, unpacked
from broker.jobs.transitions import Fence
from broker.routing.circuits import State
from broker.routing.figures import Figures
from broker.steps.context import Run
from broker.steps.selecting import SelectModel
from broker.tenants.registry import Tenants

from tests.fakes.circuits import FakeCircuits
from tests.fakes.questions import cache_lookup_of
from tests.fakes.world import CHAT, HOUR, JOB_ID, MINUTE, NOW, SECOND, World, a_head, a_model


@pytest.fixture
def world() -> World:
    made = World()
    made.register(a_model("small", rank=1), a_model("large", rank=2), a_model("vectors", tasks=["embed"]))
    made.tenant()
    made.put(a_head())
    return made


def step(world: World, health: FakeCircuits | None = None) -> SelectModel:
    recall, tenants = cache_lookup_of(world), Tenants(world.database)
    return SelectModel(world.jobs, world.payloads, world.models(), tenants, recall, health or FakeCircuits())


def test_gives_the_candidates_and_the_reasons(world: World) -> None:
    run = world.start(JOB_ID)
    result = step(world)(run, NOW)
    assert result["candidates"] == ["small", "large"]
    assert "ROUTE#1" not in world.jobs.notes(JOB_ID), "what is short goes with the run's next write"
    route = unpacked(result)
    assert [(each["model"], each["taken"]) for each in route] == [("small", True), ("large", True), ("vectors", False)]


def test_a_model_disabled_since_is_left_out(world: World) -> None:
    run = world.start(JOB_ID)
    world.register(a_model("small", status="disabled"))
    assert step(world)(run, NOW)["candidates"] == ["large"]


def test_a_tenant_that_may_no_longer_use_any_fails_the_job_with_the_reasons_kept(world: World) -> None:
    run = world.start(JOB_ID)
    world.tenant(models=["vectors"])
    with pytest.raises(InvalidRequest) as failure:
        step(world)(run, NOW)
    assert failure.value.code == "no_candidate"
    assert all(not each["taken"] for each in unpacked(world.jobs.notes(JOB_ID)["ROUTE#1"]))


def test_an_open_circuit_is_left_out_until_it_may_be_probed(world: World) -> None:
    run = world.start(JOB_ID)
    open_one = FakeCircuits({"small": State("open", NOW + MINUTE)})
    assert step(world, open_one)(run, NOW)["candidates"] == ["large"]
    result = step(world, FakeCircuits({"small": State("half_open")}))(run, NOW)
    assert result["candidates"] == ["small", "large"]
    assert "will be probed" in unpacked(result)[0]["why"]


def test_a_job_whose_models_are_all_left_alone_is_told_until_when(world: World) -> None:
    run = world.start(JOB_ID)
    both = FakeCircuits({name: State("open", NOW + MINUTE) for name in ("small", "large")})
    with pytest.raises(CircuitOpen) as failure:
        step(world, both)(run, NOW)
    assert (failure.value.code, failure.value.retry_after) == ("circuits_open", 60)
    route = unpacked(world.jobs.notes(JOB_ID)["ROUTE#1"])
    assert "its circuit is open until" in route[0]["why"]


def test_a_model_too_slow_for_the_time_that_is_left_is_left_out(world: World) -> None:
    slow = FakeCircuits(live={"small": Figures(NOW, 100, 0, 20_000, 30_000)})
    run = world.start(JOB_ID)  # two minutes for the work, whenever it begins
    last = NOW + HOUR - 30 * SECOND  # before its deadline
    assert step(world, slow)(run, last)["candidates"] == ["small", "large"]
    assert step(world, slow)(run, last + 1)["candidates"] == ["large"]
    world.tenant(models=["small"])
    result = step(world, slow)(run, last + 1)
    assert result["candidates"] == ["small"], "it may be faster this time"
    (row, *_) = unpacked(result)
    assert row["why"].endswith("does not fit the 29999 ms that are left, but no other model is left")
    with pytest.raises(TimedOut):
        step(world, slow)(run, NOW + HOUR - 40)


def test_a_model_that_the_hold_does_not_cover_is_left_out() -> None:
    world = World()
    world.register(a_model("small", rank=1), a_model("large", rank=2, price_out=100))
    world.tenant()
    world.put(a_head(limit=50_000))
    run = world.start(JOB_ID)
    result = step(world)(run, NOW)
    assert result["candidates"] == ["small"]
    assert unpacked(result)[1]["why"] == "its worst case is above what is held for the job"


def test_a_job_that_was_erased_is_not_selected_for(world: World) -> None:
    run = world.start(JOB_ID)
    world.payloads.erase(JOB_ID)
    with pytest.raises(Conflict):
        step(world)(run, NOW)
    assert "ROUTE#1" not in world.jobs.notes(JOB_ID)


def test_a_run_is_read_from_a_states_payload() -> None:
    event = {
        "job_id": JOB_ID,
        "tenant": "acme",
        "run": 3,
        "execution": "exec-1",
        "payloads_until": 6,
        "expires_at": 7,
        "until": 9,
        "held": 5,
    }
    assert Run.of(event) == Run(JOB_ID, "acme", Fence(3, "exec-1"), 6, 7, 9, 5)
    before = {name: value for name, value in event.items() if name != "payloads_until"}
    assert Run.of(before) == Run(JOB_ID, "acme", Fence(3, "exec-1"), 7, 7, 9, 5), "as runs were started before"


def test_a_route_of_many_models_is_a_note(world: World) -> None:
    world.register(*[a_model(f"provider/some-model-{number}") for number in range(40)])
    result = step(world)(world.start(JOB_ID), NOW)
    assert "route" not in result
    assert len(unpacked(world.jobs.notes(JOB_ID)["ROUTE#1"])) == 43


def test_a_route_of_many_models_is_kept_in_a_write_unit() -> None:
    route = [{"model": f"model-{number}", "taken": False, "why": "not named by the request"} for number in range(40)]
    kept = packed(route)
    assert len(kept["route"]) < 600
    assert unpacked(kept) == route


@pytest.mark.parametrize("known", [True, False])
def test_a_model_that_the_door_knows_already_is_no_error_of_the_caller(world: World, known: bool) -> None:
    """The process read the registry before the model, or what it does, was registered."""
    models = world.models()
    models.catalog(NOW)
    if known:
        world.register(a_model("new", tasks=["embed"]))
        models = world.models()
        models.catalog(NOW)
    world.register(a_model("new"))
    world.payloads.save(world.jobs.get(JOB_ID), "BODY", {**CHAT, "task": "chat", "model": "new"})
    lookup, tenants = cache_lookup_of(world), Tenants(world.database)
    made = SelectModel(world.jobs, world.payloads, models, tenants, lookup, FakeCircuits())
    assert made(world.start(JOB_ID), NOW + SECOND)["candidates"] == ["new"]
    assert models.get("new", NOW + SECOND).id == "new"
