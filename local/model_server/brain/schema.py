"""JSON that satisfies a JSON schema, filled from a text where that makes sense."""

import random
import re
from collections.abc import Sequence
from typing import Any

import rstr

from local.model_server.brain import values
from local.model_server.brain.skills import choose
from local.model_server.brain.text import sentences
from local.model_server.exchange import Json

# Deeper than this, a schema that contains itself gets only what it requires, and empty lists.
_DEEP = 6
_DEEPEST = 30
_FREE_ITEMS = 3


class Filler:
    """Fills one schema from one text; the same two give the same JSON."""

    def __init__(self, schema: Json, text: str) -> None:
        self._root = schema
        self._text = text
        self._sentences = sentences(text) or ["-"]

    def fill(self) -> Any:
        """Give the JSON value."""
        return self._value(self._root, "", 0, 0)

    def _value(self, schema: Any, name: str, turn: int, depth: int) -> Any:
        """Fill a schema; ``turn`` counts the items of a list, so that they differ."""
        schema = self._plain(schema, depth)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._picked(schema["enum"], name, turn)
        match self._type(schema):
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

    def _plain(self, schema: Any, depth: int) -> Json:
        """Follow references and choices until what is left says directly what is allowed."""
        plain: Json = schema if isinstance(schema, dict) else {}
        for _ in range(_DEEPEST):
            if "$ref" in plain:
                plain = self._merged([self._resolved(plain["$ref"]), _without(plain, "$ref")])
            elif plain.get("allOf"):
                plain = self._merged([_without(plain, "allOf"), *plain["allOf"]])
            elif choices := plain.get("anyOf") or plain.get("oneOf"):
                # Deep down null ends what would never end; elsewhere it says less than any other choice.
                wanted = [each for each in choices if (each == {"type": "null"}) == (depth > _DEEP)] or choices
                plain = self._merged([_without(plain, "anyOf", "oneOf"), wanted[0]])
            else:
                break
        return plain

    def _resolved(self, reference: str) -> Json:
        target: Any = self._root
        for step in reference.removeprefix("#").strip("/").split("/"):
            step = step.replace("~1", "/").replace("~0", "~")
            target = target.get(step, {}) if isinstance(target, dict) and step else target
        return target if isinstance(target, dict) else {}

    def _merged(self, schemas: Sequence[Json]) -> Json:
        merged: Json = {}
        for schema in filter(lambda each: isinstance(each, dict), schemas):
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

    def _picked(self, allowed: list[Any], name: str, turn: int) -> Any:
        labels = [each for each in allowed if isinstance(each, str)]
        if turn:
            return allowed[turn % len(allowed)]
        return choose(self._text, labels) if labels else allowed[0]

    def _object(self, schema: Json, turn: int, depth: int) -> Json:
        properties = schema.get("properties") or {}
        required = list(schema.get("required") or [])
        names = list(properties) if depth <= _DEEP else []
        names += [name for name in required if name not in names]
        if depth > _DEEPEST:
            return {}
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
            if not schema.get("uniqueItems") or value not in found:
                found.append(value)
        return found

    def _string(self, schema: Json, name: str, turn: int) -> str:
        if schema.get("pattern"):
            # Seeded: the same schema gives the same text. Nothing secret is made here.
            return str(rstr.Rstr(random.Random(turn)).xeger(schema["pattern"]))  # noqa: S311
        if shape := values.shaped(str(schema.get("format", "")), self._text, turn):
            return shape
        text = values.string(name, self._about(schema, name), self._text, self._sentences, turn)
        least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
        text = text.ljust(least, ".")
        return text if most is None else text[: int(most)]

    def _about(self, schema: Json, name: str) -> str:
        return f"{values.spoken(name)} {schema.get('description') or ''}".strip()


def _without(schema: Json, *keys: str) -> Json:
    return {key: value for key, value in schema.items() if key not in keys}


def _bounded(schema: Json) -> bool:
    return any(key in schema for key in ("enum", "const", "format", "pattern", "minLength", "maxLength"))


def quoted_names(instruction: str) -> list[str]:
    """Give the names of fields that a prompt without a schema asks for in quotes, in order."""
    return list(dict.fromkeys(re.findall(r"[\"'`]([A-Za-z_]\w{0,40})[\"'`]", instruction)))
