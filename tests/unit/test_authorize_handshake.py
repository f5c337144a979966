"""Who opens a WebSocket: the credentials of the REST API, from headers or a subprotocol, told on to its messages."""

from typing import Any

import pytest
from broker.bootstrap import doors
from broker.cli import create_key
from broker.tenants.api_keys import key_hash, key_id
from broker.tenants.identity import Identity, Unauthorized, authenticate, credential_of_handshake, is_good
from handlers.authorize import handler

from tests.fakes.database import FakeDatabase
from tests.fakes.world import NOW

METHOD = "arn:aws:execute-api:us-east-1:123456789012:abc123/v1/$connect"
KEY, OTHER = "ib_one", "ib_two"


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"Authorization": f"Bearer {KEY}"}, f"Bearer {KEY}"),
        ({"X-Api-Key": KEY}, f"Bearer {KEY}"),
        ({"Sec-WebSocket-Protocol": f"broker.v1, bearer.{KEY}"}, f"Bearer {KEY}"),
        ({"sec-websocket-protocol": f"bearer.{KEY},broker.v1"}, f"Bearer {KEY}"),
        ({"sec-websocket-protocol": "bearer.a.b-c.d_e"}, "Bearer a.b-c.d_e"),
        ({"Authorization": f"Bearer {KEY}", "Sec-WebSocket-Protocol": f"bearer.{KEY}"}, f"Bearer {KEY}"),
        ({"Sec-WebSocket-Protocol": "broker.v1"}, ""),
        ({"Sec-WebSocket-Protocol": " , ,"}, ""),
        ({}, ""),
    ],
)
def test_a_credential_is_found_wherever_it_may_be(headers: dict[str, str], found: str) -> None:
    assert credential_of_handshake(headers) == found


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}", "Sec-WebSocket-Protocol": f"bearer.{OTHER}"},
        {"X-Api-Key": KEY, "Sec-WebSocket-Protocol": f"bearer.{OTHER}"},
        {"Sec-WebSocket-Protocol": f"bearer.{KEY}, bearer.{OTHER}"},
        {"Authorization": f"Bearer {KEY}", "X-Api-Key": OTHER},
    ],
)
def test_two_that_differ_are_none(headers: dict[str, str]) -> None:
    with pytest.raises(Unauthorized):
        credential_of_handshake(headers)


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> FakeDatabase:
    made = FakeDatabase()

    class Tokens:
        """An issuer's."""

        def identity(self, token: str, now: int) -> Identity:
            return Identity("acme", "ada", frozenset({"jobs:read"}), until=NOW + 5)

    monkeypatch.setattr(doors, "identify", lambda: lambda header, now: authenticate(header, made, now, Tokens))
    return made


def asked(headers: dict[str, str] | None, kind: str = "CONNECT") -> dict[str, Any]:
    place = {"eventType": kind, "connectionId": "c1"}
    return handler({"type": "REQUEST", "methodArn": METHOD, "headers": headers, "requestContext": place}, None)


def test_a_connection_is_told_by_what_its_key_is_looked_up_again(database: FakeDatabase) -> None:
    key = create_key(database, "acme", "ci", ("jobs:read",))
    answer = asked({"Sec-WebSocket-Protocol": f"broker.v1, bearer.{key}"})
    (statement,) = answer["policyDocument"]["Statement"]
    assert statement["Resource"] == METHOD.replace("$connect", "*")
    told = {"tenant": "acme", "principal": "ci", "scopes": "jobs:read", "digest": key_hash(key), "until": ""}
    assert answer["context"] == told | {"key": key_id(key_hash(key))}
    assert is_good(database, told["digest"], NOW) and not is_good(database, key_hash("another"), NOW)


def test_and_by_when_its_token_ends(database: FakeDatabase) -> None:
    answer = asked({"Authorization": "Bearer a.b.c"})
    assert (answer["context"]["digest"], answer["context"]["until"]) == ("", str(NOW + 5))
    assert all(isinstance(value, str) for value in answer["context"].values())  # API Gateway takes no others


@pytest.mark.parametrize(
    "headers", [None, {}, {"Sec-WebSocket-Protocol": "broker.v1"}, {"Authorization": "Basic eDp5"}]
)
def test_without_one_nobody_connects(database: FakeDatabase, headers: dict[str, str] | None) -> None:
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        asked(headers)


def test_calls_of_the_rest_api_are_not_opened_by_a_subprotocol(database: FakeDatabase) -> None:
    key = create_key(database, "acme", "ci", ("jobs:read",))
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        asked({"Sec-WebSocket-Protocol": f"bearer.{key}"}, kind="")
