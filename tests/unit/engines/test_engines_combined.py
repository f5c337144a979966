"""Several engines for one rule: any, all, and cascades."""

import pytest
from broker.jobs.head import Status

from tests.fakes.flow import Flow
from tests.fakes.judging import DOWN, Judging
from tests.unit.engines.engines_case import BAD, CHAT, NAMES, findings, guards, rule, said


def test_any_of_two_asks_both_and_one_is_enough(flow: Flow, judging: Judging) -> None:
    judging.fails["judge"] = DOWN
    flow.hold(rule("judge", "shield", stages=["input"], fail_open=True))
    head = flow(said(BAD))
    assert head.status is Status.BLOCKED
    assert findings(flow, head) == [
        ("input", "engine_failed", "error", "judge"),
        ("input", "violence", "block", "shield"),
    ]


def test_all_have_to_find_something(flow: Flow, judging: Judging) -> None:
    judging.verdict = {"finds": []}
    flow.hold(rule("judge", "shield", stages=["input"], combine="all"))
    assert flow(said(BAD)).status is Status.SUCCEEDED


@pytest.mark.parametrize(
    ("text", "asked", "status"),
    [
        ("How do you do?", ["shield"], "succeeded"),
        ("perhaps a bomb", ["shield", "judge"], "blocked"),
        ("perhaps a cake", ["shield", "judge"], "succeeded"),
        (BAD, ["shield"], "blocked"),
    ],
)
def test_a_cascade_asks_the_dear_one_only_where_the_cheap_one_is_unsure(
    flow: Flow, text: str, asked: list[str], status: str
) -> None:
    flow.hold(rule("shield", "judge", stages=["input"], combine="cascade"))
    head = flow(said(text))
    assert (guards(head), head.status.value) == (asked, status)


def test_a_cascade_whose_cheap_engine_is_down_asks_the_next(flow: Flow, judging: Judging) -> None:
    judging.fails["shield"] = DOWN
    flow.hold(rule("shield", "judge", stages=["input"], combine="cascade"))
    assert flow(CHAT).status is Status.SUCCEEDED
    assert flow(said(BAD)).status is Status.BLOCKED


def test_a_sure_find_that_is_taken_out_hides_no_unsure_one_from_the_next_engine(flow: Flow) -> None:
    facts = {"engines": ["rules", "names"], "combine": "cascade", "unsure": [200, 950]}
    flow.hold(NAMES | facts | {"stages": ["input"]})
    unsure = "My passport is 123456789."
    for text in (unsure, f"ada@example.com. {unsure}"):
        assert guards(flow(said(text))) == ["names"]


CASCADE = {"engines": ["names", "names-2"], "combine": "cascade", "stages": ["input"]}


@pytest.mark.parametrize(
    ("action", "left"),
    [("redact", "<NAME_1> met <NAME_2>"), ("mask", "*** ****lace met ***** **pper"), ("remove", " met ")],
)
def test_what_either_engine_of_a_cascade_finds_is_taken_out(
    flow: Flow, judging: Judging, action: str, left: str
) -> None:
    judging.knows = {"names": {"Ada Lovelace": 0.7}, "names-2": {"Grace Hopper": 0.8}}
    flow.hold(NAMES | CASCADE | {"action": action})
    head = flow(said("Ada Lovelace met Grace Hopper"))
    assert (head.status, guards(head)) == (Status.SUCCEEDED, ["names", "names-2"])
    assert judging.calls[-1].input["messages"][-1]["content"] == left
    assert {reason for *_, reason in findings(flow, head)} == {"names", "names-2"}


def test_what_the_first_engine_is_hardly_sure_of_is_the_seconds_to_decide(flow: Flow, judging: Judging) -> None:
    judging.knows = {"names": {"Ada Lovelace": 0.4}, "names-2": {"Grace Hopper": 0.95}}
    flow.hold(NAMES | CASCADE)
    flow(said("Ada Lovelace met Grace Hopper"))
    assert judging.calls[-1].input["messages"][-1]["content"] == "Ada Lovelace met <NAME_1>"


def test_the_last_engine_alone_says_whether_a_job_is_blocked(flow: Flow, judging: Judging) -> None:
    judging.knows = {"names": {"Ada Lovelace": 0.7}, "names-2": {}}
    for rule_ in (NAMES | {"action": "block"}, NAMES | {"block_from": 600}):
        flow.hold(rule_ | CASCADE)
        assert flow(said("Ada Lovelace wants tea")).status is Status.SUCCEEDED


def test_what_the_rules_found_is_taken_out_though_an_engine_is_asked_too(flow: Flow, judging: Judging) -> None:
    facts = {"engines": ["rules", "names"], "combine": "cascade", "unsure": [200, 950], "stages": ["input"]}
    flow.hold(NAMES | facts)
    flow(said("Ada Lovelace has the passport 123456789."))
    assert judging.calls[-1].input["messages"][-1]["content"] == "<NAME_1> has the passport <PASSPORT_1>."


def test_of_all_those_that_gave_a_verdict_count_where_the_rule_is_open(flow: Flow, judging: Judging) -> None:
    judging.fails["judge"] = DOWN
    flow.hold(rule("judge", "shield", stages=["input"], combine="all", fail_open=True))
    assert (flow(CHAT).status, flow(said(BAD)).status) == (Status.SUCCEEDED, Status.BLOCKED)


@pytest.mark.parametrize("combine", ["all", "cascade"])
def test_behind_rules_that_found_nothing_nobody_is_asked(flow: Flow, combine: str) -> None:
    flow.hold(NAMES | {"engines": ["rules", "names"], "combine": combine})
    head = flow(said("Ada Lovelace wants tea"))
    assert (head.status, guards(head)) == (Status.SUCCEEDED, [])
