"""Several engines for one rule: any, all, and cascades."""

import pytest
from broker.jobs.head import Status

from tests.fakes.flow import Flow
from tests.unit.engines.engines_case import BAD, CHAT, NAMES, findings, guards, rule, said


def test_any_of_two_asks_both_and_one_is_enough(flow: Flow) -> None:
    flow.stage.provider.down = {"judge"}  # type: ignore[attr-defined]
    flow.hold(rule("judge", "shield", stages=["input"], fail_open=True))
    head = flow(said(BAD))
    assert head.status is Status.BLOCKED
    assert findings(flow, head) == [
        ("input", "engine_failed", "error", "judge"),
        ("input", "violence", "block", "shield"),
    ]


def test_all_have_to_find_something(flow: Flow) -> None:
    flow.stage.provider.verdict = {"finds": []}  # type: ignore[attr-defined]
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


def test_a_cascade_whose_cheap_engine_is_down_asks_the_next(flow: Flow) -> None:
    flow.stage.provider.down = {"shield"}  # type: ignore[attr-defined]
    flow.hold(rule("shield", "judge", stages=["input"], combine="cascade"))
    assert flow(CHAT).status is Status.SUCCEEDED
    assert flow(said(BAD)).status is Status.BLOCKED


def test_a_sure_find_that_is_taken_out_hides_no_unsure_one_from_the_next_engine(flow: Flow) -> None:
    facts = {"engines": ["rules", "names"], "combine": "cascade", "unsure": [200, 950]}
    flow.hold(NAMES | facts | {"stages": ["input"]})
    unsure = "My passport is 123456789."
    for text in (unsure, f"ada@example.com. {unsure}"):
        assert guards(flow(said(text))) == ["names"]
