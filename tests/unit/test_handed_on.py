"""What a call is by the route that API Gateway gives for it and by what it means, where the two are not the same."""

import json
from dataclasses import fields
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

import pytest
from broker.bootstrap import doors
from broker.tenants.call_rates import FREE, CallRates
from handlers.api import handler

from tests.contract.world import World
from tests.fakes.counting import CountingDatabase


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    rates = CallRates(CountingDatabase(), 1, lambda tenant, now: None)
    known = {field.name: getattr(world.api, field.name) for field in fields(world.api)}
    world.api = world.api.__class__(**known | {"check_rate": rates.check})
    monkeypatch.setattr(doors, "api", lambda: world.api)
    monkeypatch.setattr(doors, "public_url", lambda: "https://api.example.com/v1")
    monkeypatch.setattr(doors, "cors_origin", lambda: "")
    return world


def call(method: str, path: str, resource: str = "/{proxy+}", **more: Any) -> Any:
    """The call as the route for whatever no other takes hands it on."""
    identity = {"tenant": "acme", "principal": "ci", "scopes": "*"}
    event = {
        "httpMethod": method,
        "resource": resource,
        "pathParameters": {"proxy": path.lstrip("/")},
        "headers": {},
        "body": None,
        "requestContext": {"requestId": "req-1", "apiId": "abc123", "authorizer": identity},
    }
    return handler(event | more, SimpleNamespace(aws_request_id="r-1"))


def test_the_next_page_of_a_head_is_that_of_its_get(world: World) -> None:
    for _ in range(2):
        assert world.call("POST", "/jobs", body='{"input": {"text": "Hello"}}').status == 202
    one = {"queryStringParameters": {"limit": "1"}}
    looked = call("HEAD", "/jobs", **one)
    assert looked["headers"]["link"] == call("GET", "/jobs", **one)["headers"]["link"]
    assert looked["headers"]["link"].startswith("<https://api.example.com/v1/jobs?limit=1&cursor=")
    assert looked["body"] == ""


def test_a_head_is_one_call_of_those_that_a_tenant_may_make(world: World) -> None:
    heads = [call("HEAD", "/jobs")["statusCode"] for _ in range(FREE)]
    assert heads == [200] * FREE


@pytest.mark.parametrize("path", ["/messages", "/messages/msg_1", "/messages/batches/msgbatch_1", "/messages/a/b/c"])
def test_what_is_refused_below_messages_is_in_anthropics_words_whoever_asks(world: World, path: str) -> None:
    reply = call("PATCH", path)
    assert reply["statusCode"] in (404, 405)
    assert json.loads(reply["body"])["type"] == "error"


@pytest.mark.parametrize("path", ["/messagesx", "/jobs/messages/x", "/models"])
def test_other_paths_are_refused_in_the_brokers_own(world: World, path: str) -> None:
    assert json.loads(call("PATCH", path)["body"]).keys() == {"error"}


@pytest.mark.parametrize("room", ["/batches", "/messages/batches"])
def test_links_lead_through_a_list_from_wherever_it_was_begun(world: World, room: str) -> None:
    said = [{"role": "user", "content": "Hello"}]
    row = {"input": "Hello"} if room == "/batches" else {"params": {"model": "a", "max_tokens": 9, "messages": said}}
    body = json.dumps({"requests": [{"custom_id": "a", **row}]})
    made = [str(world.call("POST", room, body=body).body["id"]) for _ in range(4)]
    mark = "after" if room == "/batches" else "after_id"
    listed = [each["id"] for each in world.call("GET", room).body["data"]]
    query, found = {"limit": "1", mark: listed[0]}, [listed[0]]
    for _ in range(6):
        page = call("GET", room, queryStringParameters=query)
        found += [each["id"] for each in json.loads(page["body"])["data"]]
        if "link" not in page["headers"]:
            break
        query = dict(parse_qsl(page["headers"]["link"].partition("?")[2].partition(">")[0]))
    assert found == listed and sorted(found) == sorted(made)


def test_a_page_before_another_has_no_next_one(world: World) -> None:
    spoken = {"headers": {"anthropic-version": "2023-06-01"}}
    models = [each["id"] for each in json.loads(call("GET", "/models", **spoken)["body"])["data"]]
    assert len(models) > 2
    before = {"queryStringParameters": {"limit": "1", "before_id": models[-1]}}
    page = call("GET", "/models", **spoken, **before)
    assert json.loads(page["body"])["has_more"] and "link" not in page["headers"]
