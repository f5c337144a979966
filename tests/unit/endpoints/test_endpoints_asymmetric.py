"""Signatures of keys: receivers verify them with public keys alone, beside those of secrets."""

import base64
import json
import time
from typing import Any

import jwt
import openai
import pytest
from broker.delivery.signing import jwk, new_key
from broker.endpoints.record import MOST_SECRETS, OVERLAP_MS, NewEndpoint
from cryptography.exceptions import InvalidSignature
from standardwebhooks import Webhook
from svix.webhooks import Webhook as SvixWebhook

from tests.unit.endpoints.endpoints_case import URL, Posted, Shop
from tests.unit.rest_door import Door


def verifies(key: dict[str, str], post: Posted, body: bytes | None = None) -> bool:
    """What a receiver does that has read a JSON Web Key, of a body that may have been changed on the way."""
    public: Any = jwt.PyJWK(key).key
    headers = post.headers
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + (post.body if body is None else body)
    for each in headers["webhook-signature"].split(" "):
        version, _, signature = each.partition(",")
        if version == "v1a":
            try:
                public.verify(base64.b64decode(signature), text)
            except InvalidSignature:
                continue
            return True
    return False


def of_key(shop: Shop) -> tuple[list[dict[str, str]], str]:
    """Registers an endpoint with a key; gives its public keys and its secret."""
    new = NewEndpoint("native", URL, ("job.succeeded",), "", asymmetric=True)
    made, secret = shop.endpoints.register("acme", new, "we_1", shop.now)
    return [jwk(each.public) for each in made.secrets if each.public], secret


def told(shop: Shop, number: int = 1) -> Posted:
    shop.end(number)
    assert shop.work() == ["delivered"]
    return shop.posts[-1]


@pytest.fixture
def shop() -> Shop:
    return Shop(now=time.time_ns() // 1_000_000)


def test_a_key_signs_beside_the_secret_and_packages_read_over_it(shop: Shop) -> None:
    (key,), secret = of_key(shop)
    post = told(shop)
    assert verifies(key, post)
    assert [each.split(",")[0] for each in post.headers["webhook-signature"].split(" ")] == ["v1", "v1a"]
    body = post.body.decode()
    Webhook(secret).verify(body, post.headers)
    SvixWebhook(secret).verify(body, post.headers)
    openai.OpenAI(api_key="k", webhook_secret=secret).webhooks.verify_signature(body, post.headers)


def test_another_key_and_a_changed_body_verify_nothing(shop: Shop) -> None:
    (key,), _ = of_key(shop)
    post = told(shop)
    assert verifies(key, post)
    assert not verifies(jwk(new_key()[1]), post)
    assert not verifies(key, post, post.body + b" ")


def test_both_keys_sign_while_a_rotation_lasts(shop: Shop) -> None:
    (old,), _ = of_key(shop)
    after, _ = shop.endpoints.rotate("acme", "we_1", shop.now, keeps_old=True)
    new = jwk(str(next(each.public for each in after.secrets if each.public and each.until is None)))
    post = told(shop)
    assert verifies(old, post) and verifies(new, post)
    shop.now += OVERLAP_MS
    last = told(shop, 2)
    assert verifies(new, last) and not verifies(old, last)
    for _ in range(5):
        after, _ = shop.endpoints.rotate("acme", "we_1", shop.now, keeps_old=True)
    assert len(after.secrets) == 2 * MOST_SECRETS
    only, _ = shop.endpoints.rotate("acme", "we_1", shop.now, keeps_old=False)
    assert [bool(each.public) for each in only.secrets] == [False, True]


def test_public_keys_are_shown_and_private_ones_are_kept_sealed() -> None:
    door = Door()
    body = {"url": URL, "events": ["*"], "asymmetric": True}
    mine = door("POST", "/webhooks", json.dumps(body)).body
    (key,) = mine["jwks"]["keys"]
    assert (key["kty"], key["crv"], key["alg"]) == ("OKP", "Ed25519", "EdDSA")
    door("POST", "/webhooks/{id}/rotate", job_id=mine["id"])
    shown = door("GET", "/webhooks/{id}", job_id=mine["id"]).body
    assert len(shown["jwks"]["keys"]) == 2 and key in shown["jwks"]["keys"]
    assert "whsk_" not in json.dumps(shown) + repr(door.world.database.items())
    plain = door("POST", "/webhooks", json.dumps({"url": URL, "events": ["*"]})).body
    assert plain["jwks"] == {"keys": []}
