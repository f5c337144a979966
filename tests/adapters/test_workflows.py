"""Starting executions: the right size, and a name that makes a repeated start one execution."""

import json
from datetime import UTC, datetime
from typing import Literal

import pytest
from botocore.stub import Stubber
from broker.cloud.workflows import MOST_INPUT_BYTES, StateMachines, can_start

from tests.adapters.conftest import Client
from tests.fakes.world import JOB_ID, a_head

ARNS = {size: f"arn:aws:states:us-east-1:123456789012:stateMachine:{size}" for size in ("express", "standard")}


@pytest.mark.parametrize("size", ["express", "standard"])
def test_starts_the_run_that_the_head_stands_for(client: Client, size: Literal["express", "standard"]) -> None:
    states = client("stepfunctions")
    head, stored = a_head(run=3), a_head(run=2, rev=7)
    facts = {
        "job_id": JOB_ID,
        "tenant": "acme",
        "run": 3,
        "payloads_until": 1795086400,
        "expires_at": 1796296000,
        "until": 1795000120000,
        "claimed_at": None,
        "claimed_by": None,
        "head": stored.to_item(),
    }
    expected = {
        "stateMachineArn": ARNS[size],
        "name": f"{JOB_ID}-7",
        "input": json.dumps(facts),
    }
    reply = {"executionArn": f"{ARNS[size]}:1", "startDate": datetime(2026, 1, 1, tzinfo=UTC)}
    with Stubber(states) as stub:
        stub.add_response("start_execution", reply, expected)
        StateMachines(states, ARNS).start(head, stored, size)
        stub.assert_no_pending_responses()
    assert len(expected["name"]) <= 80


def test_a_run_that_was_started_is_not_started_again(client: Client) -> None:
    states = client("stepfunctions")
    with Stubber(states) as stub:
        stub.add_client_error("start_execution", "ExecutionAlreadyExists")
        StateMachines(states, ARNS).start(a_head(run=1), a_head(), "standard")
        stub.assert_no_pending_responses()


def test_a_head_that_is_more_than_an_execution_takes_cannot_be_started() -> None:
    calls = {f"1.{number}": {"m": "small", "r": 7, "c": 7, "o": "Unavailable"} for number in range(100)}
    assert can_start(a_head(calls=calls))
    assert not can_start(a_head(calls={f"{key}{run}": call for key, call in calls.items() for run in range(50)}))
    assert MOST_INPUT_BYTES == 262_144
