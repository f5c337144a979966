"""A REST API refuses, cuts off and hides what API Gateway's does."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ministack.services import apigateway_v1, lambda_svc

from local.emulator import gateway
from local.emulator.limits.figures import GATEWAY_BYTES, REQUEST_BYTES
from tests.unit.emulator.conftest import FUNCTION, Invoke

URI = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"
TEMPLATE = {"application/json": '{"type": "$context.error.responseType", "told": $context.error.messageString}'}

Ask = Callable[..., tuple[int, dict[str, str], Any]]


@pytest.fixture
def ask(invoke: Invoke, tmp_path: Path) -> Iterator[Ask]:
    """Posts to an API of one route, whose integration may take a twentieth of a second if it is said so."""

    def posted(
        body: Any, *, short: bool = False, then: Callable[[], None] = lambda: None, **responses: Any
    ) -> tuple[int, dict[str, str], Any]:
        gateway.patch()
        integration = {"type": "aws_proxy", "httpMethod": "POST", "uri": URI}
        integration |= {"timeoutInMillis": 50} if short else {}
        path = {"/jobs": {"post": {"x-amazon-apigateway-integration": integration}}}
        document = {"openapi": "3.0.1", "info": {"title": "api"}, "paths": path, gateway.EXTENSION: responses}
        api = apigateway_v1._import_rest_api(document)
        _, _, made = apigateway_v1._create_deployment(api, {"stageName": "v1"})
        assert "id" in json.loads(made)
        text = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()

        async def asked() -> Any:
            reply = await apigateway_v1.handle_execute(api, "v1", "POST", "/jobs", {"host": "here"}, text, {})
            then()
            return reply

        status, headers, answer = asyncio.run(asked())
        return status, headers, json.loads(answer)

    shipped = apigateway_v1._import_rest_api
    yield posted
    apigateway_v1._import_rest_api = shipped


OK = {"replies": {"statusCode": 202, "body": '"taken"'}}


def filled(size: int, letter: str = "x") -> bytes:
    """A body of so many bytes that is taken where it is not too large."""
    body = json.dumps(OK | {"fill": ""}, ensure_ascii=False).encode()
    return body[:-2] + letter.encode() * ((size - len(body)) // len(letter.encode())) + body[-2:]


def test_a_body_that_lambda_takes_arrives(ask: Ask) -> None:
    for size in (10, REQUEST_BYTES - 10_000):
        assert ask(filled(size))[0::2] == (202, "taken")


@pytest.mark.parametrize(
    "body",
    [filled(GATEWAY_BYTES + 1), filled(REQUEST_BYTES + 1), filled(REQUEST_BYTES // 2 + 1, '\\"')],
    ids=["for the gateway", "for lambda", "for lambda, being a string of JSON"],
)
@pytest.mark.parametrize("customized", [True, False])
def test_a_body_that_is_too_large(ask: Ask, body: bytes, customized: bool) -> None:
    responses = {"REQUEST_TOO_LARGE": {"statusCode": 413, "responseTemplates": TEMPLATE}} if customized else {}
    status, _, answer = ask(body, **responses)
    assert status == 413
    assert answer["type"] == "REQUEST_TOO_LARGE" if customized else answer.keys() == {"message"}


def test_a_function_that_takes_too_long_is_not_waited_for(ask: Ask, tmp_path: Path) -> None:
    go_on = tmp_path / "go"
    status, _, answer = ask({"waits": str(go_on)} | OK, short=True, then=go_on.touch)
    assert (status, answer) == (504, {"message": "Endpoint request timed out"})


@pytest.mark.parametrize("request_body", [{"fails": True}, {"replies": "text"}, {"replies": None}], ids=str)
def test_what_a_function_failed_of_is_not_told(ask: Ask, request_body: Any) -> None:
    status, headers, answer = ask(request_body)
    assert (status, answer) == (502, {"message": "Internal server error"})
    assert headers["x-amzn-ErrorType"] == "InternalServerErrorException"
    status, _, answer = ask(request_body, DEFAULT_5XX={"responseTemplates": TEMPLATE})
    assert (status, answer) == (502, {"type": "INTEGRATION_FAILURE", "told": "Internal server error"})
    assert ask(request_body, DEFAULT_5XX={"statusCode": 503, "responseTemplates": TEMPLATE})[0] == 503
    assert ask(request_body, INTEGRATION_FAILURE={"statusCode": 503, "responseTemplates": TEMPLATE})[0::2] == (
        503,
        answer,
    )


def test_that_a_function_was_throttled_is_not_told(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lambda_svc, "_ACCOUNT_CONCURRENCY_CAP", 1)
    slot, _ = lambda_svc._acquire_execution_slot({}, {"FunctionName": "other"})
    assert ask(OK)[0::2] == (500, {"message": "Internal server error"})
    busy = {"statusCode": 503, "responseParameters": {"gatewayresponse.header.Retry-After": "'2'"}}
    status, headers, _ = ask(OK, INTEGRATION_FAILURE=busy, DEFAULT_5XX={"statusCode": 599})
    assert (status, headers["Retry-After"]) == (503, "2")
    lambda_svc._release_execution_slot(slot)
    assert ask(OK)[0] == 202
