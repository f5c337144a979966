"""Versions of entries, on the fake and on DynamoDB: conditional, whole, and readable by the functions."""

import re
from typing import Any

import pytest
from broker.errors import Conflict
from broker.prompts.templates import Prompts
from broker.registry.applying import apply
from broker.registry.document import parse_registry
from broker.registry.plan import make_plan, plan_rollback
from broker.registry.versions import Registry
from broker.routing.catalog import Models
from broker.storage import Database

from tests.fakes.texts import FakeTexts

NOW = 1_795_000_000_000

MODEL = {
    "id": "small",
    "provider": "openai",
    "name": "small-1",
    "tasks": ["chat"],
    "context_window": 1000,
    "max_output_tokens": 100,
    "price_in_usd": 0.15,
    "price_out_usd": 0.6,
    "unit_prices_usd": {"images": 0.04},
    "options": {"deployment": "d", "tries": 2},
}
DOCUMENT = {
    "models": [MODEL],
    "aliases": [{"id": "fast", "models": ["small"]}],
    "routes": [{"id": "default", "models": [{"model": "fast", "weight": 9}]}],
    "prompts": [{"id": "p", "user": "Shorten: {{a}}"}],
}


def applied(database: Database, document: dict[str, Any], by: str = "ada") -> int:
    return len(apply(Registry(database, FakeTexts()), parse_registry(document), by=by, now=NOW).changes)


def shortened(prompts: Prompts, **more: Any) -> str:
    """What the user's part says, without the marks around the value."""
    filled = prompts.fill({"id": "p", "variables": {"a": "x"}, **more}, "key", NOW)
    return re.sub("</?data_[0-9a-f]+>", "", str(filled.messages[-1]["content"]))


def test_what_was_applied_is_read_and_not_written_twice(database: Database) -> None:
    assert (applied(database, DOCUMENT), applied(database, DOCUMENT)) == (4, 0)
    catalog = Models(database).catalog(NOW)
    assert (catalog.models["small"].unit_prices, catalog.models["small"].options) == (
        {"images": 40_000_000},
        MODEL["options"],
    )
    assert catalog.routes[None, None].models[0].weight == 9
    assert catalog.aliases["fast"].models == ("small",)
    assert shortened(Prompts(database, FakeTexts())) == "Shorten: x"


def test_of_two_who_read_the_same_version_one_writes(database: Database) -> None:
    applied(database, DOCUMENT)
    registry = Registry(database, FakeTexts())
    changes = [make_plan(registry, parse_registry({"models": [MODEL | {"rank": rank}]})).changes[0] for rank in (1, 2)]
    assert registry.write(changes[0], "one", NOW).version == 2
    with pytest.raises(Conflict):
        registry.write(changes[1], "two", NOW)
    assert [each.by for each in registry.history("models", "small")] == ["one", "ada"]
    assert Models(database).get("small", NOW).rank == 1


def test_of_two_who_add_the_same_entry_one_writes(database: Database) -> None:
    registry = Registry(database, FakeTexts())
    changes = [make_plan(registry, parse_registry({"models": [MODEL | {"rank": rank}]})).changes[0] for rank in (1, 2)]
    registry.write(changes[0], "one", NOW)
    with pytest.raises(Conflict):
        registry.write(changes[1], "two", NOW)
    assert Models(database).get("small", NOW).rank == 1


def test_a_prompts_versions_stand_side_by_side_and_roll_back(database: Database) -> None:
    applied(database, {"prompts": [{"id": "p", "version": 2, "user": "two {{a}}"}]})
    applied(database, {"prompts": [{"id": "p", "version": 1, "user": "one {{a}}"}]})
    registry = Registry(database, FakeTexts())

    def text(**more: Any) -> str:
        return shortened(Prompts(database, FakeTexts()), **more)

    assert (text(), text(version=1), text(version=2)) == ("two x", "one x", "two x")
    change = plan_rollback(registry, "prompts", "p", 1)
    assert change is not None
    assert registry.write(change, "ada", NOW).version == 3
    assert (text(), text(version=3), text(version=2)) == ("one x", "one x", "two x")
    assert [each.action for each in registry.history("prompts", "p")] == ["rolled_back", "added", "added"]


def test_typed_prompts_and_labels_are_read_as_they_were_applied(database: Database) -> None:
    share = {"type": "number", "minimum": 0.25, "default": 0.5}
    prompts = [{"id": "p", "version": n, "user": f"{n}: {{{{share}}}}", "variables": {"share": share}} for n in (1, 2)]
    arms = [{"version": 1, "weight": 90}, {"version": 2, "weight": 10}]
    document = {"prompts": prompts, "labels": [{"id": "p", "labels": {"production": arms}}]}
    assert (applied(database, document), applied(database, document)) == (3, 0)
    registered = Prompts(database, FakeTexts())
    texts = [registered.fill({"id": "p"}, f"key-{n}", NOW).messages[0]["content"] for n in range(200)]
    assert texts.count("1: 0.5") > 150 and texts.count("2: 0.5") > 5
    assert [each.content for each in Registry(database, FakeTexts()).history("labels", "p")] == [
        {"id": "p", "labels": {"production": [{"version": 1, "weight": 90}, {"version": 2, "weight": 10}]}}
    ]
