"""Identity: what an `Authorization` header is worth."""

import base64
import json
from itertools import count
from typing import Any

import pytest
from broker.storage import Put
from broker.tenants.api_keys import key_id, key_item, new_key
from broker.tenants.identity import TENANT, Identity, Unauthorized, authenticate

from tests.fakes.database import FakeDatabase
from tests.fakes.world import NOW

KEY, DIGEST = new_key()
JWT = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({}, {}, {}))


class Verifier:
    """Believes every token."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def __call__(self) -> "Verifier":
        return self

    def identity(self, token: str, now: int) -> Identity:
        self.asked.append((token, now))
        return Identity("of-token", "someone", frozenset())


def tables(**changes: Any) -> FakeDatabase:
    """A registry with one key."""
    item = key_item(DIGEST, tenant="acme", principal="ci", scopes=("jobs:read",), created_at=NOW, expires_at=None)
    made = FakeDatabase()
    made.write(Put("registry", item | changes))
    return made


def never() -> Any:
    raise AssertionError("no JWT came, so nothing that checks them is to be loaded")


def refused(header: str, database: FakeDatabase | None = None, now: int = NOW) -> str:
    with pytest.raises(Unauthorized) as failure:
        authenticate(header, database or tables(), now, never)
    return failure.value.reason


@pytest.mark.parametrize("header", [f"Bearer {KEY}", f"bearer {KEY}", f"  BEARER   {KEY}  "], ids=count())
def test_a_key_is_its_owners(header: str) -> None:
    assert authenticate(header, tables(), NOW, never) == Identity(
        "acme", "ci", frozenset({"jobs:read"}), key_id(DIGEST)
    )


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("", "no_bearer_token"),
        ("Bearer", "no_bearer_token"),
        ("Bearer   ", "no_bearer_token"),
        (KEY, "no_bearer_token"),
        (f"Basic {KEY}", "no_bearer_token"),
        (f"Bearer\u00a0{KEY}", "no_bearer_token"),
        (f"Bearer {KEY[:-1]}", "malformed_key"),
        (f"Bearer {KEY} {KEY}", "malformed_key"),
        (f"Bearer ib_{KEY}", "malformed_key"),
        (f"Bearer {new_key()[0]}", "unknown_key"),
        ("Bearer abc", "unknown_form"),
        ("Bearer a.b", "unknown_form"),
        ("Bearer a.b.c.d", "unknown_form"),
        (f"Bearer {DIGEST}", "unknown_form"),
    ],
    ids=count(),
)
def test_what_is_no_credential(header: str, reason: str) -> None:
    assert refused(header) == reason


def test_a_malformed_key_costs_no_read() -> None:
    class Untouched(FakeDatabase):
        def get(self, *_: Any) -> Any:
            raise AssertionError("the checksum is wrong: there is nothing to look up")

    wrong = KEY[:-1] + ("0" if KEY[-1] != "0" else "1")
    assert refused(f"Bearer {wrong}", Untouched()) == "malformed_key"


@pytest.mark.parametrize("status", ["revoked", "disabled", ""])
def test_a_revoked_key_is_refused(status: str) -> None:
    assert refused(f"Bearer {KEY}", tables(status=status)) == "revoked_key"


def test_a_key_has_an_end() -> None:
    database = tables(valid_until=NOW + 1)
    assert authenticate(f"Bearer {KEY}", database, NOW, never).tenant == "acme"
    assert refused(f"Bearer {KEY}", database, NOW + 1) == "expired_key"
    assert refused(f"Bearer {KEY}", tables(valid_until=0), NOW) == "expired_key"


def test_a_token_goes_to_its_verifier() -> None:
    verifier = Verifier()
    assert authenticate(f"Bearer {JWT}", tables(), NOW, verifier).tenant == "of-token"
    assert verifier.asked == [(JWT, NOW)]


def test_a_reason_never_quotes_the_credential() -> None:
    for header in (f"Bearer {KEY[:-1]}", f"Bearer {new_key()[0]}", "Bearer secret"):
        assert header.split()[1] not in refused(header)


@pytest.mark.parametrize(("name", "fits"), [("acme", True), ("a-1", True), ("a" * 63, True), ("a" * 64, False)])
def test_a_tenants_name(name: str, fits: bool) -> None:
    assert bool(TENANT.fullmatch(name)) is fits


@pytest.mark.parametrize("name", ["", "-a", "A", "a_b", "a#b", "a b", "ä", "a\n", "٣"])
def test_what_is_no_tenants_name(name: str) -> None:
    assert not TENANT.fullmatch(name)
