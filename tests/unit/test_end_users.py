"""Budgets of a caller's own users: believed from who may name them, and a plan for each that nobody has seen."""

import json
from typing import Any

import pytest
from broker.errors import BrokerError
from broker.jobs.event_consumer import EventConsumer
from broker.registry.applying import apply
from broker.registry.document import parse_registry
from broker.rest.http import Reply, error_reply
from broker.tenants.registry import Sender

from tests.fakes.world import NOW
from tests.unit.doors.case import a_door
from tests.unit.rest_door import Door
from tests.unit.test_budget_rules import WORST, a_world

SCOPES = "* users:name"
JOB = {"model": "small", "input": {"messages": [{"role": "user", "content": "How are you?"}]}}


def a_limited_door() -> Door:
    """Each user of `acme` has a budget for one job, and `other` the same."""
    door = a_door(lambda body: None)
    for tenant in ("acme", "other"):
        budgets = [{"id": "users", "usd": 1.5 * WORST / 1e9, "per": "user"}]
        apply(
            door.world.registry(), parse_registry({"tenants": [{"id": tenant, "budgets": budgets}]}), by="me", now=NOW
        )
    return door


def call(door: Door, body: dict[str, Any], resource: str = "/jobs", **more: Any) -> Reply:
    try:
        return door("POST", resource, json.dumps(body), **more)
    except BrokerError as error:
        return error_reply(error, "req-1")


def test_each_user_has_a_plan_that_a_new_session_does_not_renew() -> None:
    door = a_limited_door()
    first = [call(door, JOB | {"end_user": user}, scopes=SCOPES).status for user in ("ann", "ann", "bob")]
    assert first == [202, 402, 202]
    again = call(door, JOB | {"end_user": "ann", "metadata": {"session": "new"}}, scopes=SCOPES)
    assert again.body["error"]["budget_rule"]["per"] == "user"
    assert call(door, JOB | {"end_user": "ann"}, scopes=SCOPES, tenant="other").status == 202, "another tenant's Ann"


def test_who_may_not_name_users_is_told_so_and_is_believed_nothing() -> None:
    door = a_limited_door()
    reply = call(door, JOB | {"end_user": "ann"}, scopes="*")
    assert (reply.status, reply.body["error"]["param"]) == (403, "end_user")
    chat = {"model": "small", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 900, "user": "ann"}
    for _ in range(3):
        call(door, chat, "/chat/completions", ago_s=60)
    assert not [each for each in door.world.database.items() if "users" in each["pk"]]
    assert call(door, JOB | {"end_user": "ann"}, scopes=SCOPES).status == 202, "nobody spent what is Ann's"


@pytest.mark.parametrize(
    ("resource", "named"),
    [
        ("/chat/completions", {"user": "ann"}),
        ("/chat/completions", {"safety_identifier": "ann", "user": "session-17"}),
        ("/messages", {"metadata": {"user_id": "ann"}}),
    ],
)
def test_clients_name_their_users_as_they_always_do(resource: str, named: dict[str, Any]) -> None:
    door = a_limited_door()
    chat = {"model": "small", "messages": [{"role": "user", "content": "How are you?"}], "max_tokens": 1000, **named}
    assert call(door, chat, resource, scopes=SCOPES, ago_s=60).status == 504, "it was accepted and goes on"
    assert call(door, JOB | {"end_user": "ann"}, scopes=SCOPES).status == 402
    assert call(door, JOB | {"end_user": "bob"}, scopes=SCOPES).status == 202


def test_nothing_of_a_user_stands_in_a_name_and_nothing_stands_before_the_first_job() -> None:
    door = a_limited_door()
    assert not [each for each in door.world.database.items() if each["pk"].startswith("BUDGET#")]
    call(door, JOB | {"end_user": "ann.lee@example.com"}, scopes=SCOPES)
    (bucket,) = [each for each in door.world.database.items() if each["pk"].startswith("BUDGET#")]
    assert "ann" not in bucket["pk"] and bucket["expires_at"] > NOW / 1000


def test_sources_of_events_are_believed() -> None:
    world = a_world({"id": "users", "usd": 1.5 * WORST / 1e9, "per": "user"})
    told: list[str] = []

    class Rejections:
        def send(self, body: str, reason: str) -> None:
            told.append(reason)

    consumer = EventConsumer(world.accepting(), lambda *_: Sender("acme"), Rejections(), lambda kind, detail: None)
    for number in range(2):
        detail = json.dumps(JOB | {"end_user": "ann"})
        consumer(f'{{"id": "e-{number}", "account": "1", "source": "shop", "detail": {detail}}}', NOW)
    assert len(told) == 1 and told[0].startswith("budget_exceeded") and "'users' by user" in told[0]
