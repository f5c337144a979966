"""Conversations: what was said before comes in when a job is accepted, and its own turn goes out when it succeeds."""

from dataclasses import replace
from typing import Any

import pytest
from broker.context.conversations import Turn
from broker.errors import Conflict
from broker.jobs.ending import cancel_job
from broker.jobs.erasing import erase
from broker.jobs.head import Head, Status

from tests.fakes.settling import settling_of
from tests.fakes.stage import Stage
from tests.fakes.world import JOB_ID, NOW, World, a_model

EARLIER = [{"role": "user", "content": "Who kept the lamp?"}, {"role": "assistant", "content": "Ann."}]
ASKED: dict[str, Any] = {"input": {"text": "And after her?"}, "conversation_id": "c-1"}


@pytest.fixture
def world() -> World:
    made = World()
    made.register(a_model("small"))
    made.tenant()
    made.tenant("other")
    made.turns.keep("acme", "c-1", Turn("job_0", NOW - 9, 20, EARLIER), NOW // 1000 + 900)
    return made


def test_what_was_said_before_comes_in(world: World) -> None:
    head = world.accept(ASKED).head
    assert world.prompt(head.id)["messages"] == [*EARLIER, {"role": "user", "content": "And after her?"}]
    assert head.conversation == "c-1"


def test_another_tenants_conversation_of_that_name_is_another_one(world: World) -> None:
    head = world.accept(ASKED, tenant="other").head
    assert world.prompt(head.id)["messages"] == [{"role": "user", "content": "And after her?"}]


def test_what_has_no_room_stays_out(world: World) -> None:
    world.register(a_model("small", context_window=30, max_output_tokens=20))
    head = world.accept(ASKED).head
    assert "Ann." not in str(world.prompt(head.id))


def talking() -> tuple[Stage, Head]:
    stage = Stage()
    head = replace(stage.head, conversation="c-1", rev=stage.head.rev + 1)
    stage.world.jobs.change(JOB_ID, lambda current: head)
    document = {"task": "chat", "input": {"text": "And after her?"}, "conversation_id": "c-1"}
    stage.world.payloads.save(head, "BODY", document)
    return stage, head


def settle(stage: Stage, ending: dict[str, Any]) -> Head:
    return settling_of(stage.world)(stage.run, ending, NOW + 5)


def kept(stage: Stage) -> list[list[Any]]:
    return [list(turn.load()) for turn in stage.world.turns.newest("acme", "c-1", limit=9, now=NOW)]


def test_the_turn_of_a_job_that_succeeds_is_kept_once() -> None:
    stage, _ = talking()
    answer = stage()
    for _ in range(2):
        settle(stage, {"answer": answer})
    assert kept(stage) == [[{"role": "user", "content": "And after her?"}, {"role": "assistant", "content": "Fine."}]]


def test_a_job_that_is_blocked_or_canceled_adds_nothing() -> None:
    stage, _ = talking()
    answer = stage()
    settle(stage, {"answer": answer, "blocked": {"stage": "output", "rules": ["secrets"]}})
    assert kept(stage) == []
    stage, _ = talking()
    answer = stage()
    cancel_job(stage.world.jobs, JOB_ID, "acme", NOW)
    with pytest.raises(Conflict):
        settle(stage, {"answer": answer})
    assert kept(stage) == []


def test_a_conversation_that_was_erased_meanwhile_stays_empty() -> None:
    stage, _ = talking()
    answer = stage()
    stage.world.turns.erase("acme", "c-1", NOW + 1)
    settle(stage, {"answer": answer})
    assert kept(stage) == []


def erase_job(stage: Stage) -> None:
    world = stage.world
    erase(world.jobs, world.payloads, lambda job_id: None, world.turns.erase_turn, stage.head)


def test_an_erased_job_is_told_to_no_model_again() -> None:
    stage, _ = talking()
    settle(stage, {"answer": stage()})
    stage.world.turns.keep("acme", "c-1", Turn("job_0", NOW - 9, 20, EARLIER), NOW // 1000 + 900)
    for _ in range(2):
        erase_job(stage)
    stage.world.tenant()
    prompt = stage.world.prompt(stage.world.accept(ASKED).head.id)
    assert prompt["messages"] == [*EARLIER, {"role": "user", "content": "And after her?"}], "others stay"
    assert kept(stage) == [EARLIER]


def test_an_erased_job_without_a_conversation_asks_for_none() -> None:
    stage = Stage()
    settle(stage, {"answer": stage()})
    world = stage.world
    erase(world.jobs, world.payloads, lambda job_id: None, lambda *names: pytest.fail("none is looked at"), stage.head)


@pytest.mark.parametrize("late", [False, True], ids=["before the end", "right at the commit"])
def test_a_job_erased_while_it_ran_adds_no_turn_afterwards(late: bool) -> None:
    stage, _ = talking()
    answer = stage()

    def end() -> None:
        cancel_job(stage.world.jobs, JOB_ID, "acme", NOW)
        erase_job(stage)

    if late:
        stage.world.database.meanwhile.append(end)
    else:
        end()
    for _ in range(2):
        with pytest.raises(Conflict):
            settle(stage, {"answer": answer})
    assert (kept(stage), stage.world.payloads.names(JOB_ID)) == ([], [])
    assert (stage.head.spent, stage.head.open_calls) == (answer["facts"]["cost"], [])


def test_a_commit_that_is_repeated_after_the_erasure_brings_nothing_back() -> None:
    stage, _ = talking()
    answer = stage()
    settle(stage, {"answer": answer})
    erase_job(stage)
    assert settle(stage, {"answer": answer}) == stage.head, "as any repeat after a lost reply"
    assert (kept(stage), stage.world.payloads.names(JOB_ID)) == ([], [])


def test_a_job_without_a_conversation_asks_for_none() -> None:
    stage = Stage()
    answer = stage()

    def refuse() -> Any:
        raise AssertionError("no conversation is looked at")

    ended = settling_of(stage.world, turns=refuse)(stage.run, {"answer": answer}, NOW)
    assert ended.status is Status.SUCCEEDED
