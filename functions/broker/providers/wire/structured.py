"""Answers to a JSON Schema: what a model is told, and how its text is read."""

import json
from typing import Any

from broker.errors import BadOutput
from broker.json_schema import checking
from broker.json_text import DEEPEST, is_deeper


def instruction(schema: dict[str, Any]) -> str:
    """What a model is told whose service takes no schema of its own."""
    return (
        "Answer with one JSON value that is valid under the following JSON Schema, and with nothing else: "
        f"no explanation and no code fence.\n{json.dumps(schema)}"
    )


def repair_instruction(schema: dict[str, Any] | None, fault: str = "") -> str:
    """What a model is told after an answer that was not what was asked for; also where the service has the schema.

    Args:
        schema: of the answer, where it has one.
        fault: what was wrong.
    """
    what = f"The last answer to this could not be used{f': {fault}' if fault else '.'}"
    return f"{what} {'Answer once more, without this fault.' if schema is None else instruction(schema)}"


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
    checked = checking.check_schema(schema)
    try:
        if is_deeper(value, DEEPEST):
            raise checking.TooMuch
        rule = checked.fault(value, len(text))
    except checking.TooMuch:
        raise BadOutput(
            "The model's answer is too deep or too large to check.", code="schema_not_met", maybe_paid=True
        ) from None
    if rule is not None:
        # The path in the schema is the tenant's own; the path in the answer could hold keys that the model made up.
        message = f"The model's answer does not meet the schema{f' at {rule}' if rule else ''}."
        raise BadOutput(message, code="schema_not_met", maybe_paid=True)
    return value


def _unfenced(text: str) -> str:
    bare = text.strip("\ufeff \t\r\n")
    if bare.startswith("```") and bare.endswith("```") and "\n" in bare:
        return bare[bare.index("\n") : -3]
    return bare


def _no_number(name: str) -> float:
    raise ValueError(name)
