"""API keys: their form, their checksum, and what is kept of them."""

import re

import pytest
from broker.tenants.api_keys import FORM, key_hash, key_item, new_key, well_formed
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.world import NOW

KEY = "ib_" + "A" * 43 + "003b3f00"
"""The checksum is zlib's CRC-32 of what stands before it, reckoned by another tool."""


def test_a_new_key_is_well_formed_and_like_no_other() -> None:
    made = [new_key() for _ in range(200)]
    assert len({key for key, _ in made}) == len({digest for _, digest in made}) == 200
    for key, digest in made:
        assert well_formed(key)
        assert len(key) == 54
        assert digest == key_hash(key)
        assert re.fullmatch("[0-9a-f]{64}", digest)


def test_the_form_is_the_published_one() -> None:
    assert well_formed(KEY)
    assert key_hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@given(st.integers(3, 53), st.sampled_from("abcdefXYZ0123456789_-"))
def test_a_key_with_one_wrong_character_is_not_well_formed(place: int, char: str) -> None:
    key, _ = new_key()
    changed = key[:place] + char + key[place + 1 :]
    assert well_formed(changed) == (changed == key)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "ib_",
        KEY[:-1],
        KEY + "0",
        KEY + "\n",
        " " + KEY,
        KEY.upper(),
        KEY[:-8] + KEY[-8:].upper(),
        "sk_" + KEY[3:],
        "ib_" + "ä" * 43 + "00000000",
        "ib_" + "A" * 42 + "=" + "00000000",
        "ib_" + "A" * 43 + "\u0660" * 8,
    ],
)
def test_what_is_no_key(key: str) -> None:
    assert not well_formed(key)


@given(st.text())
def test_no_text_breaks_the_check(text: str) -> None:
    assert not well_formed(text) or FORM.fullmatch(text)


def test_only_a_hash_is_kept() -> None:
    key, digest = new_key()
    item = key_item(digest, tenant="acme", principal="ci", scopes=("a", "b"), created_at=NOW, expires_at=None)
    assert item == {
        "pk": f"KEY#{digest}",
        "sk": "KEY",
        "tenant": "acme",
        "principal": "ci",
        "scopes": ["a", "b"],
        "status": "active",
        "created_at": NOW,
    }
    assert key not in str(item)


def test_an_end_is_not_the_tables_own() -> None:
    item = key_item("d", tenant="acme", principal="ci", scopes=(), created_at=NOW, expires_at=NOW + 1)
    assert item["valid_until"] == NOW + 1
    assert "expires_at" not in item  # DynamoDB would delete it
