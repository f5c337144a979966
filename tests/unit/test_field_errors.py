"""Errors speak the contract's language: whatever is wrong, and however odd the body is."""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from broker.errors import InvalidRequest
from broker.jobs.field_errors import FORM, MISSING, OTHERWISE, WORDS
from broker.jobs.request import JobRequest, parse_request, stored_form
from broker.registry.document import LabelArms, RegistryFile, Rollback
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
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
"""The errors that each kind of the library's schemas can give."""

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
    if isinstance(schema, dict):
        if isinstance(schema.get("type"), str):
            yield schema
        schema = [each for name, each in schema.items() if name not in ("metadata", "serialization", "default")]
    if isinstance(schema, list | tuple):
        for inner in schema:
            yield from core(inner)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_error_that_a_model_can_give_has_words(model: type[BaseModel]) -> None:
    schema = model.__pydantic_core_schema__
    strange = {each["type"] for each in core(schema)} - GIVES.keys()
    assert not strange, f"kinds of schemas that nobody looked at: say in GIVES what they can give: {strange}"
    possible = {error for each in core(schema) for error in GIVES[each["type"]]}
    for each in core(schema):
        possible |= {error for bound, error in BOUNDS.get(each["type"], {}).items() if each.get(bound) is not None}
    assert {"missing", "extra_forbidden", "int_type"} <= possible, "the models were not walked"
    assert possible <= WORDS.keys()


def test_the_words_are_of_errors_that_there_are() -> None:
    examples = {each["type"]: each for each in list_all_errors()}
    for kind, words in WORDS.items():
        if kind == "unfit":
            continue
        said = words.format(**examples[kind].get("example_context") or {})
        assert not LIBRARY.search(said), said
    assert set(MISSING) <= WORDS.keys()
    assert FORM not in examples


def test_an_error_that_nobody_thought_of_is_told_in_our_words() -> None:
    from broker.jobs.field_errors import place, words

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
