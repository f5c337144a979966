"""Engines and people: what waits for a person, and what is judged when it goes on."""

from typing import Any

import pytest
from broker.jobs.head import Status

from tests.fakes.flow import Flow
from tests.fakes.judging import DOWN, Judging
from tests.unit.engines.engines_case import BAD, CHAT, guards, rule, said
from tests.unit.test_reviews import release


@pytest.mark.parametrize("stage", ["input", "output"])
def test_what_a_judge_finds_may_wait_for_a_person_and_is_not_judged_twice(flow: Flow, stage: Any) -> None:
    flow.hold(rule("judge", action="review", stages=[stage]))
    head = flow(said(BAD))
    assert (head.is_held, guards(head)) == (True, ["judge"])
    ended = release(flow, head, stage)
    assert (ended.status, guards(ended)) == (Status.SUCCEEDED, ["judge"])
    assert len([call for call in ended.calls.values() if "w" not in call]) == 1, "and answered once"


def test_engines_are_asked_of_what_a_rule_of_ours_holds_only_when_it_goes_on(flow: Flow) -> None:
    flow.hold(rule("judge"), {"check": "denied_terms", "action": "review", "stages": ["input"], "terms": ["bomb"]})
    head = flow(said(BAD))
    assert (head.is_held, flow.sent) == (True, [])
    ended = release(flow, head, "input")
    assert (ended.status, (ended.error or {})["code"], guards(ended)) == (Status.BLOCKED, "blocked_input", ["judge"])


def test_an_engine_that_is_down_has_a_person_look_where_its_rule_wants_one(flow: Flow, judging: Judging) -> None:
    judging.fails["judge"] = DOWN
    flow.hold(rule("judge", action="review", stages=["input"]))
    head = flow(CHAT)
    assert head.is_held
    judging.fails = {}
    assert release(flow, head, "input").status is Status.SUCCEEDED
