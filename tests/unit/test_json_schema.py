"""Schemas are walked as graphs before anything is made of them: what is hostile is refused, what is usual is taken."""

import json
from typing import Any

import pytest
from broker.errors import BadOutput, InvalidRequest
from broker.json_schema.checking import MOST_WORK, TooMuch, check_schema
from broker.json_schema.graph import Graph
from broker.json_schema.patterns import states
from broker.providers.wire.structured import parse
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

LATEST = "https://json-schema.org/draft/2020-12/schema"
OLDEST = "http://json-schema.org/draft-04/schema#"
OLD = "http://json-schema.org/draft-07/schema#"


def doubling(levels: int, make: Any) -> dict[str, Any]:
    rules = {f"a{n}": make({"$ref": f"#/$defs/a{n + 1}"}) for n in range(levels)}
    return {"$ref": "#/$defs/a0", "$defs": {**rules, f"a{levels}": {"type": "integer"}}}


def chain(length: int, make: Any) -> dict[str, Any]:
    rules = {f"a{n}": make({"$ref": f"#/$defs/a{n + 1}"}) for n in range(length)}
    return {"$ref": "#/$defs/a0", "$defs": {**rules, f"a{length}": {}}}


def nested(levels: int, inner: dict[str, Any], make: Any) -> dict[str, Any]:
    for _ in range(levels):
        inner = make(inner)
    return inner


HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "doubling": (doubling(20, lambda next_: {"allOf": [next_, next_]}), "schema_too_large"),
    "doubling in any": (doubling(20, lambda next_: {"anyOf": [next_, {"not": next_}]}), "schema_too_large"),
    "doubling inside": (doubling(20, lambda next_: {"items": {"allOf": [next_, next_]}}), "schema_too_large"),
    "doubling by siblings": (doubling(20, lambda next_: {**next_, "if": next_}), "schema_too_large"),
    "what is evaluated again": (
        nested(20, {"unevaluatedProperties": False}, lambda inner: {"allOf": [inner], "unevaluatedProperties": False}),
        "schema_too_large",
    ),
    "a chain": (chain(4_000, lambda next_: next_), "circular_schema"),
    "a chain that was not begun at its end": (
        {"$defs": dict(reversed(chain(90, lambda next_: next_)["$defs"].items())), "$ref": "#/$defs/a0"},
        "circular_schema",
    ),
    "a chain downwards": (chain(2_000, lambda next_: {"items": next_}), "circular_schema"),
    "a circle": ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}}}, "circular_schema"),
    "a circle by condition": ({"if": {"$ref": "#"}}, "circular_schema"),
    "a dynamic circle": ({"$dynamicAnchor": "a", "$dynamicRef": "#a"}, "circular_schema"),
    "a recursive circle": ({"$schema": "https://json-schema.org/draft/2019-09/schema", "$recursiveRef": "#"},
                           "circular_schema"),
    "a pattern of a million states": ({"pattern": "a{1000}{1000}"}, "schema_too_large"),
    "a pattern of millions of states in a group": ({"pattern": "((a{100}){100}){100}"}, "schema_too_large"),
    "many patterns": (
        {"properties": {f"p{n}": {"pattern": r"[\p{L}]{50}"} for n in range(1_000)}},
        "schema_too_large",
    ),
    "many schemas": ({"properties": {f"p{n}": {} for n in range(5_000)}}, "schema_too_large"),
    "many words": ({"enum": [f"w{n}" for n in range(50_001)]}, "schema_too_large"),
    "a name of many states": ({"patternProperties": {"a{1000}{1000}": {}}}, "schema_too_large"),
}  # fmt: skip


