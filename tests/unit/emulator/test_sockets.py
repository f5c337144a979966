"""The emulated WebSocket APIs tell a client which subprotocol was taken; the patch still fits."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from ministack.services import apigateway, lambda_svc

from local.emulator.rewriting import DoesNotFit
from local.emulator.sockets import OF_HTTP_APIS, patch


@pytest.fixture
def restored() -> Iterator[None]:
    names = ("_invoke_ws_lambda", "handle_websocket", "_authorize_ws_connect", "run_reentrant")
    shipped = {name: getattr(apigateway, name) for name in names}
    yield
    for name, each in shipped.items():
        setattr(apigateway, name, each)


def accepted(monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]) -> list[dict[str, Any]]:
    """What a client gets whose `$connect` is answered so."""
    sent: list[dict[str, Any]] = []

    async def invoke(
        api_id: str, account_id: str, region: str, route: Any, stage: str, connection_id: str, event_type: str
    ) -> dict[str, Any]:
        return answer

    async def handle_websocket(scope: Any, receive: Any, send: Any, api_id: str) -> None:
        await apigateway._invoke_ws_lambda("a", "1", "r", {}, "v1", "c", "CONNECT")
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close"})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    monkeypatch.setattr(apigateway, "_invoke_ws_lambda", invoke)
    monkeypatch.setattr(apigateway, "handle_websocket", handle_websocket)
    patch()
    asyncio.run(apigateway.handle_websocket({}, None, send, "a"))
    return sent


def test_the_subprotocol_that_is_taken_is_told(monkeypatch: pytest.MonkeyPatch, restored: None) -> None:
    told = accepted(monkeypatch, {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "broker.v1"}})
    assert told == [{"type": "websocket.accept", "subprotocol": "broker.v1"}, {"type": "websocket.close"}]


def test_where_none_is_taken_none_is_told(monkeypatch: pytest.MonkeyPatch, restored: None) -> None:
    assert accepted(monkeypatch, {"statusCode": 200})[0] == {"type": "websocket.accept"}


def test_another_ministack_is_told_of(monkeypatch: pytest.MonkeyPatch, restored: None) -> None:
    async def handle_websocket(scope: Any) -> None:
        """Accepts in another way."""

    monkeypatch.setattr(apigateway, "handle_websocket", handle_websocket)
    with pytest.raises(DoesNotFit):
        patch()


FAILED = {"error": True, "body": {"errorType": "Exception", "errorMessage": "Unauthorized"}}


@pytest.mark.parametrize(
    ("result", "refusal"),
    [
        (FAILED, (401, "Unauthorized")),
        (FAILED | {"body": {"errorMessage": "Task timed out"}}, (500, "")),
        (FAILED | {"body": "?"}, (500, "")),
        ({"body": {"policyDocument": None}}, (500, "")),
    ],
)
def test_an_authorizer_that_says_unauthorized_is_answered_so(
    monkeypatch: pytest.MonkeyPatch, restored: None, result: dict[str, Any], refusal: tuple[int, str]
) -> None:
    async def run_reentrant(*given: Any, **named: Any) -> dict[str, Any]:
        return result

    monkeypatch.setattr(apigateway, "run_reentrant", run_reentrant)
    monkeypatch.setitem(
        apigateway._authorizers, "api", {"a": {"authorizerUri": "arn", "identitySource": list(OF_HTTP_APIS)}}
    )
    monkeypatch.setattr(lambda_svc, "_get_func_record_for_ref_in_scope", lambda *given, **named: ({}, {}, "f"))
    monkeypatch.setattr(lambda_svc, "_execution_record_for_config", lambda *given: {})
    patch()
    place = {"stage": "v1", "connectionId": "c"}
    asked = apigateway._authorize_ws_connect("api", {"authorizerId": "a"}, place, {}, {}, "000000000000", "us-east-1")
    assert asyncio.run(asked) == (refusal, None)


def test_it_fits_what_is_shipped(restored: None) -> None:
    patch()
