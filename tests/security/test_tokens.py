"""JWTs: signed by a key of a registered issuer, for us, now, and for a tenant."""

import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from broker.tenants.identity import Identity, Unauthorized
from broker.tenants.jwts import FAILED_PAUSE_MS, KEEP_MS, LONGEST_ISSUER, PAUSE_MS
from cryptography.hazmat.primitives import serialization

from tests.fakes.world import NOW
from tests.security.token_case import AUDIENCE, ISSUER, JWKS, Desk, claims, ec_key, part, rsa_key, shown, token


def test_a_good_token_is_its_tenants() -> None:
    desk = Desk()
    assert desk(token()) == Identity("acme", "someone", frozenset({"jobs:read"}))
    assert desk(token("two", "ES256", sub="other", org="b")).tenant == "b"
    assert desk.asked == [JWKS]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"exp": int(time.time()) - 60}, "token_ExpiredSignatureError"),
        ({"nbf": int(time.time()) + 36_000}, "token_ImmatureSignatureError"),
        ({"iat": int(time.time()) + 36_000}, "token_ImmatureSignatureError"),
        ({"aud": "another"}, "token_InvalidAudienceError"),
        ({"aud": ["another", "third"]}, "token_InvalidAudienceError"),
        ({"iss": "https://evil.example"}, "unknown_issuer"),
        ({"iss": ""}, "unknown_issuer"),
        ({"iss": ...}, "unknown_issuer"),
        ({"iss": [ISSUER]}, "unknown_issuer"),
        ({"iss": "\ud800"}, "unknown_issuer"),
        ({"iss": "i" * (LONGEST_ISSUER + 1)}, "unknown_issuer"),
        ({"exp": ...}, "token_MissingRequiredClaimError"),
        ({"aud": ...}, "token_MissingRequiredClaimError"),
        ({"sub": ...}, "token_MissingRequiredClaimError"),
        ({"sub": 5}, "token_InvalidSubjectError"),
        ({"org": ...}, "no_tenant_in_token"),
        ({"org": ""}, "no_tenant_in_token"),
        ({"org": "Acme"}, "no_tenant_in_token"),
        ({"org": "acme#x"}, "no_tenant_in_token"),
        ({"org": "acme\n"}, "no_tenant_in_token"),
        ({"scope": 5}, "malformed_scopes"),
        ({"scope": [1]}, "malformed_scopes"),
        ({"scope": {"jobs:read": True}}, "malformed_scopes"),
        ({"scope": None}, "malformed_scopes"),
    ],
)
def test_what_is_wrong_with_a_token(change: dict[str, Any], reason: str) -> None:
    assert Desk().refuses(token(**change)) == reason


def test_clocks_may_differ_by_a_little() -> None:
    now = int(time.time())
    assert Desk()(token(exp=now - 5, nbf=now + 15)).tenant == "acme"


@pytest.mark.parametrize(
    ("scope", "granted"),
    [("a b  c", {"a", "b", "c"}), (["a", "b"], {"a", "b"}), ("", set()), ([], set()), (..., set())],
)
def test_scopes_are_a_text_or_a_list(scope: Any, granted: set[str]) -> None:
    assert Desk()(token(scope=scope)).scopes == granted


def test_an_issuer_may_be_one_tenants() -> None:
    desk = Desk(settings={"tenant": "own", "scope_claim": "scp", "audience": "other"})
    assert desk(token(aud=["other", "x"], scp=["s"])) == Identity("own", "someone", frozenset({"s"}))


COGNITO = {"tenant": "acme", "audience": "client-1", "audience_claim": "client_id", "scope_prefix": "broker/"}
"""As an issuer is registered whose access tokens name their client, and no audience."""


def access_token(**changes: Any) -> str:
    usual = {
        "aud": ...,
        "client_id": "client-1",
        "token_use": "access",
        "scope": "broker/jobs:read other/jobs:write openid",
    }
    return token(**(usual | changes))


def test_an_access_token_is_of_its_client_and_scopes_are_those_of_the_broker() -> None:
    assert Desk(settings=COGNITO)(access_token()) == Identity("acme", "someone", frozenset({"jobs:read"}))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"client_id": "client-2"}, "token_InvalidAudienceError"),
        ({"client_id": "client-2", "aud": "client-1"}, "token_InvalidAudienceError"),
        ({"client_id": ["client-1"]}, "token_InvalidAudienceError"),
        ({"client_id": ...}, "token_MissingRequiredClaimError"),
        ({"token_use": "id"}, "token_InvalidAudienceError"),
        ({"token_use": ...}, "token_InvalidAudienceError"),
        ({"exp": int(time.time()) - 60}, "token_ExpiredSignatureError"),
    ],
)
def test_what_is_wrong_with_an_access_token(change: dict[str, Any], reason: str) -> None:
    assert Desk(settings=COGNITO).refuses(access_token(**change)) == reason


def test_an_access_token_is_none_where_an_audience_is_asked_for() -> None:
    assert Desk().refuses(access_token(client_id=AUDIENCE)) == "token_MissingRequiredClaimError"


def test_a_disabled_issuer_is_unknown() -> None:
    desk = Desk(settings={"status": "disabled"})
    assert desk.refuses(token()) == "unknown_issuer"
    assert desk.asked == []


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "HS256", "HS512", "RS512", "ES384", "EdDSA", "", "RS"])
def test_no_other_algorithm_is_taken(algorithm: str) -> None:
    _, body, signature = token().split(".")
    changed = f"{part({'alg': algorithm, 'kid': 'one', 'typ': 'JWT'})}.{body}"
    assert Desk().refuses(f"{changed}.{signature}").startswith("token_")
    assert Desk().refuses(f"{changed}.").startswith("token_")


