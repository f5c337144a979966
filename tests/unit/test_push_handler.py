"""The function behind the WebSocket API, with API Gateway's events: what it answers, refuses and closes."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from broker.bootstrap import pushing
from broker.clock import now_ms
from broker.cloud.attributes import encode_item
from broker.errors import RateLimited
from broker.push.connection import MOST_CONNECTIONS
from handlers.push import handler

from tests.fakes.world import JOB_ID
from tests.unit.push_case import DIGESTS, DONE, RUNNING, Push


@pytest.fixture
def push(monkeypatch: pytest.MonkeyPatch) -> Iterator[Push]:
    made = Push()
    made.put(RUNNING)
    for name, value in {
        "listen": made.listen,
        "socket_gateway": made.gateway,
        "tell_connections": lambda changes, now, left: made.tells(*changes, now=now, seconds_left=left),
    }.items():
        monkeypatch.setattr(pushing, name, lambda value=value: value)
    yield made


def event(kind: str, body: str | None = None, connection_id: str = "c1", **given: Any) -> dict[str, Any]:
    """As API Gateway has them (API Gateway Developer Guide, "Lambda proxy integrations" of WebSocket APIs)."""
    route = {"CONNECT": "$connect", "DISCONNECT": "$disconnect"}.get(kind, "$default")
    identity = {"tenant": "acme", "principal": "p", "scopes": "jobs:read", "digest": DIGESTS["acme"], "until": ""}
    place = {"eventType": kind, "routeKey": route, "connectionId": connection_id, "requestId": "req-1"}
    place["authorizer"] = identity | given.pop("identity", {})  # type: ignore[assignment]
    return {"requestContext": place, "isBase64Encoded": False, **({"body": body} if body is not None else {}), **given}


def connect(push: Push, connection_id: str = "c1", **given: Any) -> dict[str, Any]:
    push.gateway.opened.add(connection_id)
    return handler(event("CONNECT", connection_id=connection_id, **given), None)


def says(message: Any, **given: Any) -> dict[str, Any]:
    answer = handler(event("MESSAGE", message if isinstance(message, str) else json.dumps(message), **given), None)
    assert answer["statusCode"] == 200
    told: dict[str, Any] = json.loads(answer["body"])
    return told


def test_a_connection_is_taken_answered_told_and_forgotten(push: Push) -> None:
    assert connect(push) == {"statusCode": 200}
    assert says({"action": "subscribe", "job": JOB_ID})["state"]["status"] == "running"
    images = {"OldImage": encode_item(RUNNING.to_item()), "NewImage": encode_item(DONE.to_item())}
    record = {"dynamodb": {"Keys": {"sk": {"S": "HEAD"}}, "SequenceNumber": "7", **images}}
    assert handler({"Records": [record]}, None) == {"messages": 1}
    assert [each["type"] for each in push.heard("c1")] == ["job.succeeded"]
    assert handler(event("DISCONNECT"), None) == {"statusCode": 200}
    assert handler({"Records": [record]}, None) == {"messages": 0}


def test_the_subprotocol_is_taken_that_stands_beside_a_credential(push: Push) -> None:
    answer = connect(push, headers={"Sec-WebSocket-Protocol": "broker.v1, bearer.ib_secret"})
    assert answer == {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "broker.v1"}}
    assert connect(push, "c2", headers={"Sec-WebSocket-Protocol": "other"}) == {"statusCode": 200}
    assert connect(push, "c3", headers=None) == {"statusCode": 200}


def test_who_may_not_connect_is_refused_with_a_status(push: Push) -> None:
    refused = connect(push, identity={"scopes": "jobs:write"})
    assert refused["statusCode"] == 403
    error = json.loads(refused["body"])["error"]
    assert (error["code"], error["request_id"]) == ("missing_scope", "req-1")
    for number in range(MOST_CONNECTIONS):
        connect(push, f"c{number}")
    assert connect(push, "more")["statusCode"] == 429


def test_a_token_that_has_ended_listens_to_nothing(push: Push) -> None:
    connect(push, identity={"digest": "", "until": str(now_ms() - 1)})
    assert says({"action": "ping"})["error"]["code"] == "connection_over"
    assert "c1" not in push.gateway.opened


@pytest.mark.parametrize("body", ["", "no JSON", "[]", '{"action": "publish", "ref": "r"}', "x" * 5_000, None])
def test_a_bad_message_is_answered_and_the_connection_stays(push: Push, body: str | None) -> None:
    connect(push)
    answer = handler(event("MESSAGE", body), None)
    told = json.loads(answer["body"])
    assert answer["statusCode"] == 200 and told["type"] == "error" and told["error"]["message"]
    assert told.get("ref") == ("r" if "ref" in (body or "") else None)
    assert says({"action": "ping"}) == {"type": "pong"}


def test_a_tenant_that_calls_too_often_is_told_when_to_come_again_and_its_connection_stays(
    push: Push, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(push)

    def refused(tenant: str, now: int) -> None:
        raise RateLimited("Too many calls.", retry_after=0.5)

    listen = replace(push.listen, check_rate=refused)
    monkeypatch.setattr(pushing, "listen", lambda: listen)
    error = says({"action": "ping", "ref": "r"})["error"]
    assert (error["code"], error["retry_after"]) == ("rate_limit_exceeded", 0.5)
    assert connect(push, "c2")["statusCode"] == 429
    assert "c1" in push.gateway.opened


def test_a_batch_of_the_stream_is_held_up_for_five_seconds_at_most(push: Push, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds: list[float] = []

    def tell(changes: Any, now: int, seconds_left: Any) -> int:
        seconds.append(seconds_left())
        return 0

    monkeypatch.setattr(pushing, "tell_connections", lambda: tell)
    handler({"Records": []}, None)
    assert 0 < seconds[0] <= 5


def test_a_connection_that_is_not_known_is_closed(push: Push) -> None:
    push.gateway.opened.add("c1")
    assert says({"action": "ping", "ref": "r"})["ref"] == "r"
    assert "c1" not in push.gateway.opened


def test_one_that_cannot_be_closed_is_tried_again(push: Push) -> None:
    connect(push)
    push.key("acme", DIGESTS["acme"], status="revoked")
    push.gateway.stuck.add("c1")
    assert says({"action": "ping"})["error"]["code"] == "connection_over"
    assert "c1" in push.gateway.opened
    push.gateway.stuck.clear()
    assert says({"action": "ping"})["error"]["code"] == "connection_over"
    assert "c1" not in push.gateway.opened


def test_what_goes_wrong_on_our_side_is_told_without_its_text(
    push: Push, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    connect(push)

    def broken(*given: Any, **named: Any) -> Any:
        raise ValueError("a secret")

    monkeypatch.setattr(type(push.listen), "hear", broken)
    told = says({"action": "ping"})
    assert told["error"]["code"] == "internal_error"
    assert "a secret" not in json.dumps(told) + capsys.readouterr().out


def test_no_credential_is_logged(push: Push, capsys: pytest.CaptureFixture[str]) -> None:
    connect(
        push, headers={"Sec-WebSocket-Protocol": "broker.v1, bearer.ib_secret", "Authorization": "Bearer ib_secret"}
    )
    connect(push, "c2", identity={"scopes": ""}, headers={"Sec-WebSocket-Protocol": "bearer.ib_secret"})
    says('{"action": "ib_secret"}')
    assert "ib_secret" not in capsys.readouterr().out
