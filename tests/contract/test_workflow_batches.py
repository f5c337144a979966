"""The workflow of batches: what ends one, and what says nothing of it."""

import json

import pytest
from broker.steps.settling import NOT_STARTED

from tests.contract.workflows import DEFINITIONS, rule_for, states

BATCH = states(json.loads(DEFINITIONS["batch.asl"].read_text()))


@pytest.mark.parametrize("error", sorted(NOT_STARTED))
def test_a_plan_for_which_no_function_had_room_is_no_reason_to_give_a_batch_up(error: str) -> None:
    caught = rule_for(BATCH["Plan The Rows"], "Catch", error)
    assert BATCH[caught["Next"]]["Type"] == "Fail", "the sweep starts another execution"


@pytest.mark.parametrize("error", ["States.Timeout", "Lambda.Unknown", "Unread"])
def test_a_plan_that_fails_at_each_try_is_given_up(error: str) -> None:
    assert rule_for(BATCH["Plan The Rows"], "Catch", error)["Next"] == "Give Up The Batch"
