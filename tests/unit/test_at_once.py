"""What a tenant may have at once of the work that a provider does by itself: places, and who waits for one."""

from dataclasses import replace
from typing import Any

import pytest
from broker.errors import BrokerError, CircuitOpen, Pending
from broker.jobs.ending import cancel_job
from broker.providers.wire.base import Call, OperationStarted
from broker.routing.at_once import AtOnce
from broker.routing.model import Model
from broker.steps.admitting import Admission

from tests.fakes.database import FakeDatabase
from tests.fakes.provider import FakeProvider, failing
from tests.fakes.stage import Stage
from tests.fakes.world import JOB_ID, MINUTE, NOW, SECOND, a_model

TWO = Model.from_item(a_model("small", asynchronous=True, tenant_at_once=2, wait_s=600))
STARTED = OperationStarted({"job": "t-1"}, check_after_s=7)


def full(at_once: AtOnce, tenant: str, job_id: str, now: int = NOW) -> bool:
    try:
        at_once.take(TWO, tenant, job_id, now)
    except CircuitOpen as error:
        assert error.retry_after
        return True
    return False


def test_a_tenant_has_so_many_places_and_takes_none_of_anothers() -> None:
    at_once = AtOnce(FakeDatabase())
    assert [full(at_once, "hostile", f"job_{number}") for number in range(50)] == [False] * 2 + [True] * 48
    assert [full(at_once, "other", f"job_o{number}") for number in range(3)] == [False, False, True]


def test_a_job_has_one_place_however_often_it_asks_and_gives_back_its_own_alone() -> None:
    at_once = AtOnce(FakeDatabase())
    assert [full(at_once, "acme", "job_1") for _ in range(5)] == [False] * 5
    assert not full(at_once, "acme", "job_2")
    at_once.leave(TWO, "acme", "job_3")
    at_once.leave(TWO, "other", "job_1")
    assert full(at_once, "acme", "job_3"), "nobody who had a place has left it"
    for _ in range(2):
        at_once.leave(TWO, "acme", "job_1")
    assert not full(at_once, "acme", "job_3")
    assert full(at_once, "acme", "job_1"), "it has left, and another came"


def test_a_place_whose_job_is_gone_is_free_by_its_time() -> None:
    at_once = AtOnce(FakeDatabase())
    assert not full(at_once, "acme", "job_1") and not full(at_once, "acme", "job_2")
    assert full(at_once, "acme", "job_3", NOW + 600 * SECOND - 1)
    assert not full(at_once, "acme", "job_3", NOW + 600 * SECOND)


def test_of_those_that_come_at_the_same_moment_no_more_get_one_than_there_are() -> None:
    database = FakeDatabase()
    at_once = AtOnce(database)
    others: list[bool] = []
    database.meanwhile.append(lambda: others.extend(full(at_once, "acme", f"job_o{number}") for number in range(2)))
    mine = full(at_once, "acme", "job_1")
    assert [mine, *others].count(False) == 2


def test_a_model_without_a_bound_costs_no_request() -> None:
    at_once = AtOnce(None)  # type: ignore[arg-type]  # it is not asked
    free = replace(TWO, tenant_at_once=None)
    at_once.take(free, "acme", "job_1", NOW)
    at_once.leave(free, "acme", "job_1")


@pytest.fixture
def invoke() -> Stage:
    """A job for a model whose places of this tenant are taken, all but one."""
    stage = Stage(timeout_s=600)
    stage.world.register(a_model("small", asynchronous=True, tenant_at_once=2, wait_s=600))
    AtOnce(stage.world.database).take(TWO, "acme", "job_other", NOW)
    return stage


def places(stage: Stage) -> set[str]:
    items = stage.world.database.query("ledger", "AT_ONCE#small#acme")
    return {item["job"] for item in items if item["until"]}


def test_a_job_has_its_place_from_its_start_until_its_work_is_there(invoke: Stage) -> None:
    invoke.fails_with(Pending, STARTED)
    assert places(invoke) == {"job_other", JOB_ID}
    invoke.fails_with(Pending, STARTED)
    assert places(invoke) == {"job_other", JOB_ID}
    assert invoke(now=NOW + MINUTE)["output"] == "OUTPUT#1.1"
    assert places(invoke) == {"job_other"}


def test_a_job_without_a_place_asks_nobody_and_goes_back_to_its_queue(invoke: Stage) -> None:
    AtOnce(invoke.world.database).take(TWO, "acme", "job_third", NOW)
    with pytest.raises(CircuitOpen) as caught:
        invoke()
    assert caught.value.code == "tenant_at_once" and caught.value.retry_after
    assert invoke.provider.calls == [] and invoke.head.calls == {}, "nothing is on record, so nothing is paid"
    assert [outcome for _, outcome, _ in invoke.circuits.recorded if outcome != "CircuitOpen"] == []
    (note,) = [note for name, note in invoke.world.jobs.notes(JOB_ID, "SKIPPED").items()]
    assert "as much of its work" in note["why"]


@pytest.mark.parametrize("kind", ["start", "work"])
def test_a_call_that_fails_gives_its_place_back(invoke: Stage, kind: str) -> None:
    if kind == "work":
        invoke.fails_with(Pending, STARTED)
    invoke.provider.script.append(failing(BrokerError))
    with pytest.raises(BrokerError):
        invoke()
    assert places(invoke) == {"job_other"}


def test_a_job_that_is_canceled_before_its_call_keeps_no_place(invoke: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    take = AtOnce.take

    def taken(self: AtOnce, *about: Any) -> bool:
        found = take(self, *about)
        cancel_job(invoke.world.jobs, JOB_ID, "acme", NOW)
        return found

    monkeypatch.setattr(AtOnce, "take", taken)
    with pytest.raises(BrokerError):
        invoke()
    assert invoke.provider.calls == [] and places(invoke) == {"job_other"}


def test_what_is_answered_at_once_needs_no_place(invoke: Stage) -> None:
    AtOnce(invoke.world.database).take(TWO, "acme", "job_third", NOW)

    class Tells(FakeProvider):
        def goes_on(self, call: Call) -> bool:
            return False

    invoke.provider = Tells()
    assert invoke()["output"] == "OUTPUT#1.1"
    assert places(invoke) == {"job_other", "job_third"}


def test_where_places_cannot_be_read_work_is_begun_and_it_is_said(invoke: Stage) -> None:
    said: list[str] = []
    admission = Admission(invoke.circuits, AtOnce(None), lambda what, run, error: said.append(what))  # type: ignore[arg-type]
    admission.take_place(invoke.run, TWO, NOW)
    admission.leave_place(invoke.run, TWO)
    assert said == ["a place could not be taken", "a place could not be given back"]


def test_a_canceled_job_whose_provider_has_stopped_gives_its_place_back_and_one_that_goes_on_keeps_it(
    invoke: Stage,
) -> None:
    class GoesOn(FakeProvider):
        def stop(self, call: Call, operation_id: Any) -> None:
            raise failing(BrokerError)

    invoke.fails_with(Pending, STARTED)
    cancel_job(invoke.world.jobs, JOB_ID, "acme", NOW)
    stops, invoke.provider = invoke.provider, GoesOn()
    invoke.invoke().leave_undone(JOB_ID, NOW)
    assert places(invoke) == {"job_other", JOB_ID}, "else who cancels in a circle had all of the account's"
    invoke.provider = stops
    for _ in range(2):
        invoke.invoke().leave_undone(JOB_ID, NOW)
    assert places(invoke) == {"job_other"}
