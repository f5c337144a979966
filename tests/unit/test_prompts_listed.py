"""What clients are told of the prompts that there are: enough to run them, and nothing of what they say."""

import json
from typing import Any

import pytest
from broker.registry.applying import apply
from broker.registry.document import parse_registry

from tests.fakes.texts import long_text
from tests.fakes.world import NOW
from tests.unit.prompts_case import SMALL
from tests.unit.rest_door import Door

REPLY: dict[str, Any] = {
    "id": "reply",
    "description": "Answers a customer.",
    "variables": {
        "message": {"type": "string", "maxLength": 500},
        "tone": {"type": "string", "enum": ["formal"], "default": "formal", "trusted": True},
    },
    "system": "The secret of the house, in a {{tone}} tone.",
    "user": "{{message}}",
}


def door_with(*prompts: dict[str, Any], **more: Any) -> Door:
    door = Door()
    document = {"models": [SMALL, SMALL | {"id": "other-small"}], "prompts": list(prompts), **more}
    apply(door.world.registry(), parse_registry(document), by="ops", now=NOW)
    return door


def listed(door: Door, **query: str) -> dict[str, Any]:
    body: dict[str, Any] = door("GET", "/prompts", query=query).body
    return body


def test_a_prompt_is_told_by_its_variables_and_not_by_its_text() -> None:
    shown = listed(door_with(REPLY))
    assert shown["data"] == [
        {
            "id": "reply",
            "object": "prompt",
            "version": 1,
            "description": "Answers a customer.",
            "labels": {},
            "variables": {
                "message": {"type": "string", "maxLength": 500},
                "tone": {"type": "string", "enum": ["formal"], "default": "formal"},
            },
        }
    ]
    assert "secret" not in json.dumps(shown)


@pytest.mark.parametrize("text", ["Sum up {{document}} for {{who}}.", "{{document}} {{who}}" + long_text(1_500_000, 1)])
def test_places_are_variables_where_none_are_declared_however_long_the_text(text: str) -> None:
    (shown,) = listed(door_with({"id": "p", "user": text}))["data"]
    assert shown["variables"] == {"document": {"type": "string"}, "who": {"type": "string"}}


def test_the_version_is_the_one_that_a_run_gets() -> None:
    older = REPLY | {"version": 1, "user": "{{message}}"}
    newer = {"id": "reply", "version": 2, "user": "{{question}}"}
    arms = [{"version": 1, "weight": 90}, {"version": 2, "weight": 10}]
    labels = [{"id": "reply", "labels": {"production": arms, "staging": [{"version": 2}]}}]
    (shown,) = listed(door_with(older, newer, labels=labels))["data"]
    assert (shown["version"], set(shown["variables"])) == (1, {"message", "tone"})
    assert shown["labels"] == {"production": [1, 2], "staging": [2]}
    (shown,) = listed(door_with(older, newer))["data"]
    assert (shown["version"], set(shown["variables"])) == (2, {"question"})


def test_what_asks_for_a_model_that_the_tenant_may_not_use_is_left_out() -> None:
    """`other` may use `large` alone."""
    hinted = REPLY | {"id": "hinted", "hints": {"model": "small"}}
    by_alias = REPLY | {"id": "by-alias", "hints": {"model": "fast"}}
    door = door_with(REPLY, hinted, by_alias, aliases=[{"id": "fast", "models": ["small"]}])
    assert [each["id"] for each in listed(door)["data"]] == ["by-alias", "hinted", "reply"]
    theirs = door("GET", "/prompts", tenant="other").body
    assert [each["id"] for each in theirs["data"]] == ["reply"]


def test_pages_follow_each_other_to_the_end() -> None:
    door = door_with(*(REPLY | {"id": f"p{number}"} for number in range(5)))
    seen: list[str] = []
    query: dict[str, str] = {"limit": "2"}
    while True:
        page = listed(door, **query)
        seen += [each["id"] for each in page["data"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == [f"p{number}" for number in range(5)]
    assert listed(Door())["data"] == []


@pytest.mark.parametrize("limit", ["0", "101", "x", "-1"])
def test_a_bad_limit_is_named(limit: str) -> None:
    assert Door().fails("GET", "/prompts", query={"limit": limit}).param == "limit"


@pytest.mark.parametrize("cursor", ["x" * 129, "a b", "\0", "ü", "\ud800"])
def test_a_cursor_that_the_table_would_not_take_is_named(cursor: str) -> None:
    assert Door().fails("GET", "/prompts", query={"cursor": cursor}).param == "cursor"
