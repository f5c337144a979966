"""Variables of a template, held against what it declares, in those words of JSON Schema that variables need.

`jsonschema` would do more and takes a tenth of a second to load, in the function that answers `POST /v1/jobs`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from broker.errors import InvalidRequest

Schema = Mapping[str, Any]

VARIABLES = "prompt.variables"

TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}

RULES: dict[str, tuple[Callable[[Any, Any], bool], str]] = {
    "enum": (lambda value, allowed: value in allowed, "is one of {}"),
    "minLength": (lambda value, least: len(value) >= least, "has {} characters at least"),
    "maxLength": (lambda value, most: len(value) <= most, "has {} characters at most"),
    "pattern": (lambda value, pattern: re.search(pattern, value) is not None, "has to match {}"),
    "minimum": (lambda value, least: value >= least, "is {} at least"),
    "maximum": (lambda value, most: value <= most, "is {} at most"),
    "minItems": (lambda value, least: len(value) >= least, "has {} items at least"),
    "maxItems": (lambda value, most: len(value) <= most, "has {} items at most"),
}
"""What holds, and how it is said, by keyword."""


def checked(declared: Mapping[str, Schema], given: Mapping[str, Any], path: str = VARIABLES) -> dict[str, Any]:
    """The values with defaults in the places of those that were left out.

    Raises:
        InvalidRequest: one is missing, superfluous or not as declared; `param` names it.
    """
    missing = sorted(name for name, schema in declared.items() if name not in given and "default" not in schema)
    if missing:
        raise _fault(f"{path}.{missing[0]}", "The prompt needs the variable {}.", "missing_variable")
    if extra := sorted(given.keys() - declared.keys()):
        raise _fault(f"{path}.{extra[0]}", "The prompt has no variable {}.", "unknown_variable")
    return {
        name: _checked(schema, given[name], f"{path}.{name}") if name in given else schema["default"]
        for name, schema in declared.items()
    }


def _checked(schema: Schema, value: Any, path: str) -> Any:
    if not TYPES[schema["type"]](value):
        raise _fault(path, f"The variable {{}} has to be of type {schema['type']}.", "wrong_variable")
    for keyword, (holds, what) in RULES.items():
        if keyword in schema and not holds(value, schema[keyword]):
            raise _fault(path, f"The variable {{}} {what}.", "wrong_variable", schema[keyword])
    if isinstance(value, list):
        return [_checked(schema["items"], item, f"{path}.{place}") for place, item in enumerate(value)]
    return checked(schema["properties"], value, path) if isinstance(value, dict) else value


def _fault(path: str, message: str, code: str, bound: Any = None) -> InvalidRequest:
    name = path.removeprefix(f"{VARIABLES}.")
    return InvalidRequest(message.format(repr(name), bound), code=code, param=path)
