"""Starting executions: the right size, and a name that makes a repeated start one execution."""

import json
from datetime import UTC, datetime
from typing import Literal

import pytest
from botocore.stub import Stubber
from broker.cloud.workflows import StateMachines

from tests.adapters.conftest import Client
from tests.fakes.world import JOB_ID, a_head

ARNS = {size: f"arn:aws:states:us-east-1:123456789012:stateMachine:{size}" for size in ("express", "standard")}


@pytest.mark.parametrize("size", ["express", "standard"])
def test_starts_the_run_that_the_head_stands_for(client: Client, size: Literal["express", "standard"]) -> None:
    states = client("stepfunctions")
    head = a_head(run=3)
    facts = {
        "job_id": JOB_ID,
        "tenant": "acme",
        "run": 3,
        "payloads_until": 1795086400,
        "expires_at": 1796296000,
        "until": 1795000120000,
        "head": head.to_item(),
    }
    expected = {
        "stateMachineArn": ARNS[size],
        "name": f"{JOB_ID}-3",
        "input": json.dumps(facts),
    }
    reply = {"executionArn": f"{ARNS[size]}:1", "startDate": datetime(2026, 1, 1, tzinfo=UTC)}
    with Stubber(states) as stub:
        stub.add_response("start_execution", reply, expected)
        StateMachines(states, ARNS).start(head, size)
        stub.assert_no_pending_responses()
    assert len(expected["name"]) <= 80
