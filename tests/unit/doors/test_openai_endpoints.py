"""OpenAI's own package registers, changes, rotates, tests and deletes its endpoints here."""

import json
from typing import Any

import openai
import pytest
from broker.delivery.sending import Sent
from broker.endpoints.keeping import MOST

from tests.unit.doors.case import Server
from tests.unit.rest_door import Door

URL = "https://example.com/hook"
ASKED: Any = {"url": URL, "event_types": ["response.completed", "batch.failed"], "name": "The shop's"}


def test_the_life_of_an_endpoint(client: openai.OpenAI) -> None:
    made = client.webhooks.create(**ASKED)
    assert (made.object, made.url, made.name) == ("webhook_endpoint", URL, "The shop's")
    assert made.signing_secret.startswith("whsec_") and str(made.signing_secret_hint).endswith(made.signing_secret[-4:])
    found = client.webhooks.retrieve(made.id)
    assert not hasattr(found, "signing_secret") and set(found.event_types) == set(ASKED["event_types"])
    after = client.webhooks.update(made.id, event_types=["batch.failed"])
    assert (after.event_types, after.name) == (["batch.failed"], "The shop's")
    rotated = client.webhooks.rotate_secret(made.id, keep_old_secret_active_for_24_hours=True)
    assert rotated.signing_secret != made.signing_secret
    assert [each.id for each in client.webhooks.list()] == [made.id]
    gone = client.webhooks.delete(made.id)
    assert (gone.id, gone.deleted) == (made.id, True)
    with pytest.raises(openai.NotFoundError):
        client.webhooks.retrieve(made.id)


def test_pages(client: openai.OpenAI) -> None:
    made = [client.webhooks.create(**ASKED).id for _ in range(5)]
    assert [each.id for each in client.webhooks.list(limit=2)] == sorted(made)


def test_a_test_says_what_the_receiver_answered(client: openai.OpenAI, door: Door) -> None:
    made = client.webhooks.create(**ASKED)
    door.receives = Sent(418, None, None, 7)
    result = client.webhooks.test(made.id, event_type="response.completed")
    assert (result.status_code, result.success, result.webhook_endpoint_id) == (418, True, made.id)
    ((url, _, body, secrets),) = door.posted
    told = json.loads(body)
    assert (url, told["type"], told["data"]["id"][:5]) == (URL, "response.completed", "resp_")
    assert secrets == [made.signing_secret]


def test_a_test_that_nobody_answers_is_told_once(client: openai.OpenAI, server: Server, door: Door) -> None:
    made = client.webhooks.create(**ASKED)
    door.receives = Sent(None, "webhook_unreachable", None, 0)
    before = len(server.asked)
    with pytest.raises(openai.BadRequestError) as failure:
        client.webhooks.test(made.id, event_type="response.completed")
    assert failure.value.code == "webhook_unreachable"
    assert len(server.asked) == before + 1
    with pytest.raises(openai.BadRequestError) as other:
        client.webhooks.test(made.id, event_type="response.failed")
    assert other.value.param == "event_type"


def test_types_of_events(client: openai.OpenAI) -> None:
    listed = client.webhooks.event_types.list()
    assert set(listed.data) == {
        *(f"response.{each}" for each in ("completed", "failed", "cancelled", "incomplete")),
        *(f"batch.{each}" for each in ("completed", "failed", "expired", "cancelled")),
    }


def test_another_tenants_endpoint_is_as_unknown_as_none(client: openai.OpenAI, stranger: openai.OpenAI) -> None:
    made = client.webhooks.create(**ASKED)
    calls: list[Any] = [
        lambda: stranger.webhooks.retrieve(made.id),
        lambda: stranger.webhooks.update(made.id, name="mine"),
        lambda: stranger.webhooks.rotate_secret(made.id),
        lambda: stranger.webhooks.test(made.id, event_type="response.completed"),
        lambda: stranger.webhooks.delete(made.id),
    ]
    for call in calls:
        with pytest.raises(openai.NotFoundError):
            call()
    assert [*stranger.webhooks.list()] == []
    assert client.webhooks.retrieve(made.id).name == "The shop's"


def test_an_endpoint_of_our_own_form_is_not_shown_as_one_of_openais(client: openai.OpenAI, door: Door) -> None:
    body = json.dumps({"url": URL, "events": ["*"]})
    ours = door("POST", "/webhooks", body).body["id"]
    assert [*client.webhooks.list()] == []
    with pytest.raises(openai.NotFoundError):
        client.webhooks.retrieve(ours)


@pytest.mark.parametrize("fate", ["cut", "lost", "500"])
def test_a_repeated_call_registers_one_endpoint_whose_secret_works(
    client: openai.OpenAI, server: Server, door: Door, fate: str
) -> None:
    server.fate = lambda number: fate if number == 1 else "answered"
    made = client.webhooks.create(**ASKED)
    assert [each.id for each in client.webhooks.list()] == [made.id]
    client.webhooks.test(made.id, event_type="response.completed")
    assert made.signing_secret in door.posted[0][3]
    assert client.webhooks.create(**ASKED).id != made.id, "two that were both wanted stay two"


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"url": "https://localhost/"}, "url"),
        ({"url": "http://example.com/"}, "url"),
        ({"url": ""}, "url"),
        ({"event_types": []}, "event_types"),
        ({"event_types": ["video.completed"]}, "event_types.0"),
        ({"event_types": ["response.completed", 7]}, "event_types.1"),
        ({"name": ""}, "name"),
        ({"name": "x" * 257}, "name"),
        ({"name": "a\x00"}, "name"),
        ({"name": None}, "name"),
        ({"extra_body": {"colour": "blue"}}, "colour"),
    ],
)
def test_what_is_wrong_is_named(client: openai.OpenAI, changes: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as failure:
        client.webhooks.create(**{**ASKED, **changes})
    assert failure.value.param == param
    assert [*client.webhooks.list()] == []


def test_a_name_has_no_half_of_a_character(door: Door) -> None:
    error = door.fails("POST", "/webhook_endpoints", json.dumps({**ASKED, "name": "\ud800"}))
    assert (error.type, error.param) == ("invalid_request", "name")


def test_the_bound_is_told(client: openai.OpenAI) -> None:
    for _ in range(MOST):
        client.webhooks.create(**ASKED)
    with pytest.raises(openai.BadRequestError) as failure:
        client.webhooks.create(**ASKED)
    assert failure.value.code == "too_many_endpoints"
