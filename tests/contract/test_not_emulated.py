"""What no emulator here answers is asked of AWS as its own service models have it.

SQS moves dead letters by itself (`StartMessageMoveTask`), and EventBridge keeps schemas in a registry; neither is in
the embedded cloud. botocore checks what is asked for and what may come back by the models that AWS publishes.
"""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.session import get_session
from botocore.stub import Stubber
from botocore.validate import ParamValidator
from broker.cloud.dead_letters import DeadLetterQueues, DeadQueue, Redriven
from broker.contract.event_schemas import schema_registry

ARN = "arn:aws:sqs:eu-central-1:123456789012:broker-JobsDeadLetters"
QUEUE = DeadQueue("JobsDeadLetters", "https://sqs.example/JobsDeadLetters", ARN, 7, 0, "JobsQueue")

CREATED_BY = {"AWS::EventSchemas::Registry": "CreateRegistry", "AWS::EventSchemas::Schema": "CreateSchema"}
"""By type of the registry's stack: what CloudFormation calls with its properties."""


@pytest.fixture
def sqs() -> Iterator[Stubber]:
    """A client that refuses what the service model has not."""
    known = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
    with Stubber(boto3.client("sqs", region_name="eu-central-1", **known)) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def test_sqs_is_asked_to_move_dead_letters_in_its_own_words(sqs: Stubber) -> None:
    queues = DeadLetterQueues(sqs.client, {})
    sqs.add_response("start_message_move_task", {"TaskHandle": "task"}, {"SourceArn": ARN})
    assert queues.redrive(QUEUE, 0) == Redriven(7, 0, by_sqs=True)
    last: dict[str, Any] = {"Status": "RUNNING", "SourceArn": ARN, "ApproximateNumberOfMessagesMoved": 3}
    sqs.add_response("list_message_move_tasks", {"Results": [last]}, {"SourceArn": ARN, "MaxResults": 1})
    assert queues.task(QUEUE) == last


REGISTRY = schema_registry()["Resources"]


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_the_schema_registry_is_made_as_its_service_takes_it(name: str) -> None:
    resource = REGISTRY[name]
    shape = get_session().get_service_model("schemas").operation_model(CREATED_BY[resource["Type"]]).input_shape
    properties = {key: plain(value) for key, value in resource["Properties"].items()}
    report = ParamValidator().validate(properties, shape)
    assert not report.has_errors(), report.generate_report()
    if "Content" in properties:
        assert properties["Type"] in ("OpenApi3", "JSONSchemaDraft4")
        json.loads(properties["Content"])


def plain(value: Any) -> Any:
    """What stands for a function of CloudFormation's is a text."""
    if isinstance(value, dict) and any(key == "Ref" or key.startswith("Fn::") for key in value):
        return "text"
    return value
