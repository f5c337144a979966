"""Where schemas stand in a JSON Schema, by keyword."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

Path = tuple[str, ...]
Where = Literal["here", "named", "property", "name", "placed", "item", "kept"]

ONE: dict[str, Where] = {
    **dict.fromkeys(("not", "if", "then", "else"), "here"),
    **dict.fromkeys(("additionalProperties", "unevaluatedProperties"), "property"),
    "propertyNames": "name",
    **dict.fromkeys(("additionalItems", "contains", "unevaluatedItems"), "item"),
    "contentSchema": "kept",
}
LIST: dict[str, Where] = {**dict.fromkeys(("allOf", "anyOf", "oneOf"), "here"), "prefixItems": "placed"}
MAP: dict[str, Where] = {
    "properties": "named",
    "patternProperties": "property",
    **dict.fromkeys(("dependentSchemas", "dependencies"), "here"),
    **dict.fromkeys(("$defs", "definitions"), "kept"),
}


class Malformed(Exception):
    """Something stands where no such thing may stand; `path` is the place in the schema."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path


class Unresolved(Malformed):
    """A reference leads outside of the schema or to nothing."""


class Circular(Exception):
    """Rules bring each other in at the same value, without end or nearly so."""


class SchemaTooLarge(Exception):
    """There are too many ways to rules."""


def places(schema: dict[str, Any], path: Path = ()) -> Iterator[tuple[str, Any, Path]]:
    """Where schemas stand in a schema: keyword, what stands there, and its path.

    Raises:
        Malformed: something else than an object or a boolean stands there.
    """
    for keyword, value in schema.items():
        found: Mapping[Any, Any]
        if keyword in LIST or (keyword == "items" and isinstance(value, list)):
            if not isinstance(value, list):
                raise Malformed((*path, keyword))
            found = dict(enumerate(value))
        elif keyword in MAP:
            if not isinstance(value, dict):
                raise Malformed((*path, keyword))
            found = {name: each for name, each in value.items() if not isinstance(each, list)}
            if keyword != "dependencies" and len(found) < len(value):
                raise Malformed((*path, keyword))
        elif keyword in ONE or keyword == "items":
            found = {"": value}
        else:
            continue
        for name, each in found.items():
            place = (*path, keyword, *([str(name)] if name != "" or keyword in MAP else []))
            if not isinstance(each, dict | bool):
                raise Malformed(place)
            yield keyword, each, place


def where(keyword: str, schema: dict[str, Any]) -> Where:
    """At which values the schemas of a keyword are checked, seen from the one that holds them."""
    if keyword == "items":
        return "placed" if isinstance(schema["items"], list) else "item"
    return ONE.get(keyword) or LIST.get(keyword) or MAP[keyword]
