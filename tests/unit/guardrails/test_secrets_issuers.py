"""Every row of the tables is whole, is found where people write tokens, and only in full."""

import random
import re
import string

import pytest
from broker.guardrails.secrets import find_secrets
from broker.guardrails.secrets.checksums import CHECKSUMS
from broker.guardrails.secrets.forms import form
from broker.guardrails.secrets.issuers import Issuer, issuers, secret_words

from tests.unit.guardrails.generated_tokens import token

PLACES = ("Please use the {name} key {value} from now on.", '{{"{name}_token": "{value}"}}', "{name}_api_key={value}\n")
"""A sentence, JSON, a line of settings."""

LETTERS = sorted({row.id[0] for row in issuers()})


def rows(letter: str, *, named: bool | None = None) -> list[Issuer]:
    """The rows whose ids begin so; only those with or without names to stand near, if asked."""
    return [row for row in issuers() if row.id[0] == letter and named in (None, bool(row.keywords))]


def told(text: str, value: str) -> bool:
    """Whether a span covers the middle of the value."""
    middle = text.index(value) + len(value) // 2
    return any(span.begin <= middle < span.end for span in find_secrets(text))


def test_the_tables_name_more_than_three_hundred_issuers() -> None:
    assert len({row.issuer for row in issuers()}) > 300


def test_no_two_rows_have_one_id() -> None:
    ids = [row.id for row in issuers()]
    assert len(ids) == len(set(ids))


def test_every_row_is_whole() -> None:
    for row in issuers():
        assert re.fullmatch(r"[a-z0-9_]+", row.id)
        assert row.issuer, row.id
        assert row.forms, row.id
        assert row.source.startswith("https://"), row.id
        assert row.checksum is None or row.checksum in CHECKSUMS, row.id
        assert all(keyword == keyword.lower() and len(keyword) > 1 for keyword in row.keywords), row.id
        if not row.keywords:
            assert all(len(each.anchor) > 2 or "Q~" in each.anchor for each in row.forms), f"{row.id} says too little"


@pytest.mark.parametrize("letter", LETTERS)
def test_a_token_of_each_form_is_found_wherever_it_is_written(letter: str) -> None:
    for row in rows(letter):
        chosen = random.Random(row.id)
        for each in row.forms:
            for place in PLACES:
                value = token(each.text, chosen)
                text = place.format(name=row.keywords[0] if row.keywords else "their", value=value)
                assert told(text, value), (row.id, text)


@pytest.mark.parametrize("letter", LETTERS)
def test_half_a_token_is_none(letter: str) -> None:
    for row in rows(letter, named=False):
        chosen = random.Random(row.id)
        for each in row.forms:
            whole = token(each.text, chosen)
            half = whole[each.offset // 2 :] if each.offset else whole[: len(each.anchor) + 3]
            assert not list(find_secrets(f"it begins with {half} and the rest is missing")), (row.id, half)


@pytest.mark.parametrize("letter", LETTERS)
def test_a_form_that_says_little_is_nothing_without_its_issuers_name(letter: str) -> None:
    for row in rows(letter, named=True):
        chosen = random.Random(row.id)
        for each in row.forms:
            value = token(each.text, chosen)
            found = {span.kind for span in find_secrets(f"the build of today is {value}, as it was")}
            assert row.id not in found, value


def test_a_token_is_found_in_full() -> None:
    body = "".join(random.Random(1).choices(string.ascii_letters + string.digits, k=36))
    text = f"before ghp_{body} after"
    assert [text[span.begin : span.end] for span in find_secrets(text)] == [f"ghp_{body}"]


def test_a_name_of_a_secret_has_a_strength() -> None:
    assert set(secret_words()) == {"password", "secret", "weak"}


@pytest.mark.parametrize("text", ["{hex}", "{none:3}", "{hex:9-3}"])
def test_what_is_no_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a form"):
        form(text)
