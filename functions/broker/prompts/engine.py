"""The template language, as little of it as is of use: `{{name}}`, and sections over lists and truth.

| form | gives |
|---|---|
| `{{name}}` | the value; a list or an object as JSON |
| `{{#name}}…{{/name}}` | the inner text for each item of a list, once for an object, once for `true` |
| `{{^name}}…{{/name}}` | the inner text where the list is empty or the value `false` |
| `{{.}}` | the item of the innermost list |

Within a section, the fields of its item come before the names outside. Values are only ever text: what looks like a
template in one stays as it is. There are no expressions, no calls, no attributes and no includes, so a template can
read what it was given and nothing else.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from broker.errors import InvalidRequest

TAG = re.compile(r"\{\{\s*([#^/]?)\s*([a-z][a-z0-9_]{0,63}|\.)\s*\}\}")

ALONE = re.compile(r"^[ \t]*(\{\{\s*[#^/]\s*(?:[a-z][a-z0-9_]{0,63})\s*\}\})[ \t]*\r?\n", re.MULTILINE)
"""A section's tag that has its line for itself; the line is no part of the text."""

MOST_CHARS = 5_000_000
"""Of a filled template: sections within sections multiply."""

DEEPEST = 8


@dataclass(frozen=True, slots=True)
class ValuePlace:
    """Where a value goes."""

    name: str


@dataclass(frozen=True, slots=True)
class Section:
    """A part that is repeated, shown or left out; `inverted` for `{{^…}}`."""

    name: str
    inverted: bool
    inner: tuple["Node", ...]


Node = str | ValuePlace | Section
Schema = Mapping[str, Any]
Scope = tuple[Mapping[str, Any], Mapping[str, Schema]]
"""Names and what they stand for, and their schemas; `.` for an item that is no object."""

Wrap = Callable[[str, Schema], str]
"""Gives the form in which a value's text is put in."""


def parse(text: str) -> tuple[Node, ...]:
    """Read a template.

    Raises:
        InvalidRequest: a section is not closed, or closed and not opened.
    """
    text = ALONE.sub(r"\1", text)
    open_: list[tuple[str, bool, list[Node]]] = [("", False, [])]
    end = 0
    for tag in TAG.finditer(text):
        if tag.start() > end:
            open_[-1][2].append(text[end : tag.start()])
        end = tag.end()
        mark, name = tag.groups()
        if not mark:
            open_[-1][2].append(ValuePlace(name))
        elif mark != "/":
            open_.append((name, mark == "^", []))
            if len(open_) > DEEPEST:
                raise InvalidRequest(f"Sections are nested {DEEPEST} deep or deeper.", code="invalid_template")
        else:
            opened, inverted, inner = open_.pop() if len(open_) > 1 else (None, False, [])
            if opened != name:
                raise InvalidRequest(f"The section {name!r} is closed where it is not open.", code="invalid_template")
            open_[-1][2].append(Section(name, inverted, tuple(inner)))
    if len(open_) > 1:
        raise InvalidRequest(f"The section {open_[-1][0]!r} is not closed.", code="invalid_template")
    open_[0][2].append(text[end:])
    return tuple(open_[0][2])


def places(nodes: Sequence[Node]) -> set[str]:
    """The names that a template without sections has."""
    return {node.name for node in nodes if isinstance(node, ValuePlace) and node.name != "."}


def check(nodes: Sequence[Node], declared: Sequence[Mapping[str, Schema]]) -> Iterator[str]:
    """The declared names that are used, each with the faults of its use raised.

    Args:
        nodes: the template.
        declared: schemas by name, the innermost scope first.

    Raises:
        InvalidRequest: a name that is not declared, or a section over what is neither list, object nor boolean.
    """
    for node in nodes:
        if isinstance(node, str):
            continue
        schema = next((scope[node.name] for scope in declared if node.name in scope), None)
        if schema is None:
            raise InvalidRequest(f"The variable {node.name!r} is not declared.", code="invalid_template")
        yield node.name
        if isinstance(node, Section):
            if schema["type"] not in ("array", "object", "boolean"):
                raise InvalidRequest(
                    f"{node.name!r} is {schema['type']}: a section needs a list, an object or a boolean.",
                    code="invalid_template",
                )
            yield from check(node.inner, [_inside(schema), *declared])


def _inside(schema: Schema) -> Mapping[str, Schema]:
    """What a section over this adds to the names."""
    inner = schema["items"] if schema["type"] == "array" else schema
    fields: Mapping[str, Schema] = inner.get("properties", {})
    return fields if inner["type"] == "object" or schema["type"] != "array" else {".": inner}


def render(nodes: Sequence[Node], scope: Scope, wrap: Wrap) -> str:
    """Fill a template whose use of names was checked.

    Raises:
        InvalidRequest: the result is longer than `MOST_CHARS`.
    """
    found: list[str] = []
    length = 0
    for text in _rendered(nodes, (scope,), wrap):
        found.append(text)
        length += len(text)
        if length > MOST_CHARS:
            raise InvalidRequest("The filled prompt is too long.", code="prompt_too_long", param="prompt.variables")
    return "".join(found)


def _rendered(nodes: Sequence[Node], scopes: tuple[Scope, ...], wrap: Wrap) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, str):
            yield node
            continue
        values, schemas = next(scope for scope in scopes if node.name in scope[0])
        value, schema = values[node.name], schemas[node.name]
        if isinstance(node, ValuePlace):
            yield wrap(as_text(value), schema)
        elif node.inverted:
            if not value:
                yield from _rendered(node.inner, scopes, wrap)
        elif isinstance(value, list):
            for item in value:
                inner = _inside(schema)
                yield from _rendered(
                    node.inner, ((item if isinstance(item, dict) else {".": item}, inner), *scopes), wrap
                )
        elif value:
            added = value if isinstance(value, dict) else {}
            yield from _rendered(node.inner, ((added, _inside(schema)), *scopes), wrap)


def as_text(value: Any) -> str:
    """A value as it is put into a text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
