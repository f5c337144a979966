"""Answers that end because their limit was reached: the head says so, whichever way the answer came."""

from typing import Any

import pytest
from broker.cache.single_flight import Shared
from broker.jobs.head import Head, Status
from broker.providers.wire.base import Answer

from tests.fakes.flow import Flow

ASK: dict[str, Any] = {"input": {"text": "How do you do?"}}


def says(flow: Flow, finish_reason: str) -> None:
    flow.stage.provider.script.append(
        Answer({"text": "Fine, thanks, and", "finish_reason": finish_reason}, input_tokens=7, output_tokens=3)
    )


@pytest.mark.parametrize(("reason", "cut"), [("length", True), ("stop", None), ("tool_calls", None)])
@pytest.mark.parametrize("repeats", [False, True])
def test_the_head_of_a_job_says_that_its_answer_was_cut(reason: str, cut: bool | None, repeats: bool) -> None:
    flow = Flow(repeats=repeats)
    says(flow, reason)
    head = flow(ASK)
    assert (head.status, head.cut) == (Status.SUCCEEDED, cut)
    assert Head.from_item(head.to_item()).cut is cut


def test_an_answer_that_is_given_again_is_as_it_was() -> None:
    flow = Flow()
    says(flow, "length")
    first, again = (flow(ASK | {"cache": {}}) for _ in range(2))
    assert flow.look(again.id)["cache"]["hit"]
    assert (first.cut, again.cut) == (True, True)


def test_who_shares_a_call_is_told_as_well() -> None:
    known = "job_1", "OUTPUT#1.1", "small", {}, 5, 9
    assert (Shared(*known).cut, Shared(*known, cut=True).cut) == (False, True)
