"""JSON that satisfies a JSON schema, filled from a text where that makes sense; within the bounds of `Work`."""

import json
import re
from collections.abc import Sequence
from typing import Any

from local.model_server.brain import values
from local.model_server.brain.patterns import matching
from local.model_server.brain.skills import choose
from local.model_server.brain.text import sentences
from local.model_server.exchange import Json, Problem
from local.model_server.work import Work

# Deeper than this, a schema that contains itself gets only what it requires, and empty lists.
_DEEP = 6
_DEEPEST = 30
_FREE_ITEMS = 3
_READ_A_STEP = 2_000
"""Characters of the text that a value may be looked for in, in one step."""
_A_LABEL = 20
"""Steps of looking how well a label fits the text."""
_MALFORMED = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RecursionError, re.error)
"""What comes of schemas that are none."""


class Filler:
    """Fills one schema from one text; the same two give the same JSON."""

    def __init__(self, schema: Json, text: str, work: Work) -> None:
        self._root = schema
        self._work = work
        self._text = text
        self._sentences = sentences(text) or ["-"]

    def fill(self) -> Any:
        """Give the JSON value; raises Problem for a schema that is none, and what `Work` raises."""
        try:
            return self._value(self._root, "", 0, 0)
        except _MALFORMED:
            raise Problem("invalid", "Invalid schema: no value can be made to it.") from None

    def unfit(self, values: Sequence[Any]) -> Any:
        """Give the first of some values that surely does not satisfy the schema's root, else the first."""
        try:
            root = self._plain(self._root, 0)
            return next((each for each in values if self._misses(root, each)), values[0])
        except _MALFORMED:
            return values[0]

    def _misses(self, root: Json, value: Any) -> bool:
        if value not in root.get("enum", [value]) or value != root.get("const", value):
            return True
        if _KINDS[type(value)] != self._type(root):
            return True
        if not isinstance(value, dict):
            return False
        closed = root.get("additionalProperties") is False and not value.keys() <= root.get("properties", {}).keys()
        return closed or not set(root.get("required", ())) <= value.keys()

    def _value(self, schema: Any, name: str, turn: int, depth: int) -> Any:
        """Fill a schema; ``turn`` counts the items of a list, so that they differ."""
        self._work.step()
        schema = self._plain(schema, depth)
        if "const" in schema:
            return self._copied(schema["const"])
        if schema.get("enum"):
            return self._copied(self._picked(schema["enum"], turn))
        kind = self._type(schema)
        if kind not in ("object", "array"):
            self._work.step(len(self._text) // _READ_A_STEP)
        match kind:
            case "object":
                return self._object(schema, turn, depth)
            case "array":
                return self._array(schema, name, depth)
            case "integer" | "number" as kind:
                return values.number(schema, name, self._about(schema, name), self._text, turn, whole=kind == "integer")
            case "boolean":
                return values.truth(self._about(schema, name), self._text)
            case "null":
                return None
        return self._string(schema, name, turn)

    def _copied(self, given: Any) -> Any:
        """A value that the schema itself has."""
        self._work.make(len(json.dumps(given)))
        return given

    def _plain(self, schema: Any, depth: int) -> Json:
        """Follow references and choices until what is left says directly what is allowed."""
        plain: Json = schema if isinstance(schema, dict) else {}
        for _ in range(_DEEPEST):
            if "$ref" in plain:
                plain = self._followed(plain)
            elif plain.get("allOf"):
                plain = self._merged([_without(plain, "allOf"), *map(self._followed, plain["allOf"])])
            elif choices := plain.get("anyOf") or plain.get("oneOf"):
                self._work.step(len(choices))
                # Deep down null ends what would never end; elsewhere it says less than any other choice.
                wanted = [each for each in choices if (each == {"type": "null"}) == (depth > _DEEP)] or choices
                plain = self._merged([_without(plain, "anyOf", "oneOf"), wanted[0]])
            else:
                break
        return plain

    def _followed(self, schema: Any) -> Json:
        """A schema with what it refers to."""
        if not isinstance(schema, dict) or "$ref" not in schema:
            return schema if isinstance(schema, dict) else {}
        return self._merged([self._resolved(schema["$ref"]), _without(schema, "$ref")])

    def _resolved(self, reference: str) -> Json:
        target: Any = self._root
        for step in reference.removeprefix("#").strip("/").split("/"):
            step = step.replace("~1", "/").replace("~0", "~")
            target = target.get(step, {}) if isinstance(target, dict) and step else target
        return target if isinstance(target, dict) else {}

    def _merged(self, schemas: Sequence[Json]) -> Json:
        merged: Json = {}
        for schema in filter(lambda each: isinstance(each, dict), schemas):
            self._work.step(1 + len(schema))
            for key, value in schema.items():
                if key == "properties":
                    value = {**merged.get(key, {}), **value}
                elif key in ("required", "allOf"):
                    value = [*merged.get(key, []), *value]
                merged[key] = value
        return merged

    def _type(self, schema: Json) -> str:
        """Name the type in JSON Schema's words; Gemini writes it in capitals."""
        kinds = schema.get("type")
        named = [kinds] if isinstance(kinds, str) else kinds or []
        for kind in sorted((str(each).lower() for each in named), key=lambda each: each == "null"):
            return kind
        hints = {"object": ("properties", "required"), "array": ("items", "minItems", "prefixItems"),
                 "number": ("minimum", "maximum", "multipleOf")}  # fmt: skip
        return next((kind for kind, keys in hints.items() if any(key in schema for key in keys)), "string")

    def _picked(self, allowed: list[Any], turn: int) -> Any:
        labels = [each for each in allowed if isinstance(each, str)]
        self._work.step(len(allowed) + _A_LABEL * len(labels))
        if turn:
            return allowed[turn % len(allowed)]
        return choose(self._text, labels) if labels else allowed[0]

    def _object(self, schema: Json, turn: int, depth: int) -> Json:
        properties = schema.get("properties") or {}
        required = list(schema.get("required") or [])
        names = dict.fromkeys([*(properties if depth <= _DEEP else ()), *required])
        if depth > _DEEPEST:
            return {}
        self._work.make(sum(map(len, names)))
        extra = schema.get("additionalProperties")
        return {name: self._value(properties.get(name, extra), name, turn, depth + 1) for name in names}

    def _array(self, schema: Json, name: str, depth: int) -> list[Any]:
        fixed = schema.get("prefixItems") or []
        least, most = int(schema.get("minItems", 0)), int(schema.get("maxItems", 1_000))
        if schema.get("items") is False:
            most = min(most, len(fixed))
        if depth > _DEEP and not least:
            return []
        item = self._plain(schema.get("items"), depth)
        phrases = values.phrases(name, self._text) if self._type(item) == "string" and not _bounded(item) else []
        usual = 1 if self._type(item) == "object" or item.get("enum") else len(phrases) or _FREE_ITEMS
        count = max(least, min(usual, most), len(fixed) if most >= len(fixed) else 0)
        found: list[Any] = []
        for turn in range(count * 2 + 20):
            if len(found) >= count:
                break
            if turn < len(phrases):
                value: Any = phrases[turn]
            else:
                value = self._value(fixed[turn] if turn < len(fixed) else item, name, turn, depth + 1)
            if schema.get("uniqueItems"):
                self._work.step(len(found))
                if value in found:
                    continue
            found.append(value)
        return found

    def _string(self, schema: Json, name: str, turn: int) -> str:
        if schema.get("pattern"):
            return matching(schema["pattern"], turn, self._work)
        if shape := values.shaped(str(schema.get("format", "")), self._text, turn):
            return shape
        text = values.string(name, self._about(schema, name), self._text, self._sentences, turn)
        least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
        self._work.make(max(least, len(text)))
        text = text.ljust(least, ".")
        return text if most is None else text[: int(most)]

    def _about(self, schema: Json, name: str) -> str:
        return f"{values.spoken(name)} {schema.get('description') or ''}".strip()


_KINDS = {dict: "object", list: "array", str: "string", int: "integer", type(None): "null"}


def _without(schema: Json, *keys: str) -> Json:
    return {key: value for key, value in schema.items() if key not in keys}


def _bounded(schema: Json) -> bool:
    return any(key in schema for key in ("enum", "const", "format", "pattern", "minLength", "maxLength"))


def quoted_names(instruction: str) -> list[str]:
    """Give the names of fields that a prompt without a schema asks for in quotes, in order."""
    return list(dict.fromkeys(re.findall(r"[\"'`]([A-Za-z_]\w{0,40})[\"'`]", instruction)))
