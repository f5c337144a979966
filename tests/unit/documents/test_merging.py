"""Merging: what parts of a document say becomes one object, and what they do not agree on is kept and told."""

import json
from typing import Any

import pytest
from broker.documents.merging import Found, Rules, merge, of_a_part
from broker.json_schema.checking import check_schema
from hypothesis import given, settings
from hypothesis import strategies as some

SCHEMA = {
    "type": "object",
    "required": ["number", "total", "lines"],
    "properties": {
        "number": {"type": "string", "minLength": 1},
        "total": {"type": "number"},
        "paid": {"type": ["boolean", "null"]},
        "buyer": {"$ref": "#/$defs/firm"},
        "lines": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/line"}},
    },
    "$defs": {
        "firm": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
        "line": {
            "type": "object",
            "required": ["what"],
            "properties": {"what": {"type": "string"}, "n": {"type": "integer"}},
        },
    },
}


def found(*values: dict[str, Any]) -> list[Found]:
    return [Found(part, (2 * part - 1, 2 * part), value) for part, value in enumerate(values, 1)]


def test_lists_are_joined_in_order_without_doubles_and_scalars_that_agree_are_one() -> None:
    one = {"number": "A 17", "total": 12, "lines": [{"what": "Lamp oil", "n": 1}, {"what": "Wicks"}]}
    two = {"number": "a  17", "total": 12.0, "lines": [{"what": "wicks"}, {"what": "Rope"}], "paid": True}
    merged = merge(found(one, two), SCHEMA)
    assert merged.value == {
        "number": "A 17",
        "total": 12,
        "lines": [{"what": "Lamp oil", "n": 1}, {"what": "Wicks"}, {"what": "Rope"}],
        "paid": True,
    }
    assert list(merged.value) == ["number", "total", "paid", "lines"], "in the order of the schema"
    assert merged.conflicts == []


def test_an_entry_that_one_part_has_twice_stands_twice() -> None:
    coffee, tea = {"what": "Coffee", "n": 1}, {"what": "Tea", "n": 1}
    merged = merge(found({"lines": [coffee, tea, coffee]}, {"lines": [coffee]}, {"lines": [tea, coffee, coffee]}))
    assert merged.value == {"lines": [coffee, tea, coffee]}


def test_what_says_nothing_is_no_value() -> None:
    merged = merge(found({"number": None, "lines": []}, {"number": "", "lines": []}, {"number": "7", "buyer": None}))
    assert merged.value == {"number": "7", "lines": [], "buyer": None} and merged.conflicts == []


@pytest.mark.parametrize(
    ("rule", "taken", "others"), [("first", 1, [2, 3]), ("most", 2, [1, 3]), ("confidence", 3, [1, 2])]
)
def test_scalars_that_differ_are_taken_by_the_rule_and_told_with_parts_and_pages(
    rule: Any, taken: int, others: list[int]
) -> None:
    values = [{"total": 1}, {"total": 2, "confidence": 0.4}, {"total": 2}, {"total": 3, "confidence": 0.9}]
    merged = merge(found(*values), SCHEMA, Rules(rule))
    assert merged.value["total"] == taken
    (conflict,) = merged.conflicts
    assert (conflict["path"], conflict["taken"]) == ("$.total", taken)
    assert [each["value"] for each in conflict["others"]] == others
    if taken != 2:
        two = next(each for each in conflict["others"] if each["value"] == 2)
        assert (two["parts"], two["pages"]) == ([2, 3], [3, 4, 5, 6])
    assert merged.value["confidence"] == 0.9, "how sure the surest is; and no conflict"


@pytest.mark.parametrize("sure", [True, "0.99", 10**400, -5, None, [1], {"total": 1}, 1e999])
def test_a_confidence_that_is_none_wins_nothing(sure: Any) -> None:
    merged = merge(found({"total": 1, "confidence": 0.5}, {"total": 2, "confidence": sure}), None, Rules("confidence"))
    assert merged.value["total"] == 1


def test_values_of_the_types_that_the_schema_asks_for_stay() -> None:
    merged = merge(found({"total": "twelve", "lines": "none"}, {"total": 12, "lines": [{"what": "Oil"}]}), SCHEMA)
    assert merged.value == {"total": 12, "lines": [{"what": "Oil"}]}
    assert [(each["path"], each["others"][0]["value"]) for each in merged.conflicts] == [
        ("$.total", "twelve"),
        ("$.lines", "none"),
    ]


def test_true_is_no_number_and_one_is_not_true() -> None:
    merged = merge(found({"paid": 1}, {"paid": True}), SCHEMA)
    assert merged.value == {"paid": True} and merged.conflicts[0]["others"][0]["value"] == 1


def test_entries_with_the_same_key_are_one_and_may_differ() -> None:
    one = {"lines": [{"what": "Oil", "n": 1}, {"what": "Rope"}, {"n": 5}]}
    two = {"lines": [{"what": "oil", "n": 2, "unit": "l"}, {"n": 5}]}
    merged = merge(found(one, two), SCHEMA, Rules(keys={"lines": "what"}))
    assert merged.value == {"lines": [{"what": "Oil", "n": 1, "unit": "l"}, {"what": "Rope"}, {"n": 5}]}
    (conflict,) = merged.conflicts
    assert (conflict["path"], conflict["taken"]) == ("$.lines[0].n", 1)


def test_lists_inside_of_objects_have_their_own_keys() -> None:
    values = ({"a": {"b": [{"id": 1, "x": "p"}]}}, {"a": {"b": [{"id": 1, "y": "q"}]}})
    assert merge(found(*values), None, Rules(keys={"a.b": "id"})).value == {"a": {"b": [{"id": 1, "x": "p", "y": "q"}]}}


def test_a_part_need_not_have_what_the_whole_must() -> None:
    relaxed = of_a_part(SCHEMA)
    assert check_schema(relaxed).fault({"lines": []}, 20) is None
    assert check_schema(relaxed).fault({"total": "x"}, 20) is not None, "types hold for parts too"
    assert "required" not in json.dumps(relaxed) and SCHEMA["required"]
    named = {
        "properties": {"required": {"type": "string"}, "contains": {"enum": ["minItems"]}},
        "required": ["required"],
    }
    assert of_a_part(named) == {"properties": named["properties"]}, "fields that are called so stay"


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | some.text(max_size=4),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)
OBJECTS = some.dictionaries(some.sampled_from("abcd"), JSON, max_size=4)
RULES = some.builds(Rules, some.sampled_from(["first", "most", "confidence"]), some.just("c"), some.just({"a": "b"}))


def leaves(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [leaf for each in value.values() for leaf in leaves(each)]
    if isinstance(value, list):
        return [leaf for each in value for leaf in leaves(each)]
    return [json.dumps(value)]


@settings(max_examples=300, deadline=None)
@given(some.lists(OBJECTS, min_size=1, max_size=4), RULES)
def test_whatever_parts_say_no_field_is_lost_and_the_same_comes_of_the_same(
    values: list[dict[str, Any]], rules: Rules
) -> None:
    merged = merge(found(*values), None, rules)
    assert set(merged.value) == {key for each in values for key in each}
    assert merge(found(*values), None, rules) == merged
    given_leaves = {leaf for each in values for leaf in leaves(each)}
    assert set(leaves(merged.value)) <= given_leaves, "nothing is said that no part said"
    json.dumps([merged.value, merged.conflicts])


@settings(max_examples=200, deadline=None)
@given(OBJECTS)
def test_the_same_twice_is_the_same_once(value: dict[str, Any]) -> None:
    once = merge(found(value))
    assert merge(found(value, value)).value == once.value
    assert once.conflicts == []