@pytest.mark.parametrize(("schema", "code"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_schema_is_refused(schema: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        check_schema(schema)
    assert (failure.value.code, failure.value.param) == (code, "output_schema")


ODD: dict[str, tuple[dict[str, Any], str]] = {
    "a number": ({"$ref": 5}, "invalid_schema"),
    "a number, dynamically": ({"$dynamicRef": 5}, "invalid_schema"),
    "a text": ({"title": "x", "$ref": "#/title"}, "unresolved_reference"),
    "a list": ({"enum": [1], "$ref": "#/enum"}, "unresolved_reference"),
    "a number in a list": ({"enum": [1], "$ref": "#/enum/0"}, "unresolved_reference"),
    "a place with a sign": ({"anyOf": [{}], "items": {"$ref": "#/anyOf/+0"}}, "unresolved_reference"),
    "past a list": ({"anyOf": [{}], "items": {"$ref": "#/anyOf/1"}}, "unresolved_reference"),
    "an anchor that is not there": ({"$ref": "#nowhere"}, "unresolved_reference"),
    "an odd name": ({"$id": 5}, "invalid_schema"),
    "a name that is no address": ({"$id": "http://[/"}, "invalid_schema"),
    "one name for two": ({"$defs": {"a": {"$id": "x"}, "b": {"$id": "X"}}}, "invalid_schema"),
    "one anchor for two": ({"$defs": {"a": {"$anchor": "x"}, "b": {"$anchor": "x"}}}, "invalid_schema"),
    "another dialect inside": ({"properties": {"a": {"$schema": OLD}}}, "invalid_schema"),
    "a dialect before 4": ({"$schema": "http://json-schema.org/draft-03/schema#", "extends": {}}, "invalid_schema"),
    "no schema where one stands": ({"properties": {"a": 5}}, "invalid_schema"),
    "no list": ({"allOf": {}}, "invalid_schema"),
    "no map": ({"properties": [{}]}, "invalid_schema"),
    "a list for a map": ({"dependentRequired": 5}, "invalid_schema"),
    "a list of nothing": ({"$defs": {"a": []}}, "invalid_schema"),
}


@pytest.mark.parametrize(("schema", "code"), ODD.values(), ids=ODD.keys())
def test_an_odd_schema_is_refused_by_name(schema: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        check_schema(schema)
    assert failure.value.code == code


TEXT = {"type": "string"}
USUAL: dict[str, tuple[dict[str, Any], Any, Any]] = {
    "a percent-encoded pointer": ({"$defs": {"a b/c": TEXT}, "$ref": "#/$defs/a%20b~1c"}, "x", 5),
    "a pointer to an unusual place": ({"components": {"x": TEXT}, "items": {"$ref": "#/components/x"}}, ["x"], [5]),
    "a pointer into a list": ({"anyOf": [TEXT, {"type": "null"}], "items": {"$ref": "#/anyOf/0"}}, "x", 5),
    "an anchor": ({"$defs": {"a": {"$anchor": "t", **TEXT}}, "items": {"$ref": "#t"}}, ["x"], [5]),
    "an id": ({"$id": "https://x.org/a", "$defs": {"b": {"$id": "b", **TEXT}}, "$ref": "b"}, "x", 5),
    "an id of a draft": ({"$schema": OLD, "definitions": {"a": {"$id": "#t", **TEXT}}, "$ref": "#t"}, "x", 5),
    "an id of draft 4": (
        {"$schema": OLDEST, "definitions": {"a": {"id": "#t", **TEXT}}, "$ref": "#t"},
        "x",
        5,
    ),
    "a tree": ({"items": {"$ref": "#"}, "type": "array"}, [[], [[]]], [[5]]),
    "a dynamic tree": (
        {"$dynamicAnchor": "n", "type": "object", "properties": {"in": {"$dynamicRef": "#n"}}}, {"in": {}}, {"in": 5}
    ),
    "extends, which no draft of today knows": ({"extends": {"$ref": "#"}, **TEXT}, "x", 5),
    "a look ahead (as Pydantic writes decimals)": ({"pattern": "^(?!^[-+.]*$)[+-]?0*\\d*\\.?\\d*$"}, "1.5", "+"),
    "a whole number": ({"type": "integer"}, 3.0, 3.5),
    "a format, which is only told": ({"format": "email", **TEXT}, "no address", 5),
    "what is only mentioned": ({"const": {"$ref": "https://x.org/"}}, {"$ref": "https://x.org/"}, 5),
}  # fmt: skip


@pytest.mark.parametrize(("schema", "good", "bad"), USUAL.values(), ids=USUAL.keys())
def test_a_usual_schema_is_taken_and_means_what_it_says(schema: dict[str, Any], good: Any, bad: Any) -> None:
    assert parse(json.dumps(good), schema) == good
    with pytest.raises(BadOutput):
        parse(json.dumps(bad), schema)


TREE = {"properties": {"in": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}}


def test_an_answer_that_a_schema_multiplies_is_not_evaluated() -> None:
    deep = nested(40, {}, lambda inner: {"in": inner})
    with pytest.raises(TooMuch):
        check_schema(TREE).fault(deep, 300)
    with pytest.raises(BadOutput, match="too large to check"):
        parse(json.dumps(deep), TREE)
    assert check_schema(TREE).fault(nested(8, {}, lambda inner: {"in": inner}), 60) is None


@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        ({"pattern": "(a+)+$"}, "a" * 30 + "!"),
        ({"pattern": "^(?=(a|a)*$)b"}, "a" * 30 + "!"),
        ({"pattern": r"(a*)*\1b"}, "a" * 30),
        ({"patternProperties": {"^(a|a)*$": {}}, "additionalProperties": False}, {"a" * 30 + "!": 1}),
    ],
)
def test_a_slow_pattern_stops_by_itself(schema: dict[str, Any], answer: Any) -> None:
    with pytest.raises(BadOutput, match="does not meet the schema"):
        parse(json.dumps(answer), schema)


@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        ({"pattern": "(a|b)*a(a|b){900}c"}, "ab" * 200_000),
        ({"items": {"enum": [f"v{n}" for n in range(10_000)]}}, ["x"] * 10_000),
        ({"allOf": [{"items": {"type": "integer"}}] * 2_000}, [1] * 10_000),
    ],
    ids=["states", "words", "rules"],
)
def test_what_takes_too_long_is_known_before(schema: dict[str, Any], answer: Any) -> None:
    with pytest.raises(BadOutput, match="too large to check"):
        parse(json.dumps(answer), schema)


