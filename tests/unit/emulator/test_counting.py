"""The emulator's requests are counted by service and operation."""

import asyncio
import json
from typing import Any

import pytest

from local.emulator.counting import calls, counted, operation_of


def scope(service: str | None, method: str = "POST", target: str = "", query: str = "", path: str = "/") -> Any:
    headers = []
    if service:
        signed = f"AWS4-HMAC-SHA256 Credential=test/20261118/us-east-1/{service}/aws4_request, SignedHeaders=host"
        headers.append((b"authorization", signed.encode()))
    if target:
        headers.append((b"x-amz-target", target.encode()))
    return {"type": "http", "method": method, "path": path, "headers": headers, "query_string": query.encode()}


@pytest.mark.parametrize(
    ("request_scope", "operation"),
    [
        (scope("dynamodb", target="DynamoDB_20120810.PutItem"), "dynamodb.PutItem"),
        (scope("sqs", target="AmazonSQS.SendMessage"), "sqs.SendMessage"),
        (scope("states", target="AWSStepFunctions.StartExecution"), "states.StartExecution"),
        (scope("events", target="AWSEvents.PutEvents"), "events.PutEvents"),
        (scope("s3", "GET", path="/bucket/key"), "s3.GET"),
        (scope("s3", "PUT", query="partNumber=1"), "s3.PUT"),
        (scope("sns", query="Action=Publish&Version=1"), "sns.Publish"),
        (scope("lambda", path="/2015-03-31/functions/f/invocations"), "lambda.POST"),
        (scope(None, "GET"), None),
        (scope(None, target="AmazonSQS.SendMessage"), None),
        ({"type": "http", "method": "GET", "path": "/", "headers": [(b"authorization", b"Bearer ib_x")]}, None),
    ],
    ids=range(11),
)
def test_what_a_request_asks_for(request_scope: Any, operation: str | None) -> None:
    assert operation_of(request_scope) == operation


def test_requests_are_counted_and_served() -> None:
    served: list[str] = []
    sent: list[dict[str, Any]] = []

    async def emulator(scope: dict[str, Any], receive: Any, send: Any) -> None:
        served.append(scope["type"])

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    def ask(given: Any) -> Any:
        sent.clear()
        asyncio.run(counted(emulator)(given, None, send))
        return json.loads(sent[1]["body"]) if sent else None

    calls.clear()
    for given in (scope("sqs", target="AmazonSQS.SendMessage"),) * 2 + (scope(None), {"type": "lifespan"}):
        assert ask(given) is None
    assert served == ["http", "http", "http", "lifespan"]
    assert ask(scope(None, "GET", path="/_broker/calls")) == {"sqs.SendMessage": 2}
    assert ask(scope(None, "DELETE", path="/_broker/calls")) == {"sqs.SendMessage": 2}
    assert ask(scope(None, "GET", path="/_broker/calls")) == {}
    assert len(served) == 4
