"""Prompts as operators write them: what is refused, and that what is kept reads back."""

from typing import Any

import pytest
from broker.errors import InvalidRequest
from broker.prompts.templates import Template
from broker.registry.applying import apply
from broker.registry.document import parse_entry, parse_registry
from broker.registry.plan import make_plan, plan_rollback
from broker.registry.prompts import PromptEntry

from tests.fakes.world import NOW, World

TEXT = {"type": "string"}


def content(**changes: Any) -> dict[str, Any]:
    return {"id": "p", "version": 1, "user": "{{document}}", **changes}


def entry(**changes: Any) -> PromptEntry:
    parsed = parse_entry("prompts", content(**changes))
    assert isinstance(parsed, PromptEntry)
    return parsed


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"user": None}, "system or user is needed"),
        ({"user": "{{#a}}"}, "'a' is not closed"),
        ({"user": "{{/a}}"}, "'a' is closed where it is not open"),
        ({"user": "{{#a}}{{#b}}{{/a}}{{/b}}"}, "'a' is closed where it is not open"),
        ({"user": "{{#document}}x{{/document}}"}, "'document' is not declared"),
        ({"user": "{{document}} {{n}}", "variables": {"document": TEXT}}, "'n' is not declared"),
        ({"variables": {"document": TEXT, "n": TEXT}}, "'n' is declared and never used"),
        ({"user": "{{#document}}x{{/document}}", "variables": {"document": TEXT}}, "a section needs a list"),
        ({"user": "{{#a}}" * 9 + "{{/a}}" * 9, "variables": {"a": {"type": "boolean"}}}, "nested 8 deep"),
        ({"user": "{{.}}"}, "'.' is not"),
        ({"variables": {"document": {"type": "text"}}}, "variables.document.type: it has to be 'string'"),
        ({"variables": {"document": {"type": "string", "minimum": 3}}}, "minimum does not go with string"),
        ({"variables": {"document": {"type": "string", "format": "date"}}}, "there is no such field"),
        ({"variables": {"document": {"type": "string", "pattern": "("}}}, "pattern cannot be used"),
        ({"variables": {"document": {"type": "array"}}}, "an array needs items"),
        ({"variables": {"document": {"type": "object"}}}, "an object needs properties"),
        ({"variables": {"document": {"type": "integer", "default": "x"}}}, "has to be of type integer"),
        ({"variables": {"Document": TEXT}}, "variables.Document: a variable's name has small letters"),
        ({"hints": {"colour": "blue"}}, "hints.colour: there is no such field"),
        ({"hints": {"parameters": {"colour": 1}}}, "hints.parameters.colour: there is no such field"),
        ({"id": "a/b"}, "id: it has to be a name of letters"),
        ({"version": 0}, "version: it has to be 1 at least"),
        ({"output_schema": {"type": "thing"}}, "it is no JSON Schema at type"),
        ({"output_schema": {"$ref": "https://x.example/s"}}, "a reference leads outside it"),
        ({"hints": {"parameters": {"temperature": "hot"}}}, "hints.parameters.temperature: it has to be a number"),
        ({"variables": {"document": TEXT, "n": {"type": "number", "minimum": float("inf")}}}, "numbers finite"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        entry(**changes)


FULL = content(
    system="Be {{tone}}.",
    description="Says it shorter.",
    variables={
        "document": {**TEXT, "description": "What to say.", "minLength": 0, "maxLength": 9},
        "tone": {**TEXT, "enum": ["dry", "warm"], "default": "dry", "trusted": False},
    },
    hints={"parameters": {"temperature": 0.5}, "require": ["json"]},
    output_schema={"type": "object", "properties": {"x": {"minimum": 0.5}}},
)


def registered(*contents: dict[str, Any]) -> World:
    world = World()
    for each in contents:
        apply(world.registry(), parse_registry({"prompts": [each]}), by="ops", now=NOW)
    return world


def test_what_is_kept_reads_back_by_version_and_as_the_newest() -> None:
    world = registered(FULL)
    version, latest = (world.database.get("registry", "PROMPT#p", sk) for sk in ("V#0001", "LATEST"))
    assert version is not None and latest is not None
    read = Template.of(version, world.texts)
    assert read == Template.of(latest, world.texts)
    assert (read.version, read.source) == (1, {"system": "Be {{tone}}.", "user": "{{document}}"})
    assert read.variables == FULL["variables"]
    assert read.hints == {"parameters": {"temperature": 0.5}, "require": ["json"]}
    assert read.output_schema == FULL["output_schema"]


def test_a_template_that_stands_is_not_written_again_and_any_part_of_it_makes_a_version() -> None:
    world = registered(FULL)
    unnumbered = {name: value for name, value in FULL.items() if name != "version"}
    spelled = unnumbered | {"variables": {**FULL["variables"], "document": FULL["variables"]["document"]}}
    spelled["variables"]["document"] |= {"pattern": None}
    for same in (FULL, unnumbered, spelled, world.registry().get("prompts", "p").content):
        assert make_plan(world.registry(), parse_registry({"prompts": [same]})).changes == ()
    for name, value in {"description": "x", "hints": None, "output_schema": {}}.items():
        (change,) = make_plan(world.registry(), parse_registry({"prompts": [unnumbered | {name: value}]})).changes
        assert (change.number, set(change.fields)) == (2, {name})


def test_an_older_template_comes_back_whole() -> None:
    world = registered(FULL, content(version=2))
    registry = world.registry()
    change = plan_rollback(registry, "prompts", "p", 1)
    assert change is not None
    registry.write(change, "ops", NOW)
    with pytest.raises(InvalidRequest) as failure:
        world.prompts().fill({"id": "p", "variables": {"document": "x", "tone": "loud"}}, "k", NOW)
    assert failure.value.param == "prompt.variables.tone"
    assert world.prompts().fill({"id": "p", "variables": {"document": "x"}}, "k", NOW).used["version"] == 3


def test_a_hint_names_a_model_that_there_is() -> None:
    with pytest.raises(InvalidRequest) as failure:
        registered(content(hints={"model": "nobody"}))
    assert (failure.value.code, failure.value.param) == ("unknown_model", "prompts.0.hints.model")