def test_an_answer_of_many_values_is_checked() -> None:
    row = {"type": "object", "properties": {"n": {"type": "integer"}, "s": {"pattern": "^[a-z]{1,20}$"}}}
    rows = [{"n": n, "s": "abc"} for n in range(20_000)]
    assert parse(json.dumps(rows), {"type": "array", "items": row}) == rows


def test_an_answer_that_is_too_deep_is_bad_output() -> None:
    with pytest.raises(BadOutput, match="too deep"):
        parse("[" * 65 + "]" * 65, {})
    assert parse("[" * 64 + "]" * 64, {"items": {"$ref": "#"}})


def test_a_fault_of_many_is_told_without_its_rule() -> None:
    choices = {"anyOf": [{"items": {"const": n}} for n in range(20)]}
    with pytest.raises(BadOutput) as failure:
        parse(json.dumps([-1] * 2_000), choices)
    assert failure.value.message == "The model's answer does not meet the schema."


@pytest.mark.parametrize(
    ("pattern", "least", "most"),
    [("abc", 3, 3), ("a{100}", 100, 100), ("(ab){10,20}", 40, 80), ("(a{10}){10}", 100, 150), ("[a-z]{1,64}x", 65, 65),
     ("a{2}{3}", 6, 6), (r"\d{4}-\d{2}", 7, 7), ("", 1, 1), (")(", 1, 3), ("{", 1, 1), ("a{,}", 1, 2)],
)  # fmt: skip
def test_the_states_of_a_pattern_are_about_counted(pattern: str, least: int, most: int) -> None:
    assert least <= states(pattern) <= most


plain = st.recursive(
    st.sampled_from(
        [{}, {"type": "integer"}, {"type": "string"}, {"minimum": 3}, {"maxLength": 2}, {"required": ["a"]}]
    ),
    lambda inner: st.one_of(
        st.builds(lambda each: {"allOf": each}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda each: {"anyOf": each}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda each: {"oneOf": each}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda each: {"not": each}, inner),
        st.builds(lambda each: {"items": each}, inner),
        st.builds(lambda one, two: {"properties": {"a": one}, "additionalProperties": two}, inner, inner),
    ),
    max_leaves=8,
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=8,
)


WORDS = """
    $ref $dynamicRef $recursiveRef $id id $anchor $dynamicAnchor $recursiveAnchor $schema $defs definitions $vocabulary
    allOf anyOf oneOf not if then else items prefixItems additionalItems contains properties patternProperties
    additionalProperties propertyNames dependencies dependentSchemas dependentRequired unevaluatedItems
    unevaluatedProperties required type enum const pattern format minLength minimum multipleOf minContains uniqueItems
    contentEncoding contentMediaType contentSchema extends disallow a
""".split()
LEAVES = [None, True, False, 0, -1, 1.5, 10**30, "", "#", "#/a", "#a", "a", "a#b", "%", "(", "(?=a)", "string", OLD]
odd = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(WORDS), odd, max_size=4), values)
@settings(max_examples=300, deadline=None)
def test_any_object_is_a_schema_or_is_refused(schema: dict[str, Any], value: Any) -> None:
    try:
        checked = check_schema(schema)
    except InvalidRequest as error:
        assert error.param == "output_schema"
        return
    assert isinstance(checked.fault(value, len(json.dumps(value))), str | None)


@given(plain, values)
def test_two_validators_agree_and_no_work_is_more_than_was_said(schema: dict[str, Any], value: Any) -> None:
    text = json.dumps(value)
    valid = check_schema(schema).fault(value, len(text)) is None
    assert valid is Draft202012Validator(schema).is_valid(value)
    graph = Graph(schema, LATEST)
    assert graph.work(value, MOST_WORK) <= graph.work_by_character() * len(text)
