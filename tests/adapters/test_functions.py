"""Asking a function for something that nobody waits for."""

import json

from botocore.stub import Stubber
from broker.cloud.functions import InvokeModelFunction

from tests.adapters.conftest import Client
from tests.fakes.world import JOB_ID


def test_the_end_of_work_is_asked_for_and_not_waited_for(client: Client) -> None:
    functions = client("lambda")
    expected = {
        "FunctionName": "invoke-model",
        "InvocationType": "Event",
        "Payload": json.dumps({"leave_undone": JOB_ID}).encode(),
    }
    with Stubber(functions) as stub:
        stub.add_response("invoke", {"StatusCode": 202}, expected)
        InvokeModelFunction(functions, "invoke-model").leave_undone(JOB_ID)
        stub.assert_no_pending_responses()
