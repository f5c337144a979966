"""Variables of a template, held against what it declares, in those words of JSON Schema that variables need."""

from collections.abc import Collection, Mapping
from typing import Any

from broker.errors import InvalidRequest
from broker.json_schema import checking

Schema = Mapping[str, Any]

VARIABLES = "prompt.variables"

RULES: dict[str, str] = {
    "enum": "is one of {}",
    "minLength": "has {} characters at least",
    "maxLength": "has {} characters at most",
    "pattern": "has to match {}",
    "minimum": "is {} at least",
    "maximum": "is {} at most",
    "minItems": "has {} items at least",
    "maxItems": "has {} items at most",
}
"""How it is said that a rule is missed, by keyword."""


def checked(declared: Mapping[str, Schema], given: Mapping[str, Any], path: str = VARIABLES) -> dict[str, Any]:
    """The values with defaults in the places of those that were left out.

    Raises:
        InvalidRequest: one is missing, superfluous or not as declared; `param` names it.
    """
    _check(declared, given, path)
    return _filled(declared, given)


def columns_fault(declared: Mapping[str, Schema], names: Collection[str]) -> str | None:
    """Why no row of a table of texts with these columns could be values; None where one could."""
    lacks = [name for name, schema in declared.items() if name not in names and "default" not in schema]
    more = [name for name in names if name not in declared]
    other = [name for name in names if declared.get(name, {}).get("type", "string") != "string"]
    faults = ((lacks, "it needs {}"), (more, "it has no {}"), (other, "not texts are {}"))
    told = [text.format(", ".join(map(repr, found))) for found, text in faults if found]
    return f"The columns are not the prompt's variables: {'; '.join(told)}." if told else None


def check_pattern(pattern: str) -> None:
    """Check that a pattern can be held against texts.

    Raises:
        InvalidRequest: it cannot.
    """
    checking.check_schema({"pattern": pattern}, "pattern")


def _check(declared: Mapping[str, Schema], given: Mapping[str, Any], path: str) -> None:
    error = checking.check_schema(_object(declared), path).first_fault(given)
    if error is None:
        return
    place = ".".join([path, *(str(part) for part in error.instance_path)])
    match error.kind.name:
        case "required":
            raise _fault(f"{place}.{error.kind.value}", "The prompt needs the variable {}.", "missing_variable")
        case "additionalProperties":
            raise _fault(f"{place}.{error.kind.value[0]}", "The prompt has no variable {}.", "unknown_variable")
        case "type":
            message = f"The variable {{}} has to be of type {error.kind.value[0]}."
            raise _fault(place, message, "wrong_variable")
        case keyword:
            raise _fault(place, f"The variable {{}} {RULES[keyword]}.", "wrong_variable", error.kind.value)


def _object(declared: Mapping[str, Schema]) -> dict[str, Any]:
    """What is declared, as a schema of them all."""
    needed = [name for name, schema in declared.items() if "default" not in schema]
    properties = {name: _plain(schema) for name, schema in declared.items()}
    return {"type": "object", "properties": properties, "required": needed, "additionalProperties": False}


def _plain(schema: Schema) -> dict[str, Any]:
    if schema["type"] == "object":
        return _object(schema["properties"])
    plain = {name: schema[name] for name in ("type", *RULES) if name in schema}
    return plain | ({"items": _plain(schema["items"])} if "items" in schema else {})


def _filled(declared: Mapping[str, Schema], given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _with_defaults(schema, given[name]) if name in given else schema["default"]
        for name, schema in declared.items()
    }


def _with_defaults(schema: Schema, value: Any) -> Any:
    if isinstance(value, list):
        return [_with_defaults(schema["items"], item) for item in value]
    return _filled(schema["properties"], value) if isinstance(value, dict) else value


def _fault(path: str, message: str, code: str, bound: Any = None) -> InvalidRequest:
    name = path.removeprefix(f"{VARIABLES}.")
    return InvalidRequest(message.format(repr(name), bound), code=code, param=path)
