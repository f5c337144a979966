"""Errors speak the contract's language: whatever is wrong, and however odd the body is."""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from broker.errors import InvalidRequest
from broker.jobs.field_errors import (
    FORM,
    MISSING,
    NO_NUMBER,
    NO_TRUTH,
    NO_WHOLE_NUMBER,
    OTHERWISE,
    WORDS,
    place,
    words,
)
from broker.jobs.request import JobRequest, parse_request, stored_form
from broker.registry.document import LabelArms, RegistryFile, Rollback
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_core._pydantic_core import list_all_errors

from tests.unit.test_messages import TAKEN, TOOL
from tests.unit.test_request import GOOD

LIBRARY = re.compile(
    "instance of|Extra inputs|Input should|Value error|Field required|Assertion|Unable to|should (be|have|match)"
    "|[Ii]nput tag|[Vv]alid (string|integer|number|list|dictionary)|pydantic|Dictionary|<[a-z]+>|\\{[a-z_]+\\}"
)

GIVES: dict[str, tuple[str, ...]] = {
    "any": (),
    "bool": ("bool_type", "bool_parsing"),
    "custom-error": (),
    "date": ("date_type", "date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact"),
    "default": (),
    "definition-ref": (),
    "definitions": (),
    "dict": ("dict_type",),
    "enum": ("enum",),
    "float": ("float_type", "float_parsing"),
    "function-after": ("value_error",),
    "function-before": ("value_error",),
    "function-plain": ("value_error",),
    "function-wrap": ("value_error",),
    "int": ("int_type", "int_parsing", "int_parsing_size", "int_from_float"),
    "list": ("list_type",),
    "literal": ("literal_error",),
    "model": ("model_type", "model_attributes_type"),
    "model-field": ("missing",),
    "model-fields": ("extra_forbidden",),
    "no-info": (),
    "none": ("none_required",),
    "nullable": (),
    "str": ("string_type", "string_sub_type", "string_unicode"),
    "tagged-union": ("union_tag_invalid", "union_tag_not_found"),
    "union": (),
    "with-info": (),
}
"""The errors that each kind of the library's schemas can give; a `custom-error` has its own words for what is in it."""

NUMBERS = {
    **{"gt": "greater_than", "ge": "greater_than_equal", "lt": "less_than", "le": "less_than_equal"},
    **{"allow_inf_nan": "finite_number", "multiple_of": "multiple_of"},
}
BOUNDS: dict[str, dict[str, str]] = {
    "str": {"min_length": "string_too_short", "max_length": "string_too_long", "pattern": "string_pattern_mismatch"},
    "list": {"min_length": "too_short", "max_length": "too_long"},
    "dict": {"min_length": "too_short", "max_length": "too_long"},
    "int": NUMBERS,
    "float": NUMBERS,
}

MODELS: tuple[type[BaseModel], ...] = (JobRequest, RegistryFile, Rollback, LabelArms)


def core(schema: Any) -> Iterator[dict[str, Any]]:
    """The library's schemas in one of them."""
    return outside(schema)


def outside(schema: Any, *kinds: str) -> Iterator[dict[str, Any]]:
    """The library's schemas in one of them, but those within some kinds."""
    if isinstance(schema, dict):
        if isinstance(schema.get("type"), str):
            yield schema
        if schema.get("type") in kinds:
            return
        schema = [each for name, each in schema.items() if name not in ("metadata", "serialization", "default")]
    if isinstance(schema, list | tuple):
        for inner in schema:
            yield from outside(inner, *kinds)


PARTS: dict[str, type[BaseModel]] = {
    part.__name__: part
    for model in MODELS
    for part in [each["cls"] for each in core(model.__pydantic_core_schema__) if each["type"] == "model"]
}
"""The models of bodies, and those that they are made of."""

FIELDS = [(part, name) for part in PARTS.values() for name in part.model_fields]


def of(part: type[BaseModel], name: str, *kinds: str) -> list[dict[str, Any]]:
    """The library's schemas of these kinds that a field is of by itself, not by parts that are models."""
    part.model_rebuild()
    (fields,) = [each for each in core(part.__pydantic_core_schema__) if name in each.get("fields", ())][:1]
    return [each for each in outside(fields["fields"][name], "model", "list", "dict") if each["type"] in kinds]


def faults(part: type[BaseModel], name: str, value: Any) -> set[str]:
    """What is said of a field that has this value; what is said of others is nobody's concern here."""
    try:
        part.model_validate({name: value})
    except ValidationError as error:
        return {words(each) for each in error.errors(include_url=False) if each["loc"][:1] == (name,)}
    return set()


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_error_that_a_model_can_give_has_words(model: type[BaseModel]) -> None:
    schema = model.__pydantic_core_schema__
    strange = {each["type"] for each in core(schema)} - GIVES.keys()
    assert not strange, f"kinds of schemas that nobody looked at: say in GIVES what they can give: {strange}"
    possible = {error for each in core(schema) for error in GIVES[each["type"]]}
    for each in outside(schema, "custom-error"):
        possible |= {error for bound, error in BOUNDS.get(each["type"], {}).items() if each.get(bound) is not None}
    assert {"missing", "extra_forbidden", "int_type"} <= possible, "the models were not walked"
    assert possible <= WORDS.keys()


