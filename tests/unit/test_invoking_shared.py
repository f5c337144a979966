"""Invoke Model: one call for identical jobs, whatever becomes of the one that makes it."""

from collections.abc import Callable

import pytest
from broker.errors import Pending, Refused, Unavailable
from broker.jobs.ending import cancel_job
from broker.steps.context import Run

from tests.fakes.database import Crash
from tests.fakes.provider import ANSWER, failing
from tests.fakes.stage import Stage
from tests.fakes.world import CHAT, JOB_ID, NOW
from tests.unit.invoking_case import COST


def coalesced() -> tuple[Stage, Callable[[], Run]]:
    """A job that shares, and the like of it."""
    stage = Stage()
    document = {**CHAT, "task": "chat", "coalesce": True}
    stage.world.payloads.save(stage.head, "BODY", document)
    stage.world.tenant()

    def another() -> Run:
        return stage.world.start(stage.world.accept({**CHAT, "coalesce": True}).head.id)

    return stage, another


def test_identical_jobs_make_one_call() -> None:
    stage, another = coalesced()
    follower = another()
    waited: list[float | None] = []

    def look() -> None:
        with pytest.raises(Pending) as failure:
            stage(run=follower)
        waited.append(failure.value.retry_after)

    stage.provider.during = look
    result = stage()
    assert waited == [1]
    taken = stage(run=follower)
    assert taken["facts"].items() <= result["facts"].items()
    assert (taken["given"], "given" in result) == (True, False)
    assert stage.world.payloads.load(follower.id, taken["output"]) == ANSWER.output
    assert len(stage.provider.calls) == 1
    assert stage.world.jobs.get(follower.id).spent == 0
    assert stage.world.jobs.notes(follower.id)["CACHE"]["saved"] == COST


def test_a_leader_that_fails_makes_room() -> None:
    stage, another = coalesced()
    follower = another()
    stage.fails(failing(Unavailable))
    assert stage(run=follower)["output"] == "OUTPUT#1.1", "it makes a call of its own"


def test_the_answer_of_a_leader_that_was_canceled_is_taken_while_it_is_there() -> None:
    stage, another = coalesced()
    first, second = another(), another()
    stage.provider.during = lambda: cancel_job(stage.world.jobs, JOB_ID, "acme", NOW)
    result = stage()
    stage.provider.during = lambda: None
    assert stage(run=first)["given"] is True
    stage.world.payloads.drop(JOB_ID, result["output"])
    assert "given" not in stage(run=second), "it makes a call of its own"


def test_a_leaders_refusal_blocks_those_that_waited_without_a_call() -> None:
    stage, another = coalesced()
    follower = another()
    stage.fails(failing(Refused))
    with pytest.raises(Refused):
        stage(run=follower)
    assert len(stage.provider.calls) == 1


def test_a_leader_whose_function_died_is_replaced() -> None:
    stage, another = coalesced()
    follower = another()
    stage.provider.script = [Crash()]
    with pytest.raises(Crash):
        stage()
    with pytest.raises(Pending):
        stage(run=follower)
    assert stage(run=follower, now=NOW + 65_000)["output"] == "OUTPUT#1.1"
