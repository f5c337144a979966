"""Schemas whose root is not a plain object, put into an object that has them as its one property.

Tools' arguments are objects everywhere, and several services take no answer to a schema of another kind; nor do they
take a root that is a choice between objects. What comes back is unwrapped: the caller sees the schema that it gave.
"""

import json
from typing import Any

from broker.providers.wire import structured

Json = dict[str, Any]

VALUE = "value"
NOT_PLAIN = frozenset({"anyOf", "oneOf", "allOf", "not", "if", "enum", "const", "$ref", "$dynamicRef"})
"""Words that services refuse at the root."""
SHARED = ("$defs", "definitions")
"""Stays at the root, where references look for it."""
_DEEPEST = 100


def is_plain(schema: Json) -> bool:
    """True for what every service takes as the root: an object, and no choice between several."""
    return schema.get("type", "object") == "object" and not NOT_PLAIN & schema.keys()


def plain(schema: Json) -> Json:
    """A plain schema with what some services insist on: that it says so, and names its properties."""
    return {"type": "object", "properties": {}, **schema}


def wrapped(schema: Json) -> Json:
    """The schema as the one property of an object."""
    inner = {name: value for name, value in schema.items() if name not in (*SHARED, "$schema", "$id")}
    return {
        "type": "object",
        "properties": {VALUE: _moved(inner)},
        "required": [VALUE],
        "additionalProperties": False,
        **{name: _moved(schema[name]) for name in SHARED if name in schema},
    }


def _moved(schema: Any, depth: int = 0) -> Any:
    """The same, with references to the old root leading to where it is now."""
    if depth > _DEEPEST:
        return schema
    if isinstance(schema, list):
        return [_moved(each, depth + 1) for each in schema]
    if not isinstance(schema, dict):
        return schema
    moved = {name: _moved(each, depth + 1) for name, each in schema.items()}
    reference = schema.get("$ref")
    if isinstance(reference, str) and (reference == "#" or _is_inside(reference)):
        moved["$ref"] = f"#/properties/{VALUE}{reference[1:]}"
    return moved


def _is_inside(reference: str) -> bool:
    return reference.startswith("#/") and reference[2:].partition("/")[0] not in SHARED


def unwrapped(text: str) -> str | None:
    """The JSON of the value that a text of wrapped JSON holds; None where it is no such text, but perhaps the value."""
    try:
        found = structured.loads(text.strip("\ufeff \t\r\n"))
        bare = isinstance(found, dict) and found.keys() == {VALUE}
        return json.dumps(found[VALUE], ensure_ascii=False) if bare else None
    except (ValueError, RecursionError):
        return None
