"""Invoke Model: a run's first call is made by the head that was told, and by no head that is old."""

from dataclasses import replace

import pytest
from broker.errors import Conflict
from broker.jobs.ending import cancel_job
from broker.jobs.head import Head

from tests.fakes.counting import CountingDatabase
from tests.fakes.stage import Stage
from tests.fakes.world import JOB_ID, NOW, World


@pytest.fixture
def invoke() -> Stage:
    return Stage()


def test_a_first_call_is_made_by_the_head_that_was_told() -> None:
    database = CountingDatabase()
    stage = Stage(world=World(database))
    database.reads = 0
    answer = stage()
    assert database.reads == 1, "the registry"
    assert Head.from_item(answer["head"]) == stage.head


def test_a_job_that_was_canceled_since_its_head_was_told_asks_nobody(invoke: Stage) -> None:
    cancel_job(invoke.world.jobs, JOB_ID, "acme", NOW)
    with pytest.raises(Conflict):
        invoke()
    assert (invoke.provider.calls, invoke.head.calls) == ([], {})


def test_a_job_that_is_canceled_while_its_first_call_is_put_on_record_asks_nobody(invoke: Stage) -> None:
    invoke.world.database.meanwhile.append(lambda: cancel_job(invoke.world.jobs, JOB_ID, "acme", NOW))
    with pytest.raises(Conflict):
        invoke()
    assert (invoke.provider.calls, invoke.head.calls) == ([], {})


def test_a_first_call_whose_reply_was_lost_is_not_made_again(invoke: Stage) -> None:
    first = invoke.run
    answer = invoke(run=first)
    again = invoke(run=first)  # the same input, with the head of before the call
    assert (again["output"], again["head"]) == (answer["output"], answer["head"])
    assert len(invoke.provider.calls) == 1


def test_two_executions_that_were_told_the_same_head_make_one_call(invoke: Stage) -> None:
    first, second = invoke.run, replace(invoke.run, fence=replace(invoke.run.fence, execution="exec-2"))
    invoke.world.database.meanwhile.append(lambda: invoke(run=second))
    with pytest.raises(Conflict):
        invoke(run=first)
    assert (len(invoke.provider.calls), invoke.head.execution) == (1, "exec-2")


def test_a_record_whose_reply_was_lost_is_recognised(invoke: Stage) -> None:
    invoke.world.database.lose_reply_of = "HEAD"
    assert invoke()["output"] == "OUTPUT#1.1"
    assert list(invoke.head.calls) == ["1.1"]
