"""What receivers do with the public packages: each verifies each delivery, and OpenAI's gives the right class."""

import time
from typing import Any

import openai
import pytest
from broker.endpoints.bodies import EVENTS
from broker.endpoints.record import Endpoint
from broker.jobs.head import Status
from openai.types import webhooks
from standardwebhooks import Webhook as StandardWebhook
from standardwebhooks import WebhookVerificationError
from svix.webhooks import Webhook as SvixWebhook

from tests.unit.endpoints.endpoints_case import Posted, Shop

CLASSES = {
    "response.completed": webhooks.ResponseCompletedWebhookEvent,
    "response.failed": webhooks.ResponseFailedWebhookEvent,
    "response.cancelled": webhooks.ResponseCancelledWebhookEvent,
    "response.incomplete": webhooks.ResponseIncompleteWebhookEvent,
    "batch.completed": webhooks.BatchCompletedWebhookEvent,
    "batch.failed": webhooks.BatchFailedWebhookEvent,
    "batch.expired": webhooks.BatchExpiredWebhookEvent,
    "batch.cancelled": webhooks.BatchCancelledWebhookEvent,
}
ENDS: dict[str, tuple[Status, dict[str, Any]]] = {
    "response.completed": (Status.SUCCEEDED, {}),
    "response.failed": (Status.FAILED, {}),
    "response.cancelled": (Status.CANCELED, {}),
    "response.incomplete": (Status.SUCCEEDED, {"cut": True}),
}


@pytest.fixture
def shop() -> Shop:
    return Shop(now=time.time_ns() // 1_000_000)


def told(shop: Shop, event: str) -> Posted:
    if event in ENDS:
        status, facts = ENDS[event]
        shop.end(status=status, door="openai", **facts)
    else:
        until = shop.now // 1000 + 99
        shop.telling.of_batch("batch_1", "acme", until, event, "evt_1", shop.now, "{}", shop.now)
    assert shop.work() == ["delivered"]
    return shop.posts[-1]


def verify_with_all(secret: str, post: Posted) -> Any:
    """The event as OpenAI's package gives it."""
    body = post.body.decode()
    assert StandardWebhook(secret).verify(body, post.headers) == post.told
    SvixWebhook(secret).verify(body, post.headers)  # it says no by an error
    return openai.OpenAI(api_key="k", webhook_secret=secret).webhooks.unwrap(body, post.headers)


def test_each_event_of_openais_form_has_a_class() -> None:
    assert set(CLASSES) == set(EVENTS["openai"])


@pytest.mark.parametrize("event", CLASSES)
def test_openais_package_gives_the_right_class_and_all_packages_verify(shop: Shop, event: str) -> None:
    mine = shop.register(form="openai")
    post = told(shop, event)
    unwrapped = verify_with_all(shop.secrets[mine.id], post)
    assert type(unwrapped) is CLASSES[event]
    assert unwrapped.id == post.event_id and unwrapped.object == "event"
    assert unwrapped.data.id == ("batch_1" if event.startswith("batch.") else post.told["data"]["id"])
    assert unwrapped.created_at in (shop.now // 1000, (shop.now + 9) // 1000)


def secrets_of(shop: Shop, endpoint: Endpoint) -> tuple[str, str]:
    _, new = shop.endpoints.rotate(endpoint.tenant, endpoint.id, shop.now, keeps_old=True)
    return shop.secrets[endpoint.id], new


def test_a_receiver_may_change_its_secret_at_any_moment_of_a_rotation(shop: Shop) -> None:
    mine = shop.register(form="openai")
    old, new = secrets_of(shop, mine)
    post = told(shop, "response.completed")
    for secret in (old, new):
        verify_with_all(secret, post)


def test_another_endpoints_secret_verifies_nothing(shop: Shop) -> None:
    shop.register(form="openai")
    theirs = shop.register("other", form="openai")
    post = told(shop, "response.completed")
    secret = shop.secrets[theirs.id]
    with pytest.raises(WebhookVerificationError):
        StandardWebhook(secret).verify(post.body.decode(), post.headers)
    with pytest.raises(WebhookVerificationError):
        SvixWebhook(secret).verify(post.body.decode(), post.headers)
    with pytest.raises(openai.InvalidWebhookSignatureError):
        openai.OpenAI(api_key="k", webhook_secret=secret).webhooks.unwrap(post.body.decode(), post.headers)
