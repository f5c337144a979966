"""Answers to a JSON Schema: what a model is told, how its text is read, and whether the schema is one at all."""

import json
from typing import TYPE_CHECKING, Any, NoReturn

from broker.errors import BadOutput, InvalidRequest

if TYPE_CHECKING:
    from jsonschema.protocols import Validator
    from referencing import Resource
    from referencing._core import Resolver

_DEEPEST = 100
"""Levels of schemas in schemas."""

_LONGEST_PATH = 200
_REFERENCES = ("$ref", "$dynamicRef")


def instruction(schema: dict[str, Any]) -> str:
    """What a model is told whose service takes no schema of its own."""
    return (
        "Answer with one JSON value that is valid under the following JSON Schema, and with nothing else: "
        f"no explanation and no code fence.\n{json.dumps(schema)}"
    )


def repair_instruction(schema: dict[str, Any]) -> str:
    """What a model is told after an answer that missed the schema; also for services that were given the schema."""
    return f"The last answer to this was not valid under the required JSON Schema. {instruction(schema)}"


def loads(text: str | bytes) -> Any:
    """Read JSON as RFC 8259 has it: `NaN` and `Infinity` are no numbers, and a half of a surrogate pair is no text.

    Raises:
        ValueError: the text is not JSON, or nested deeper than Python can follow; the message never quotes it.
    """
    try:
        value = json.loads(text, parse_constant=_no_number)
        mark = b"\\ud" if isinstance(text, bytes) else "\\ud"
        if mark in text.lower():  # type: ignore[operator]
            check_storable(value)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    return value


def check_storable(value: Any) -> None:
    """Find what Python's values can hold and no store takes: halves of surrogate pairs, numbers that are not finite.

    Raises:
        ValueError: there is one; the message never quotes it.
    """
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None


def parse(text: str, schema: dict[str, Any]) -> Any:
    """The JSON value that a model's text holds, valid under the schema. A code fence around it is tolerated.

    Raises:
        BadOutput: no JSON, or outside the schema; the message names the schema's rule, never a value. The answer
            has been paid for.
        InvalidRequest: the schema itself is broken.
    """
    try:
        value = loads(_unfenced(text))
        check_storable(value)
    except ValueError:
        raise BadOutput("The model's answer is not JSON.", code="not_json", maybe_paid=True) from None
    validator = _validator(schema)
    try:
        fault = next(validator.iter_errors(value), None)
    except (RecursionError, ArithmeticError):
        raise BadOutput(
            "The model's answer is too deep or too large to check.", code="schema_not_met", maybe_paid=True
        ) from None
    if fault is not None:
        # The path in the schema is the tenant's own; the path in the answer could hold keys that the model made up.
        rule = "/".join(str(part) for part in fault.absolute_schema_path)[:_LONGEST_PATH]
        message = f"The model's answer does not meet the schema at {rule}."
        raise BadOutput(message, code="schema_not_met", maybe_paid=True)
    return value


def check_schema(schema: dict[str, Any]) -> None:
    """Check a schema before work is accepted with it. References are followed inside it, and never fetched.

    Raises:
        InvalidRequest: it is no JSON Schema, or refers to something outside itself, or in a circle.
    """
    _validator(schema)


def _validator(schema: dict[str, Any]) -> "Validator":
    from jsonschema import Draft202012Validator, SchemaError
    from jsonschema.validators import validator_for
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012, EMPTY_REGISTRY, specification_with

    dialect = schema.get("$schema", "")
    if not isinstance(dialect, str):
        _no_schema("invalid_schema", "$schema has to be a text")
    try:
        kind = validator_for(schema, default=Draft202012Validator)
        kind.check_schema(schema)
        root = specification_with(dialect, default=DRAFT202012).create_resource(schema)
        _follow(root, EMPTY_REGISTRY.resolver_with_root(root))
        # With a registry of its own that knows nothing else: jsonschema's default fetches what a reference names.
        validator: Validator = kind(schema, registry=EMPTY_REGISTRY)
        validator.is_valid(None)
    except SchemaError as error:
        rule = "/".join(str(part) for part in error.absolute_path)[:_LONGEST_PATH]
        _no_schema("invalid_schema", f"it is no JSON Schema{f' at {rule}' if rule else ''}")
    except Unresolvable:
        _no_schema("unresolved_reference", "a reference leads outside it or to nothing")
    except RecursionError:
        _no_schema("circular_schema", "its references go in a circle, or it is nested too deep")
    except (ValueError, OverflowError):  # an address or a pattern that Python cannot read
        _no_schema("invalid_schema", "it holds an address or a pattern that cannot be read")
    return validator


def _follow(resource: "Resource[Any]", resolver: "Resolver[Any]", depth: int = 0) -> None:
    if depth > _DEEPEST:  # said here, for Python's own limit differs by version and by how deep the caller is
        raise RecursionError
    if isinstance(resource.contents, dict):
        for name in _REFERENCES:
            if isinstance(reference := resource.contents.get(name), str):
                resolver.lookup(reference)
    for inner in resource.subresources():
        _follow(inner, resolver.in_subresource(inner), depth + 1)


def _no_schema(code: str, why: str) -> NoReturn:
    raise InvalidRequest(f"output_schema cannot be used: {why}.", code=code, param="output_schema") from None


def _unfenced(text: str) -> str:
    bare = text.strip("\ufeff \t\r\n")
    if bare.startswith("```") and bare.endswith("```") and "\n" in bare:
        return bare[bare.index("\n") : -3]
    return bare


def _no_number(name: str) -> float:
    raise ValueError(name)
