"""Ways around the rules that were tried: values apart from their names, JSON in JSON, numbers over turns, escapes."""

import json
from typing import Any

import pytest
from broker.guardrails.pipeline import Report, inspect
from broker.guardrails.placeholders import Placeholders, restored
from broker.guardrails.policy import Policy, Rule
from broker.guardrails.redaction import redacted
from broker.guardrails.walk import PAIRED, input_texts

PASSWORD = "hunter" + "2x"
CARD = "4111 1111 1111 1111"


def look(given: dict[str, Any], check: str, action: Any = "redact") -> Report:
    return inspect("input", input_texts({"input": given}), (Policy("p", 1, (Rule(check, action),)),))


def told(report: Report) -> list[tuple[str, int]]:
    return [(each.kind, each.count) for each in report.findings]


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"json": {"password": PASSWORD}}, ("json", "password")),
        ({"json": {"db": [{"api_password": PASSWORD}]}}, ("json", "db", 0, "api_password")),
        ({"json": {"name": "DB_PASSWORD", "value": PASSWORD}}, ("json", "value")),
    ],
)
def test_the_name_of_a_value_counts(given: dict[str, Any], place: tuple[str | int, ...]) -> None:
    report = look(given, "secrets")
    assert told(report) == [("password", 1)]
    (edit,) = report.edits["input", *place]
    assert (edit.begin, edit.end) == (0, len(PASSWORD))
    assert PASSWORD not in str(redacted({"input": given}, report.edits, Placeholders({})))


def test_a_name_tells_personal_data_too() -> None:
    assert told(look({"json": {"date of birth": "12.03.1971"}}, "personal_data")) == [("date_of_birth", 1)]
    assert told(look({"json": {"day": "12.03.1971"}}, "personal_data")) == []


def test_what_is_found_by_itself_is_counted_once() -> None:
    assert told(look({"json": {"token": "ghp_" + "1B4hJ" * 7 + "2"}}, "secrets")) == [("github_token", 1)]


def test_ordinary_values_beside_names_are_none() -> None:
    given = {
        "password": "required",
        "token_type": "bearer",
        "secret": "",
        "key": "shelf",
        "password_hint": "my first dog",
    }
    assert told(look({"json": given}, "secrets")) == []
    assert told(look({"json": {"password": "word " * PAIRED[1]}}, "secrets")) == []


@pytest.mark.parametrize("deep", [1, 2, 3, 4])
def test_json_in_json_is_read(deep: int) -> None:
    text = json.dumps({"password": PASSWORD})
    for _ in range(deep):
        text = json.dumps({"body": text})
    report = look({"text": text}, "secrets")
    assert [kind for kind, _ in told(report)] == ["password"]
    (edit,) = report.edits["input", "text"]
    assert PASSWORD in text[edit.begin : edit.end] and edit.end - edit.begin < 2 * len(PASSWORD)


def test_a_number_in_two_turns_of_the_user() -> None:
    said = [("user", "It goes 4111 1111"), ("assistant", "Go on."), ("user", " 1111 1111, and that is it.")]
    given = {"messages": [{"role": role, "content": text} for role, text in said]}
    report = look(given, "card_numbers")
    assert told(report) == [("visa", 1)]
    assert set(report.edits) == {("input", "messages", 0, "content"), ("input", "messages", 2, "content")}


@pytest.mark.parametrize("escape", [r"\x31", r"\u0031", r"\u{31}", r"\u{0031}", "%31", "&#49;"])
def test_single_escapes_of_any_sort(escape: str) -> None:
    for text in (f"It is {CARD[:-1]}{escape}, yes", f"It is {escape.join(CARD.rsplit('1', 2))}, yes"):
        assert told(look({"text": text}, "card_numbers")) == [("visa", 1)], text


@pytest.mark.parametrize(
    "text", [r"the class [\x41-\x5a] of letters", r"a path C:\xeon\users", 'say \\"hello\\" to "her"']
)
def test_escapes_of_the_innocent(text: str) -> None:
    assert told(look({"text": text}, "secrets")) == told(look({"text": text}, "card_numbers")) == []


def test_a_find_in_plain_and_undone_text_is_counted_once() -> None:
    assert told(look({"text": f"pay %41t once with {CARD} and no other"}, "card_numbers")) == [("visa", 1)]
    assert told(look({"text": f"pay %41t once with {CARD}, or {CARD}"}, "card_numbers")) == [("visa", 2)]


def test_names_that_become_equal_lose_no_value() -> None:
    mapping = {"EMAIL_1": "a@example.org", "EMAIL_2": "a@example.org"}
    given = {"<EMAIL_1>": 1, "<EMAIL_2>": 2, "c": 3}
    assert sorted(restored(given, mapping).values()) == [1, 2, 3]
    assert restored({"<EMAIL_1>": 1, "a@example.org": 2}, mapping) == {"<EMAIL_1>": 1, "a@example.org": 2}
    assert restored({"<EMAIL_1>": ["<EMAIL_2>"]}, mapping) == {"a@example.org": ["a@example.org"]}
