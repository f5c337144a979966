"""What a review does to a head: held, released, rejected; and what all others may still do with a held one."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from broker.errors import Conflict
from broker.jobs.head import Head, Status
from broker.jobs.reconciling import reconcile, send_soon
from broker.jobs.reviewing import hold_for_review, kept_answer, let_go, state_of, turn_down
from broker.jobs.transitions import Fence, cancel, claim, take, wait

from tests.fakes.world import HOUR, MINUTE, NOW, a_head
from tests.unit.transitions_case import FENCE, PAID, WON, running, with_calls

ANSWER = {"output": "OUTPUT#1.1", "facts": {"model": "small", "input_tokens": 1}}


def held(head: Head | None = None, *, stage: Any = "input", answer: Any = None) -> Head:
    return hold_for_review(head or running(), FENCE, stage=stage, rules=["words"], answer=answer, now=NOW + 9)


def held_after() -> Head:
    return held(with_calls(running(), (5, None)), stage="output", answer=ANSWER)


def test_a_held_job_is_queued_and_in_no_queue_until_its_deadline() -> None:
    head = held(running(limit=500, nudges=2))
    assert (head.status, head.is_held, head.lease_until, head.execution) == (Status.QUEUED, True, None, None)
    assert (head.due_at, head.limit, head.run) == (head.deadline_at, 500, 1)
    assert state_of(head) == "held"
    assert Head.from_item(head.to_item()) == head


@pytest.mark.parametrize(
    "change",
    [
        lambda head: claim(head, now=NOW + 10, lease_ms=1, by="m2"),
        lambda head: take(head, Fence(2, "exec-2", claimed_at=NOW, claimed_by="m2")),
        lambda head: reconcile(head, now=NOW + 10),
        lambda head: send_soon(head, now=NOW + 10),
        lambda head: wait(head, FENCE, until=NOW, now=NOW, chance=0),
        lambda head: held(head),
    ],
)
def test_nothing_starts_a_held_job(change: Callable[[Head], Head]) -> None:
    with pytest.raises(Conflict):
        change(held())


def test_only_the_run_that_owns_a_job_holds_it() -> None:
    with pytest.raises(Conflict):
        hold_for_review(running(), Fence(1, "exec-2"), stage="input", rules=[], answer=None, now=NOW)
    with pytest.raises(Conflict):
        hold_for_review(running(), Fence(0, "exec-1"), stage="input", rules=[], answer=None, now=NOW)


def test_a_released_job_is_sent_again_and_says_where_it_was_released() -> None:
    head = let_go(held(), now=NOW + MINUTE)
    assert (head.is_held, head.status, head.due_at) == (False, Status.QUEUED, NOW + 2 * MINUTE)
    assert (head.review["released"], kept_answer(head)) == (["input"], None)
    again = claim(head, now=NOW + MINUTE, lease_ms=90_000, by="m2")
    second = hold_for_review(
        again, Fence(2, "e2"), stage="output", rules=["links"], answer=ANSWER, now=NOW + 2 * MINUTE
    )
    assert second.review["released"] == ["input"]
    done = let_go(second, now=NOW + 3 * MINUTE)
    assert (done.review["released"], kept_answer(done)) == (["input", "output"], "OUTPUT#1.1")


@pytest.mark.parametrize("head", [a_head(), running(), let_go(held(), now=NOW), cancel(held(), now=NOW)])
def test_who_is_not_held_is_neither_released_nor_rejected(head: Head) -> None:
    for decide in (lambda: let_go(head, now=NOW), lambda: turn_down(head, message="No.", facts=None, now=NOW)):
        with pytest.raises(Conflict) as refused:
            decide()
        assert refused.value.code == "not_held"


def test_nothing_is_released_after_the_deadline() -> None:
    with pytest.raises(Conflict):
        let_go(held(), now=NOW + HOUR)
    ended = reconcile(held(), now=NOW + HOUR)
    assert (ended.status, (ended.error or {})["code"], state_of(ended)) == (Status.EXPIRED, "not_reviewed", "expired")


def test_a_rejected_answer_is_paid_for_and_not_shown() -> None:
    ended = turn_down(held_after(), message="The answer has it.", facts={**PAID, "model": "small"}, now=NOW + 20)
    assert (ended.status, ended.output, ended.open_calls, ended.spent) == (Status.BLOCKED, None, [], 3)
    assert ended.error == {
        "type": "blocked",
        "code": "blocked_output",
        "message": "The answer has it.",
        "source": "review",
    }
    assert (ended.model, state_of(ended), ended.due_at) == ("small", "rejected", None)


@pytest.mark.parametrize("end", [lambda head: cancel(head, now=NOW + 20), lambda head: reconcile(head, now=NOW + HOUR)])
def test_an_answer_that_nobody_judged_is_left_for_the_sweep_to_settle(end: Callable[[Head], Head]) -> None:
    ended = end(held_after())
    assert (ended.open_calls, ended.due_at) == (["1.1"], ended.ended_at)
    assert replace(ended, due_at=None).reserved == 5


def test_an_answer_of_another_job_comes_with_its_facts() -> None:
    given = {"output": "OUTPUT#kept.1.a", "facts": {"model": "small", "output_tokens": 7}, "given": True}
    head = held(stage="output", answer=given)
    assert head.review["facts"] == given["facts"]
    ended = turn_down(head, message="No.", facts=None, now=NOW + 20)
    assert (ended.model, ended.usage, ended.spent) == ("small", {"output_tokens": 7}, 0)


def test_a_job_that_ended_otherwise_after_its_release_still_says_so() -> None:
    again = claim(let_go(held(), now=NOW), now=NOW, lease_ms=90_000, by="m2")
    ended = replace(again, status=WON.status)
    assert state_of(ended) == "released"
