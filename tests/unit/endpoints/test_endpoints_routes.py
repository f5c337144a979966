"""The broker's own routes of endpoints."""

import json
from typing import Any

import pytest
from broker.clock import iso, now_ms
from broker.delivery.sending import Sent
from broker.errors import Forbidden, InvalidRequest, NotFound, Throttled, Unavailable
from broker.rest.endpoint_routes import ENDPOINT_ROUTES, READ

from tests.unit.rest_door import Door

URL = "https://example.com/hook"
ASKED = {"url": URL, "events": ["job.*"], "description": "The shop's"}
ONE = "/webhooks/{id}"


@pytest.fixture
def door() -> Door:
    return Door()


def made(door: Door, **changes: Any) -> Any:
    return door("POST", "/webhooks", json.dumps({**ASKED, **changes})).body


def of(door: Door, method: str, endpoint: Any, route: str = "", body: Any = None, **more: Any) -> Any:
    sent = None if body is None else json.dumps(body)
    return door(method, f"{ONE}{route}", sent, job_id=endpoint["id"], **more).body


def test_a_registration_tells_the_secret_and_nothing_else_ever_does(door: Door) -> None:
    reply = door("POST", "/webhooks", json.dumps(ASKED))
    secret = reply.body["secret"]
    assert reply.status == 201 and secret.startswith("whsec_")
    shown = [
        door("GET", "/webhooks").body,
        of(door, "GET", reply.body),
        of(door, "PATCH", reply.body, body={"description": "Another"}),
        of(door, "POST", reply.body, "/disable"),
        of(door, "POST", reply.body, "/enable"),
        of(door, "POST", reply.body, "/test"),
        of(door, "GET", reply.body, "/deliveries"),
    ]
    assert secret not in json.dumps(shown)
    assert secret.removeprefix("whsec_") not in repr(door.world.database.items())


def test_each_route_needs_its_scope(door: Door) -> None:
    for (method, resource), (scope, _) in ENDPOINT_ROUTES.items():
        other = "webhooks:write" if scope == READ else READ
        assert isinstance(door.fails(method, resource, "{}", scopes=f"jobs:write jobs:read {other}"), Forbidden)


def test_no_route_knows_another_tenants_endpoint(door: Door) -> None:
    mine = made(door)
    of(door, "POST", mine, "/test")
    delivery = of(door, "GET", mine, "/deliveries")["data"][0]["id"]
    recover, tested = json.dumps({"since": iso(now_ms() - 1000)}), json.dumps({"event_type": "response.completed"})
    bodies = {f"{ONE}/recover": recover, "/webhook_endpoints/{id}/test": tested}
    for method, resource in ENDPOINT_ROUTES:
        if "{id}" not in resource:
            continue
        body = bodies.get(resource, "{}")
        asked = door.fails(method, resource, body, tenant="other", job_id=f"{mine['id']} {delivery}")
        assert isinstance(asked, NotFound), resource
    theirs = door("POST", "/webhooks", json.dumps(ASKED), tenant="other").body
    for route in ("", "/redeliver"):
        resource, job_id = f"{ONE}/deliveries/{{delivery_id}}{route}", f"{theirs['id']} {delivery}"
        method = "POST" if route else "GET"
        assert isinstance(door.fails(method, resource, tenant="other", job_id=job_id), NotFound)
    assert of(door, "GET", mine)["enabled"]


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"url": "https://169.254.169.254/latest"}, "url"),
        ({"url": "ftp://example.com/"}, "url"),
        ({"url": 7}, "url"),
        ({"url": "https://example.com/" + "x" * 2048}, "url"),
        ({"events": []}, "events"),
        ({"events": "job.*"}, "events"),
        ({"events": ["job.*", "cake"]}, "events.1"),
        ({"events": ["response.completed"]}, "events.0"),
        ({"events": ["job.failed"] * 41}, "events"),
        ({"description": "x" * 257}, "description"),
        ({"format": "cloudevents"}, "format"),
        ({"headers": {"host": "inside"}}, "headers"),
        ({"headers": {"Webhook-Id": "evt_1"}}, "headers"),
        ({"headers": {"Content-Length": "0"}}, "headers"),
        ({"headers": {"Transfer-Encoding": "chunked"}}, "headers"),
        ({"headers": {"x-a": "1", "X-A": "2"}}, "headers"),
        ({"headers": {"x a": "1"}}, None),
        ({"headers": {"x-a\r\nhost": "1"}}, None),
        ({"headers": {"x-a": "1\r\nhost: inside"}}, None),
        ({"headers": {"x-a": ""}}, None),
        ({"headers": {"x-a": "ä"}}, None),
        ({"headers": {"x-a": "1\n"}}, None),
        ({"headers": {"x-a": "x" * 1025}}, None),
        ({"headers": {f"x-{number}": "x" * 1000 for number in range(4)}}, "headers"),
        ({"headers": {f"x-{number}": "1" for number in range(11)}}, "headers"),
        ({"headers": ["x-a"]}, "headers"),
        ({"secret": "whsec_mine"}, "secret"),
        ({"enabled": False}, "enabled"),
    ],
)
def test_what_is_wrong_is_named(door: Door, changes: dict[str, Any], param: str | None) -> None:
    error = door.fails("POST", "/webhooks", json.dumps({**ASKED, **changes}))
    assert isinstance(error, InvalidRequest) and error.param
    assert error.param == param if param else error.param.startswith("headers")
    mine = made(door)
    if param != "format":
        changed = door.fails("PATCH", ONE, json.dumps(changes), job_id=mine["id"])
        assert isinstance(changed, InvalidRequest) and changed.param == error.param
    assert of(door, "GET", mine)["url"] == URL


