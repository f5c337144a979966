"""That AWS throttles what we ask is measured where all repeats were in vain, and nowhere else."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from broker.cloud.lean import LeanClient

from tests.adapters.conftest import lean_client
from tests.contract.ringing import ALARM, alarms, dimensions, states
from tests.contract.stack import of_type
from tests.fakes.json_service import Answer, JsonService, serving
from tests.fakes.own_time import own_time


@pytest.fixture
def service() -> Iterator[JsonService]:
    with serving() as made:
        yield made


@pytest.fixture(autouse=True)
def in_lambda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f")
    monkeypatch.setenv("STACK_NAME", "production")
    own_time(monkeypatch, "botocore.endpoint", sleep=lambda seconds: None)


def client(service: JsonService, name: str) -> LeanClient:
    return lean_client(name, service.url, lambda: service.client(name))


def failed(code: str, **more: Any) -> Answer:
    return Answer(400, json.dumps({"__type": f"com.amazonaws#{code}", **more}).encode())


def told(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    "answer",
    [
        failed("ProvisionedThroughputExceededException"),
        failed("ThrottlingException"),
        failed("RequestLimitExceeded"),
        failed("TransactionCanceledException", CancellationReasons=[{"Code": "None"}, {"Code": "ThrottlingError"}]),
        failed(
            "TransactionCanceledException",
            CancellationReasons=[{"Code": "ProvisionedThroughputExceeded"}, {"Code": "ConditionalCheckFailed"}],
        ),
    ],
    ids=["throughput", "throttling", "limit", "transaction", "both"],
)
def test_a_table_that_is_throttled_to_the_last_rings(
    service: JsonService, capsys: pytest.CaptureFixture[str], answer: Answer
) -> None:
    service.answers = [answer] * 9
    with pytest.raises(ClientError):
        client(service, "dynamodb").transact_write_items(TransactItems=[])
    (line,) = told(capsys)
    alarm = alarms()["TablesAlarm"]
    (keys,) = line["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
    watched = dimensions(alarm)
    assert {key: line[key] for key in keys} == {**watched, "stack": "production"}
    assert (line["message"], line["operation"]) == ("call throttled", "transact_write_items")
    assert states(alarm, [[line["CallsThrottled"]]] * alarm["EvaluationPeriods"])[-1] == ALARM


def test_a_start_that_is_throttled_is_what_the_filter_counts(
    service: JsonService, capsys: pytest.CaptureFixture[str]
) -> None:
    service.answers = [failed("ThrottlingException")] * 9
    with pytest.raises(ClientError):
        client(service, "stepfunctions").start_execution(stateMachineArn="arn:x", name="job-1", input="{}")
    (line,) = told(capsys)
    assert counted(line, "ExecutionsThrottled")
    assert not counted({**line, "service": "dynamodb"}, "ExecutionsThrottled")


def counted(line: dict[str, Any], name: str) -> bool:
    """True where a filter of the template counts a line: each of its conditions holds."""
    conditions = re.findall(r'\(\$\.(\w+) = "([^"]+)"\)', of_type("AWS::Logs::MetricFilter")[name]["FilterPattern"])
    return all(line.get(field) == value for field, value in conditions) and len(conditions) == 2


@pytest.mark.parametrize(
    "answers",
    [
        [failed("ThrottlingException"), Answer(200, b"{}")],
        [failed("ConditionalCheckFailedException")],
        [failed("TransactionCanceledException", CancellationReasons=[{"Code": "TransactionConflict"}])],
        [Answer(500, b"{}")] * 9,
    ],
    ids=["passed", "condition", "conflict", "failed"],
)
def test_what_passes_or_is_no_throttle_rings_nothing(
    service: JsonService, capsys: pytest.CaptureFixture[str], answers: list[Answer]
) -> None:
    service.answers = answers
    try:
        client(service, "dynamodb").transact_write_items(TransactItems=[])
    except ClientError:
        pass
    assert told(capsys) == []


def test_a_command_at_a_terminal_says_nothing_of_it(
    service: JsonService, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME")
    service.answers = [failed("ThrottlingException")] * 9
    with pytest.raises(ClientError):
        client(service, "dynamodb").get_item(TableName="jobs", Key={})
    assert told(capsys) == [], "it would stand in what the command prints"
