"""The workflow of batches: what ends one, and what says nothing of it."""

import json
from typing import Any

import pytest
from broker.batches.flow.slots import AT_ONCE, LATE_S, OTHERS_S
from broker.steps.settling import NOT_STARTED
from broker.tenants.registry import MOST_BATCHES
from jsonata.jsonata import Jsonata

from tests.contract.workflows import DEFINITIONS, rule_for, states

BATCH = states(json.loads(DEFINITIONS["batch.asl"].read_text()))


@pytest.mark.parametrize("error", sorted(NOT_STARTED))
def test_a_plan_for_which_no_function_had_room_is_no_reason_to_give_a_batch_up(error: str) -> None:
    caught = rule_for(BATCH["Plan The Rows"], "Catch", error)
    assert BATCH[caught["Next"]]["Type"] == "Fail", "the sweep starts another execution"


@pytest.mark.parametrize("error", ["States.Timeout", "Lambda.Unknown", "Unread"])
def test_a_plan_that_fails_at_each_try_is_given_up(error: str) -> None:
    assert rule_for(BATCH["Plan The Rows"], "Catch", error)["Next"] == "Give Up The Batch"


def next_of(name: str, **variables: Any) -> str:
    """Where a choice goes, by what the step before said."""
    for choice in BATCH[name]["Choices"]:
        condition = Jsonata(choice["Condition"].removeprefix("{%").removesuffix("%}"))
        for variable, held in variables.items():
            condition.assign(variable, held)
        if condition.evaluate({}) is True:
            return str(choice["Next"])
    return str(BATCH[name]["Default"])


@pytest.mark.parametrize(
    ("plan", "name"),
    [
        ({"more": True, "is_over": False, "wait_s": 20}, "Wait For Slot To Plan"),
        ({"more": True, "is_over": False}, "Plan The Rows"),
        ({"more": False, "is_over": True}, "Tell The End"),
        ({"more": False, "is_over": False, "not_before": "2026-12-01T00:00:00.000Z"}, "Wait For Its Time"),
        ({"more": False, "is_over": False}, "Run The Rows"),
    ],
)
def test_what_follows_a_plan(plan: dict[str, Any], name: str) -> None:
    assert next_of("Planned?", plan=plan) == name


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ({"written": False, "wait_s": 20}, "Wait For Slot To Write"),
        ({"written": False}, "Plan The Rows"),
        ({"written": True}, "Tell The End"),
    ],
)
def test_what_follows_results(written: dict[str, Any], name: str) -> None:
    assert next_of("Written?", written=written) == name


def test_who_waits_for_a_slot_comes_again_to_the_same_step_within_the_events_of_an_execution() -> None:
    for wait, step in (("Wait For Slot To Plan", "Plan The Rows"), ("Wait For Slot To Write", "Write The Results")):
        assert BATCH[wait]["Next"] == step
    # Each way round is a wait, a task and a choice: some eleven events. All batches of a tenant may be before it.
    ways = 3600 / OTHERS_S + (MOST_BATCHES * 900 / AT_ONCE - 3600) / LATE_S
    assert 11 * ways < 25_000
