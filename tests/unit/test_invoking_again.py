"""Invoke Model: a repeat, a later run and a stale one; what was paid for is taken, and nobody is asked twice."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from broker.errors import BadOutput, Conflict, Unavailable
from broker.jobs.transitions import Fence
from broker.routing.circuits import State

from tests.fakes.database import Crash
from tests.fakes.provider import failing
from tests.fakes.stage import Stage
from tests.fakes.world import JOB_ID, NOW
from tests.unit.invoking_case import ENDINGS, claimed_again


@pytest.fixture
def invoke() -> Stage:
    return Stage()


def test_a_function_that_dies_in_the_call_leaves_it_on_record(invoke: Stage) -> None:
    invoke.provider.script.append(Crash())
    with pytest.raises(Crash):
        invoke()
    assert invoke.head.open_calls == ["1.1"]
    assert invoke()["output"] == "OUTPUT#1.2"
    assert invoke.head.open_calls == ["1.1", "1.2"]


def test_another_run_repairs_nothing(invoke: Stage) -> None:
    invoke.fails(failing(BadOutput))
    second = invoke.world.jobs.change(JOB_ID, claimed_again)
    invoke(run=replace(invoke.run, fence=Fence(second.run, "exec-2")))
    assert [call.repair for call in invoke.provider.calls] == [False, False]


def test_a_repeat_gives_the_kept_answer_without_another_call(invoke: Stage) -> None:
    invoke.fails(failing(Unavailable))
    first = invoke()
    assert invoke()["output"] == first["output"] == "OUTPUT#1.2"
    assert len(invoke.provider.calls) == 2


def test_a_later_run_takes_the_answer_that_was_paid_for(invoke: Stage) -> None:
    first = invoke()
    second = invoke.world.jobs.change(JOB_ID, claimed_again)
    again = invoke("large", run=replace(invoke.run, fence=Fence(second.run, "exec-2")))
    assert (again["output"], again["facts"]["model"]) == (first["output"], "small")
    assert len(invoke.provider.calls) == 1


@pytest.mark.parametrize("stale", [Fence(1, "exec-2"), Fence(2, "exec-1"), Fence(0, "exec-1")])
def test_a_stale_run_makes_no_call(invoke: Stage, stale: Fence) -> None:
    invoke.fails(failing(Unavailable))
    with pytest.raises(Conflict):
        invoke(run=replace(invoke.run, fence=stale))
    assert len(invoke.provider.calls) == 1


def test_of_two_executions_of_one_run_one_makes_the_call(invoke: Stage) -> None:
    other = replace(invoke.run, fence=replace(invoke.run.fence, execution="exec-2"))
    invoke.world.database.meanwhile.append(lambda: invoke(run=other))
    with pytest.raises(Conflict):
        invoke()
    assert len(invoke.provider.calls) == 1
    assert invoke.head.execution == "exec-2"


@pytest.mark.parametrize("end", ENDINGS, ids=["canceled", "claimed anew"])
def test_a_late_failure_is_paid_for(invoke: Stage, end: Callable[[Stage], Any]) -> None:
    invoke.provider.during = lambda: end(invoke)
    invoke.provider.script.append(failing(Unavailable, maybe_paid=True))
    with pytest.raises(Conflict):
        invoke()
    assert invoke.head.open_calls == []
    assert invoke.head.spent > 0
    assert len(invoke.observed) == 1


def test_a_job_erased_meanwhile_is_not_called_for(invoke: Stage) -> None:
    invoke.world.payloads.erase(JOB_ID)
    with pytest.raises(Conflict):
        invoke()
    assert invoke.provider.calls == []


def test_an_answer_that_is_kept_is_taken_though_its_circuit_has_opened_since(invoke: Stage) -> None:
    first = invoke.run
    answer = invoke(run=first)
    invoke.circuits.known["small"] = State("open", NOW + 60_000)
    assert invoke(run=first)["output"] == answer["output"]