ODD: dict[str, tuple[Any, ...]] = {
    "int": ("5", "", True, False, 5.5, float("inf"), [5]),
    "float": ("5", "nan", True, False, [5]),
    "bool": ("yes", "true", "", 0, 1, 1.0, []),
}
SAID = {"int": NO_WHOLE_NUMBER, "float": NO_NUMBER, "bool": NO_TRUTH}


@pytest.mark.parametrize("kind", ODD)
def test_numbers_and_truth_values_are_those_of_json(kind: str) -> None:
    exact = [(part, name) for part, name in FIELDS if of(part, name, kind)]
    assert len(exact) > 3, "the models were not walked"
    for part, name in exact:
        others = of(part, name, *(ODD.keys() - {kind}))
        for value in () if others else ODD[kind]:
            assert faults(part, name, value) == {SAID[kind]}, f"{part.__name__}.{name} of {value!r}"


def test_a_number_without_a_fraction_is_whole() -> None:
    for part, name in FIELDS:
        if of(part, name, "int"):
            assert faults(part, name, 5.0) == faults(part, name, 5), f"{part.__name__}.{name}"
    whole = parse_request({"input": "Hi", "deadline_seconds": 60.0, "parameters": {"temperature": 1}})
    assert stored_form(whole) == stored_form(
        parse_request({"input": "Hi", "deadline_seconds": 60, "parameters": {"temperature": 1.0}})
    )


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_no_number_and_no_truth_value_is_guessed_wherever_it_stands(model: type[BaseModel]) -> None:
    for each in core(model.__pydantic_core_schema__):
        if each["type"] in ODD:
            assert each.get("strict") is True, each


PATTERN = re.compile(r"[\\^$*+?|\[\]]|\{\d")


def test_a_pattern_is_told_in_words() -> None:
    for model in MODELS:
        for each in core(model.__pydantic_core_schema__):
            said = each.get("custom_error_message", "")
            assert not PATTERN.search(said) and not LIBRARY.search(said), said
    worded = 0
    for part, name in FIELDS:
        if any("pattern" in each for each in of(part, name, "str")):
            for value in ("\n", "", 5):
                (said,) = faults(part, name, value)
                assert not PATTERN.search(said) and not LIBRARY.search(said), f"{part.__name__}.{name}: {said}"
                worded += 1
    assert worded > 30, "the models were not walked"


def test_the_words_are_of_errors_that_there_are() -> None:
    examples = {each["type"]: each for each in list_all_errors()}
    for kind, form in WORDS.items():
        if kind == "unfit":
            continue
        said = form.format(**examples[kind].get("example_context") or {})
        assert not LIBRARY.search(said), said
    assert set(MISSING) <= WORDS.keys()
    assert FORM not in examples


def test_an_error_that_nobody_thought_of_is_told_in_our_words() -> None:
    odd: ErrorDetails = {"type": "odd", "loc": ("a", "b"), "msg": "Input should be odd", "input": 5}
    assert words(odd) == OTHERWISE
    assert place(odd, {"a": {"b": 5}}) == "a.b"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["", " ", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
BODIES = [
    *GOOD,
    *({"input": {"messages": messages}} for messages in TAKEN.values()),
    {
        "input": {
            "messages": TAKEN["names"],
            "tools": [TOOL],
            "tool_choice": {"type": "function", "function": {"name": "x"}},
        }
    },
]


def spots(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield from spots(each, (*path, name))


@st.composite
def mutated(draw: Any) -> Any:
    """A body that is taken, with a few places changed, left out or added to."""
    body = copy.deepcopy(draw(st.sampled_from(BODIES)))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(spots(body))))
        if not path:
            continue
        holder = body
        for part in path[:-1]:
            holder = holder[part]
        match draw(st.sampled_from(["set", "drop", "add", "repeat"])):
            case "set":
                holder[path[-1]] = draw(JSON)
            case "drop":
                del holder[path[-1]]
            case "add" if isinstance(holder, dict):
                holder[draw(st.text(max_size=5) | st.sampled_from(["content", "type", "name", "tool_calls"]))] = draw(
                    JSON
                )
            case "add" | "repeat":
                if isinstance(holder, list):
                    holder.append(copy.deepcopy(holder[path[-1]]))
    return body


@given(mutated() | JSON)
@settings(max_examples=400, deadline=None)
def test_any_body_is_a_request_or_an_error_that_names_its_place(body: Any) -> None:
    try:
        kept = stored_form(parse_request(body))
    except InvalidRequest as error:
        assert not LIBRARY.search(error.message.partition(": ")[2]), error.message
        assert error.param is None or lies_in(body, error.param), (error.param, error.message)
    else:
        assert stored_form(parse_request(json.loads(json.dumps(kept)))) == kept


def lies_in(body: Any, param: str) -> bool:
    """Whether a place is in the body, or is what is missing there; names may have dots."""
    if isinstance(body, list):
        first, _, rest = param.partition(".")
        return first.isdecimal() and int(first) < len(body) and (not rest or lies_in(body[int(first)], rest))
    if not isinstance(body, dict):
        return False
    for name, inner in body.items():
        if param == name or (param.startswith(f"{name}.") and lies_in(inner, param[len(name) + 1 :])):
            return True
    return re.fullmatch(r"[a-z_.]+", param) is not None
