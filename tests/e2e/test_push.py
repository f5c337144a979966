"""Push over real WebSockets: who connects how, what is told, and that polls say the same."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from broker.cli import create_key
from broker.push.connection import push_pk
from broker.storage import Update
from broker.tenants.api_keys import key_hash
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.e2e.pushing import pushing
from tests.e2e.stack import Stack

WITHIN_S = 20


@pytest.fixture(scope="module")
def listening(stack: Stack) -> Iterator[Stack]:
    with pushing(stack.cloud):
        yield stack


def opened(stack: Stack, key: str, **more: Any) -> ClientConnection:
    headers = {"Authorization": f"Bearer {key}"}
    return connect(stack.outputs["PushUrl"], **({"additional_headers": headers} | more))


def says(socket: ClientConnection, **message: Any) -> dict[str, Any]:
    """Send a message; gives its answer, which changes may come before."""
    socket.send(json.dumps(message | {"ref": "r"}))
    while True:
        answer: dict[str, Any] = json.loads(socket.recv(timeout=WITHIN_S))
        if answer.get("ref") == "r":
            return answer


def heard(socket: ClientConnection, last: str) -> list[dict[str, Any]]:
    """Changes, up to one of a type."""
    found: list[dict[str, Any]] = []
    while not found or found[-1]["type"] != last:
        found += json.loads(socket.recv(timeout=WITHIN_S))["changes"]
    return found


def test_a_long_poll_and_the_websocket_agree_and_another_tenant_hears_nothing(listening: Stack) -> None:
    stack = listening
    with opened(stack, stack.seeded.api_key) as all_of_it, opened(stack, stack.seeded.other_key) as other:
        assert says(all_of_it, action="subscribe", all=True)["type"] == "subscribed"
        assert says(other, action="subscribe", all=True)["type"] == "subscribed"
        answer = stack.api.submit({"input": "Summarize: The lamp needed nobody."})
        job_id = answer.body["id"]
        with opened(stack, stack.seeded.api_key) as one:
            subscribed = says(one, action="subscribe", job=job_id)
            polled = stack.api.finished(job_id)
            last = subscribed["state"] if subscribed["state"]["status"] == "succeeded" else None
            told = last or heard(one, "job.succeeded")[-1]
        changes = [each for each in heard(all_of_it, "job.succeeded") if each["job_id"] == job_id]
        assert [each["type"] for each in changes] == ["job.queued", "job.running", "job.succeeded"]
        numbers = [each["sequence"] for each in changes]
        assert numbers == sorted(set(numbers))
        for each in (told, changes[-1]):
            assert each["sequence"] == numbers[-1]
            assert {name: each[name] for name in ("status", "model")} == {
                name: polled[name] for name in ("status", "model")
            }
            assert each["usage"]["cost_usd"] == polled["usage"]["cost_usd"]
        refused = says(other, action="subscribe", job=job_id)
        assert refused["error"]["code"] == "not_found"
        with pytest.raises(TimeoutError):
            other.recv(timeout=0.2)


def test_only_a_credential_opens_a_connection_in_a_header_or_as_a_subprotocol(listening: Stack) -> None:
    stack = listening
    for headers in ({}, {"Authorization": "Bearer ib_no"}, {"Authorization": "Basic eDp5"}):
        with pytest.raises(InvalidStatus) as refused:
            opened(stack, "", additional_headers=headers)
        assert refused.value.response.status_code == 401
    key = stack.seeded.api_key
    with opened(stack, key, additional_headers={"x-api-key": key}) as socket:
        assert says(socket, action="ping")["type"] == "pong"
    with opened(stack, key, additional_headers={}, subprotocols=["broker.v1", f"bearer.{key}"]) as socket:
        assert socket.subprotocol == "broker.v1"
        assert says(socket, action="ping")["type"] == "pong"


def test_bad_messages_are_answered_and_a_closed_connection_is_forgotten(listening: Stack) -> None:
    stack = listening
    key = create_key(stack.database, "listeners", "tests")
    with opened(stack, key) as socket:
        for text in ("no JSON", "[]", '{"action": "subscribe"}', json.dumps({"action": "ping", "ref": "x" * 5_000})):
            socket.send(text)
            assert json.loads(socket.recv(timeout=WITHIN_S))["type"] == "error", text
        assert len(stack.database.query("ledger", push_pk("listeners"))) == 1
    until = time.monotonic() + WITHIN_S
    while stack.database.query("ledger", push_pk("listeners")):
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_revoked_key_closes_its_connection_at_the_next_message(listening: Stack) -> None:
    stack = listening
    key = create_key(stack.database, "listeners", "tests")
    with opened(stack, key) as socket:
        assert says(socket, action="ping")["type"] == "pong"
        revoked = Update("registry", f"KEY#{key_hash(key)}", "KEY", set={"status": "revoked"})
        stack.database.write(revoked)
        socket.send('{"action": "ping"}')
        with pytest.raises(ConnectionClosed):
            for _ in range(2):  # what it is told before it is closed may come through
                socket.recv(timeout=WITHIN_S)
