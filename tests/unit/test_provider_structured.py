"""JSON to a schema: which schemas are taken, and what is said of answers that miss them."""

from typing import Any

import pytest
from broker.errors import BadOutput, InvalidRequest
from broker.json_schema.checking import check_schema
from broker.providers.wire.structured import instruction, parse, repair_instruction

TREE = {
    "type": "object",
    "properties": {"inner": {"$ref": "#/$defs/leaf"}, "again": {"$ref": "#"}},
    "$defs": {"leaf": {"$anchor": "leaf", "type": "integer"}},
}


@pytest.mark.parametrize(
    "schema",
    [
        {},
        TREE,
        {"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"a": {}}, "$ref": "#/definitions/a"},
        {"$schema": "https://example.com/own", "type": "object"},
        {"$id": "https://example.com/a", "$ref": "b", "$defs": {"b": {"$id": "b", "type": "string"}}},
        {"properties": {"$ref": {"type": "string"}}, "const": {"$ref": "https://example.com/"}},
    ],
)
def test_a_schema_is_taken(schema: dict[str, Any]) -> None:
    check_schema(schema)


@pytest.mark.parametrize(
    ("schema", "code"),
    [
        ({"type": "nonsense"}, "invalid_schema"),
        ({"properties": {"a": {"minimum": "x"}}}, "invalid_schema"),
        ({"$schema": 5}, "invalid_schema"),
        ({"pattern": "("}, "invalid_schema"),
        ({"pattern": "a{99999999999999999999}"}, "invalid_schema"),
        ({"$ref": "http://[/"}, "unresolved_reference"),
        ({"$ref": "https://127.0.0.1:9/schema"}, "unresolved_reference"),
        ({"properties": {"a": {"$ref": "file:///etc/hostname"}}}, "unresolved_reference"),
        ({"properties": {"a": {"$ref": "#/$defs/none"}}}, "unresolved_reference"),
        ({"$dynamicRef": "https://127.0.0.1:9/schema"}, "unresolved_reference"),
        ({"$ref": "#"}, "circular_schema"),
        ({"allOf": [{"$ref": "#"}]}, "circular_schema"),
    ],
)
def test_a_schema_is_not_taken(schema: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_schema(schema)
    assert (caught.value.code, caught.value.param) == (code, "output_schema")
    with pytest.raises(InvalidRequest):
        parse("{}", schema)


def test_a_very_deep_schema_is_not_taken() -> None:
    deep: dict[str, Any] = {}
    for _ in range(900):
        deep = {"items": deep}
    with pytest.raises(InvalidRequest):
        check_schema(deep)


def test_a_value_is_read_through_references() -> None:
    assert parse('{"inner": 1, "again": {"inner": 2}}', TREE) == {"inner": 1, "again": {"inner": 2}}


def test_the_message_names_the_rule_and_no_value() -> None:
    schema = {"type": "object", "additionalProperties": {"type": "integer"}}
    with pytest.raises(BadOutput) as caught:
        parse('{"secret-key": "secret-value"}', schema)
    assert caught.value.message == "The model's answer does not meet the schema at additionalProperties/type."


@pytest.mark.parametrize("text", ["", "no", "{", "{} {}", "Infinity", "1e999", '"\\ud800"', "```{}```", "[" * 99_999])
def test_what_is_no_json_is_bad_output(text: str) -> None:
    with pytest.raises(BadOutput) as caught:
        parse(text, {})
    assert (caught.value.code, caught.value.maybe_paid) == ("not_json", True)


@pytest.mark.parametrize("text", ["[1]", "\ufeff[1]\n", "```json\n[1]\n```", "```\n[1]```", ' "\\ud83c\\udf89" '])
def test_json_is_read_with_or_without_a_fence(text: str) -> None:
    assert parse(text, {}) in ([1], "🎉")


def test_large_numbers_are_checked_as_they_are() -> None:
    large = "1" + "0" * 400
    assert parse(large, {"multipleOf": 0.1, "type": "integer", "minimum": 10**399}) == 10**400
    for missed in ({"multipleOf": 3}, {"maximum": 10**399}, {"const": 10**400 + 1}):
        with pytest.raises(BadOutput):
            parse(large, missed)
    assert parse("3.0", {"type": "integer"}) == 3.0


def test_instructions_hold_the_schema() -> None:
    assert '"type": "object"' in instruction(TREE)
    assert instruction(TREE) in repair_instruction(TREE)


@pytest.mark.parametrize("schema", [TREE, None])
def test_a_repair_tells_the_fault_with_or_without_a_schema(schema: dict[str, Any] | None) -> None:
    assert "could not be used: It cites [2]." in repair_instruction(schema, "It cites [2].")