@pytest.mark.parametrize("kid", ["one", "two"])
def test_a_public_key_is_no_shared_secret(kid: str) -> None:
    key: Any = rsa_key(kid) if kid == "one" else ec_key(kid)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    for encoding in (serialization.Encoding.PEM, serialization.Encoding.DER):
        public = key.public_key().public_bytes(encoding, form)
        for head in ({"alg": "HS256", "kid": kid}, {"alg": "RS256", "kid": kid}):
            signed = f"{part(head)}.{part(claims())}"
            mac = hmac.new(public, signed.encode(), hashlib.sha256).digest()
            assert Desk().refuses(f"{signed}.{part(mac)}").startswith("token_Invalid")


def test_a_shared_secret_among_the_keys_is_not_used() -> None:
    secret = b"k" * 32
    desk = Desk({"keys": [{"kty": "oct", "k": part(secret), "kid": "mac", "alg": "HS256"}, shown("one")]})
    for algorithm in ("HS256", "RS256"):
        signed = f"{part({'alg': algorithm, 'kid': 'mac'})}.{part(claims())}"
        mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
        expected = {"HS256": "token_InvalidAlgorithmError", "RS256": "unknown_signing_key"}[algorithm]
        assert desk.refuses(f"{signed}.{part(mac)}") == expected


def test_a_token_is_signed_by_its_key_and_as_it_stands() -> None:
    signed = jwt.encode(claims(), rsa_key("stranger"), algorithm="RS256", headers={"kid": "one"})
    assert Desk().refuses(signed) == "token_InvalidSignatureError"
    crossed = jwt.encode(claims(), ec_key("two"), algorithm="ES256", headers={"kid": "one"})
    assert Desk().refuses(crossed) == "token_InvalidAlgorithmError"
    head, _, signature = token().split(".")
    assert Desk().refuses(f"{head}.{part(claims(org='victim'))}.{signature}") == "token_InvalidSignatureError"


@pytest.mark.parametrize(
    "given",
    ["a.b.c", "..", ".e30.", "e30.e30.", "ä.ö.ü", f"{part([])}.{part({})}.", f"{part({'alg': 'RS256'})}.{part([1])}.",
     f"{part({'alg': 'RS256', 'kid': 5})}.{part({})}.", f"{part({'alg': 'RS256'})}.{part(b'[' * 5000)}.",
     f"{part(b'[' * 5000)}.{part({})}."],
)  # fmt: skip
def test_what_is_no_token(given: str) -> None:
    assert Desk().refuses(given) in ("malformed_token", "unknown_issuer")


def test_an_unknown_key_asks_again_once_a_minute() -> None:
    desk = Desk()
    desk(token())
    strange = jwt.encode(claims(), rsa_key("one"), algorithm="RS256", headers={"kid": "new"})
    for later in (0, 1, PAUSE_MS - 1):
        assert desk.refuses(strange, NOW + later) == "unknown_signing_key"
    assert len(desk.asked) == 1
    for later in (0, 1, PAUSE_MS - 1):
        assert desk.refuses(strange, NOW + PAUSE_MS + later) == "unknown_signing_key"
    assert len(desk.asked) == 2
    assert Desk().refuses(jwt.encode(claims(), rsa_key("one"), algorithm="RS256")) == "unknown_signing_key"


def test_keys_rotate() -> None:
    desk = Desk()
    desk(token())
    desk.document = {"keys": [shown("new")]}
    assert desk(token("new"), NOW + PAUSE_MS).tenant == "acme"
    assert desk.refuses(token(), NOW + PAUSE_MS) == "unknown_signing_key"
    desk.document = {"keys": []}
    assert desk(token("new"), NOW + PAUSE_MS + KEEP_MS - 1).tenant == "acme"
    assert desk.refuses(token("new"), NOW + PAUSE_MS + KEEP_MS) == "unreadable_signing_keys"


@pytest.mark.parametrize(
    "first", [lambda desk: None, lambda desk: desk(token(), NOW - KEEP_MS)], ids=["from the start", "later"]
)
def test_an_issuer_that_fails_is_left_alone_for_a_while(first: Callable[[Desk], object]) -> None:
    desk = Desk()
    first(desk)
    desk.document, desk.asked = Unauthorized("issuer_unreachable"), []
    for later in (0, 1, FAILED_PAUSE_MS - 1):
        assert desk.refuses(token(), NOW + later) == "issuer_unreachable"
    assert len(desk.asked) == 1
    desk.document = {"keys": [shown("one")]}
    assert desk(token(), NOW + FAILED_PAUSE_MS).tenant == "acme"


@pytest.mark.parametrize(
    "document",
    [{}, {"keys": []}, {"keys": "x"}, {"keys": 5}, {"keys": ["x"]}, {"keys": [None]}, {"keys": [{"kty": "RSA"}]},
     {"keys": [{"kty": "XYZ", "kid": "one"}]}, {"keys": [{"kty": "RSA", "n": "!", "e": 5, "kid": "one"}]},
     {"keys": [shown("one") | {"kid": ["one"]}]}],
)  # fmt: skip
def test_keys_that_cannot_be_read_open_no_door(document: Any) -> None:
    assert Desk(document).refuses(token()) == "unreadable_signing_keys"
