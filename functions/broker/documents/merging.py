"""Merges the JSON objects that were found in the parts of a document into one, by its schema.

| what stands at a place | becomes |
|---|---|
| objects | one object, field by field |
| lists | one list in the order of the document, without doubles; entries that have the same key are merged as objects |
| scalars that agree | that value |
| scalars that do not | one of them by the rule, and a conflict that tells them all |

An entry stands in a list as often as in the part that has it most often. Nothing, null and an empty text say nothing.
Where values are of different types, those stay that the schema asks for,
else those of the first; the others are told as a conflict.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Scalars = Literal["first", "most", "confidence"]
"""Which of several values is taken: the first in the document, the one that most parts say, or the one of the part that
is surest."""

KEYWORDS_OF_WHOLE = (
    "required",
    "minItems",
    "minProperties",
    "minLength",
    "dependentRequired",
    "minContains",
    "contains",
)
"""Of JSON Schema: what a whole document has to have, and a part of it need not."""

HOLD_SCHEMAS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
"""Keywords whose values are schemas by name."""

TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int, float),
    "boolean": (bool,),
}

Json = Any


@dataclass(frozen=True, slots=True)
class Found:
    """The object of one part."""

    part: int
    pages: tuple[int, ...]
    value: Mapping[str, Json]


@dataclass(slots=True)
class Merged:
    """One object of all parts, and what they do not agree on."""

    value: dict[str, Json] = field(default_factory=dict)
    conflicts: list[dict[str, Json]] = field(default_factory=list)
    """`{"path", "taken", "others": [{"value", "parts", "pages"}]}`; the path is JSONPath."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How to merge."""

    scalars: Scalars = "first"
    confidence: str = "confidence"
    """The field by which an object says how sure it is of its scalars: a number, 0 to 1; all else is none."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """By the dotted name of a list (`invoice.lines`): the field by which two of its entries are the same thing."""


@dataclass(frozen=True, slots=True)
class _Said:
    """A value that a part says at a place."""

    value: Json
    part: int
    pages: tuple[int, ...]
    sure: float


def merge(found: Sequence[Found], schema: Mapping[str, Any] | None = None, rules: Rules | None = None) -> Merged:
    """Merge the objects of a document's parts, in their order.

    Args:
        found: what each part gave; each is nested no deeper than Python follows.
        schema: JSON Schema of the whole; its `$ref`s within itself are followed.
        rules: how.
    """
    merged = Merged()
    work = _Merging(rules or Rules(), schema or {}, merged.conflicts)
    said = [_Said(each.value, each.part, each.pages, 0.0) for each in found]
    merged.value = work.objects(said, work.root, "$", "")
    return merged


def of_a_part(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema without what only a whole document has to have: a part says what it has."""
    made: dict[str, Any] = {}
    for name, value in schema.items():
        if name in KEYWORDS_OF_WHOLE:
            continue
        if name in HOLD_SCHEMAS and isinstance(value, dict):
            made[name] = {key: _of_a_part(each) for key, each in value.items()}
        elif isinstance(value, list):
            made[name] = [_of_a_part(each) for each in value] if name not in ("enum", "type") else value
        elif name in ("const", "default", "examples"):
            made[name] = value
        else:
            made[name] = _of_a_part(value)
    return made


def _of_a_part(schema: Json) -> Json:
    return of_a_part(schema) if isinstance(schema, dict) else schema