def test_openais_form_may_be_had_by_our_own_route(door: Door) -> None:
    mine = made(door, format="openai", events=["response.*"])
    assert mine["events"] == [f"response.{each}" for each in ("completed", "failed", "cancelled", "incomplete")]
    shown = door("GET", "/webhook_endpoints/{id}", job_id=mine["id"]).body
    assert (shown["event_types"], shown["name"]) == (mine["events"], "The shop's")


def test_a_test_is_delivered_as_all_else_is_and_logged(door: Door) -> None:
    mine = made(door)
    result = of(door, "POST", mine, "/test", {"event": "job.failed"})
    assert (result["status"], result["delivered"], result["event"]) == (204, True, "job.failed")
    ((url, event_id, body, secrets),) = door.posted
    assert (url, event_id, secrets) == (URL, result["event_id"], [mine["secret"]])
    assert json.loads(body)["type"] == "job.failed"
    (logged,) = of(door, "GET", mine, "/deliveries")["data"]
    assert (logged["event_id"], logged["about"], logged["state"]) == (event_id, mine["id"], "delivered")
    assert of(door, "GET", mine)["statistics"]["attempts"] == 0, "tests count for nothing"


@pytest.mark.parametrize("reply", [Sent(500, None, None, 7), Sent(410, None, None, 7), Sent(None, "x", None, 0)])
def test_a_test_that_fails_is_not_made_again_and_disables_nothing(door: Door, reply: Sent) -> None:
    mine, door.receives = made(door), reply
    result = of(door, "POST", mine, "/test")
    assert (result["status"], result["error"], result["delivered"]) == (reply.status, reply.error, False)
    door.attempt()
    assert len(door.posted) == 1
    assert of(door, "GET", mine)["enabled"]


def test_a_disabled_endpoint_can_be_tested_before_it_is_enabled(door: Door) -> None:
    mine = made(door)
    assert of(door, "POST", mine, "/disable")["disabled_by"] == "owner"
    assert of(door, "POST", mine, "/test")["delivered"]


def test_a_test_that_is_not_attempted_in_time_is_told_as_that(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = made(door)
    monkeypatch.setattr(door, "attempt", lambda: None)
    assert isinstance(door.fails("POST", f"{ONE}/test", job_id=mine["id"]), Unavailable)
    assert not isinstance(door.fails("POST", f"{ONE}/test", job_id=mine["id"]), Throttled), "the first one is over"


def test_a_range_is_recovered_once_the_endpoint_is_enabled(door: Door) -> None:
    mine = made(door)
    since = {"since": iso(now_ms() - 60_000)}
    of(door, "POST", mine, "/disable")
    error = door.fails("POST", f"{ONE}/recover", json.dumps(since), job_id=mine["id"])
    assert error.code == "endpoint_disabled"
    of(door, "POST", mine, "/enable")
    assert of(door, "POST", mine, "/recover", since) == {
        "object": "webhook.recovery",
        "queued": 0,
        "continue_since": None,
    }


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "since"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2020-01-01T00:00:00Z"}, "since"),
        ({"since": "2999-01-01T00:00:00Z"}, "since"),
        ({"since": "2026-11-01T00:00:00Z", "until": "then"}, "until"),
        ({"since": 1}, "since"),
    ],
)
def test_what_is_wrong_with_a_range_is_named(door: Door, body: Any, param: str) -> None:
    mine = made(door)
    assert door.fails("POST", f"{ONE}/recover", json.dumps(body), job_id=mine["id"]).param == param


def test_a_receivers_own_headers_are_sent_and_never_shown(door: Door) -> None:
    given = {"Authorization": "Bearer s3cret-token", "x-shop": "7"}
    mine = made(door, headers=given)
    of(door, "POST", mine, "/test")
    assert door.own_headers == given
    shown = [mine, door("GET", "/webhooks").body, of(door, "GET", mine), of(door, "GET", mine, "/deliveries")]
    assert "s3cret" not in json.dumps(shown) + repr(door.world.database.items())
    assert mine["header_names"] == ["Authorization", "x-shop"]
    assert of(door, "PATCH", mine, body={"headers": {"x-shop": "8"}})["header_names"] == ["x-shop"]
    of(door, "POST", mine, "/test")
    assert door.own_headers == {"x-shop": "8"}
    assert of(door, "PATCH", mine, body={"headers": {}})["header_names"] == []
    of(door, "POST", mine, "/test")
    assert door.own_headers == {}


def test_a_key_that_is_none_is_refused(door: Door) -> None:
    for key in ("", "x" * 256, "\ud800"):
        error = door.fails("POST", "/webhooks", json.dumps(ASKED), idempotency_key=key)
        assert error.param == "Idempotency-Key"
    first, again = (door("POST", "/webhooks", json.dumps(ASKED), idempotency_key="k").body for _ in range(2))
    assert first["id"] == again["id"] != made(door)["id"]
    theirs = door("POST", "/webhooks", json.dumps(ASKED), tenant="other", idempotency_key="k").body
    assert theirs["id"] != first["id"]
