"""A second tenant with all scopes, at every route that names something: it finds what it would find of nothing.

The calls are those of which each documented reply was tried, so a route that is added is tried here too.
"""

import json
from typing import Any

import pytest
from broker.clock import now_ms
from broker.context.conversations import Turn
from broker.contract.common import EXAMPLE_JOB
from broker.errors import BrokerError
from broker.rest.api import ROUTES

from tests.contract.openapi_calls import calls
from tests.contract.test_openapi_replies import called
from tests.contract.world import World

STRANGER = "poor"
"""Another tenant of the same broker."""

SHARED = {"/models/{id}", "/prompts/{id}/run"}
"""What operators registered for all."""

CHOSEN = {("DELETE", "/conversations/{id}"), ("DELETE", "/conversations/{id}/turns")}
"""What clients name themselves, each its own: to delete what one does not have is no error."""

NAMED = [
    (method, resource, before, more)
    for method, resource, status, before, more in calls()
    if "{" in resource
    and (method, resource) in ROUTES.keys() - CHOSEN
    and resource not in SHARED
    and 200 <= status < 400
]


def told(body: Any) -> str:
    """An error without what differs by call."""
    found = json.loads(body) if isinstance(body, str) else body
    return json.dumps({name: found["error"].get(name) for name in ("type", "code", "message", "param")})


@pytest.mark.parametrize(
    ("method", "resource", "before", "more"), NAMED, ids=[f"{each[0]} {each[1]} {each[2]}" for each in NAMED]
)
def test_no_id_opens_anothers_thing(method: str, resource: str, before: str | None, more: dict[str, Any]) -> None:
    reply, _ = called(method, resource, before, {**more, "tenant": STRANGER})
    assert reply.status == 404, "an id that was guessed or overheard opens nothing"
    said = told(reply.body)
    assert "acme" not in json.dumps(reply.body)
    made_up = {name: "0" * 32 for name in more.get("path", {})} or {"id": "0" * 32}
    nothing, _ = called(method, resource, before, {**more, "path": {**_names(resource), **made_up}, "tenant": STRANGER})
    assert said == told(nothing.body), "what is another's and what there is not are told alike"


def _names(resource: str) -> dict[str, str]:
    return {part.strip("{}"): "0" * 32 for part in resource.split("/") if part.startswith("{")}


def test_every_route_that_names_something_of_a_tenants_was_tried() -> None:
    tried = {(method, resource) for method, resource, _, _ in NAMED}
    wanted = {route for route in ROUTES if "{" in route[1] and route[1] not in SHARED}
    assert wanted - tried == CHOSEN


@pytest.mark.parametrize(("method", "resource"), sorted(CHOSEN))
def test_a_name_that_two_chose_is_two_conversations(method: str, resource: str) -> None:
    world = World()
    turn = Turn(EXAMPLE_JOB, now_ms(), 1, [{"role": "user", "content": "Hi"}])
    world.turns.keep("acme", "c1", turn, now_ms())
    world.call(method, resource, path={"id": "c1"}, tenant=STRANGER)
    kept = world.call("GET", "/conversations/{id}/turns", path={"id": "c1"})
    assert (kept.status, len(kept.body["data"])) == (200, 1)


@pytest.mark.parametrize(
    "resource", sorted(resource for method, resource in ROUTES if method == "GET" and "{" not in resource)
)
def test_no_list_has_anothers_things_and_no_cursor_leads_to_them(resource: str) -> None:
    world = World()
    jobs = [
        world.call("POST", "/jobs", body=json.dumps({"input": f"Canary {number}"})).body["id"] for number in range(3)
    ]
    scopes = frozenset({"*"})
    theirs = world.call("GET", resource, tenant=STRANGER, scopes=scopes)
    assert not any(each in json.dumps(theirs.body) for each in jobs)
    mine = world.call("GET", "/jobs", query={"limit": "1"}).body
    assert mine["next_cursor"], "there is more"
    try:
        used = world.call("GET", resource, tenant=STRANGER, query={"cursor": mine["next_cursor"], "after": jobs[1]})
    except BrokerError as error:
        assert error.status in (400, 404)
        return
    assert not any(each in json.dumps(used.body) for each in jobs)