class _Merging:
    def __init__(self, rules: Rules, schema: Mapping[str, Any], conflicts: list[dict[str, Json]]) -> None:
        self.rules = rules
        self.root = schema
        self.conflicts = conflicts

    def objects(self, said: Sequence[_Said], schema: Mapping[str, Any], path: str, name: str) -> dict[str, Json]:
        """One object of several."""
        fields = dict.fromkeys(key for each in said for key in each.value)
        known = self._of(schema, "properties")
        ordered = [*(key for key in known if key in fields), *(key for key in fields if key not in known)]
        made: dict[str, Json] = {}
        for key in ordered:
            values = [
                _Said(each.value[key], each.part, each.pages, self._sure(each.value))
                for each in said
                if key in each.value
            ]
            if key == self.rules.confidence and all(_kind(each.value) is float for each in values):
                made[key] = max(each.value for each in values)
                continue
            inner = self._resolved(known.get(key, {}))
            made[key] = self._at(values, inner, f"{path}.{key}", f"{name}.{key}".lstrip("."))
        return made

    def _sure(self, value: Mapping[str, Json]) -> float:
        sure: Json = value.get(self.rules.confidence)
        is_share = isinstance(sure, int | float) and not isinstance(sure, bool) and 0 <= sure <= 1
        return float(sure) if is_share else 0.0

    def _at(self, said: Sequence[_Said], schema: Mapping[str, Any], path: str, name: str) -> Json:
        telling = [each for each in said if each.value is not None and each.value != ""]
        if not telling:
            return said[0].value
        wanted = next((each for each in telling if self._fits(each.value, schema)), telling[0])
        kind = _kind(wanted.value)
        alike = [each for each in telling if _kind(each.value) is kind]
        others = [each for each in telling if _kind(each.value) is not kind]
        if kind is dict:
            taken: Json = self.objects(alike, schema, path, name)
        elif kind is list:
            taken = self._lists(alike, schema, path, name)
        else:
            taken, differing = self._scalar(alike, path)
            others = [*differing, *others]
        if others:
            self._tell(path, taken, others)
        return taken

    def _scalar(self, said: Sequence[_Said], path: str) -> tuple[Json, list[_Said]]:
        by_value: dict[str, list[_Said]] = {}
        for each in said:
            by_value.setdefault(_same(each.value), []).append(each)
        groups = list(by_value.values())
        match self.rules.scalars:
            case "most":
                first = max(groups, key=len)
            case "confidence":
                first = max(groups, key=lambda group: max(each.sure for each in group))
            case _:
                first = groups[0]
        return first[0].value, [each for group in groups if group is not first for each in group]

    def _lists(self, said: Sequence[_Said], schema: Mapping[str, Any], path: str, name: str) -> list[Json]:
        inner = self._resolved(schema.get("items", {}))
        key = self.rules.keys.get(name)
        entries: dict[tuple[str, int], list[_Said]] = {}
        for each in said:
            times: Counter[str] = Counter()
            for value in each.value:
                entry = _Said(value, each.part, each.pages, each.sure)
                if key is not None and isinstance(value, dict) and value.get(key) not in (None, ""):
                    same = (f"key {_same(value[key])}", 0)
                else:
                    same = (_same(value), times[_same(value)])
                    times[same[0]] += 1
                entries.setdefault(same, []).append(entry)
        made: list[Json] = []
        for group in entries.values():
            one = group[0].value
            if len(group) > 1 and isinstance(one, dict) and all(isinstance(each.value, dict) for each in group):
                one = self.objects(group, inner, f"{path}[{len(made)}]", name)
            made.append(one)
        return made

    def _tell(self, path: str, taken: Json, others: Iterable[_Said]) -> None:
        by_value: dict[str, list[_Said]] = {}
        for each in others:
            by_value.setdefault(_same(each.value), []).append(each)
        told = [
            {
                "value": group[0].value,
                "parts": sorted({each.part for each in group}),
                "pages": sorted({page for each in group for page in each.pages}),
            }
            for group in by_value.values()
        ]
        self.conflicts.append({"path": path, "taken": taken, "others": told})

    def _of(self, schema: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        found = schema.get(name)
        return found if isinstance(found, dict) else {}

    def _resolved(self, schema: Json, steps: int = 20) -> Mapping[str, Any]:
        """A schema, or what its reference within the whole leads to."""
        while isinstance(schema, dict) and isinstance(reference := schema.get("$ref"), str) and steps:
            steps -= 1
            at: Json = self.root
            for part in reference.removeprefix("#").split("/")[1:] if reference.startswith("#") else ["?"]:
                at = at.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(at, dict) else None
            schema = at
        return schema if isinstance(schema, dict) else {}

    def _fits(self, value: Json, schema: Mapping[str, Any]) -> bool:
        """True where the schema names a type that the value has."""
        named = schema.get("type", ())
        types = [named] if isinstance(named, str) else named
        return any(
            isinstance(value, TYPES.get(each, ())) and (each == "boolean" or not isinstance(value, bool))
            for each in types
        )


def _kind(value: Json) -> type:
    """The type by which values can be merged: numbers are of one."""
    if isinstance(value, bool):
        return bool
    return float if isinstance(value, int | float) else type(value)


def _same(value: Json) -> str:
    """What two values have in common that say the same: texts but for case and white space, numbers by their size."""
    return json.dumps(_plain(value), sort_keys=True, ensure_ascii=False)


def _plain(value: Json) -> Json:
    match value:
        case str():
            return " ".join(value.split()).casefold()
        case bool():
            return value
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_plain(each) for each in value]
        case dict():
            return {key: _plain(each) for key, each in value.items()}
    return value
