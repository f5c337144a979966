"""Word's styles and lists: which paragraphs are headings, which are items, and what number stands before them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from broker.documents.office import attribute, child, children

DEEPEST = 8
"""Of the levels of a list, from 0."""

BULLETS = ("bullet", "none", "")
PLACE = re.compile(r"%([1-9])")


@dataclass(slots=True)
class _Style:
    based: str | None = None
    level: int | None = None
    list: str | None = None
    depth: int | None = None


@dataclass(frozen=True, slots=True)
class _Level:
    kind: str
    start: int
    text: str
    style: str | None


class Styles:
    """What styles and lists make of paragraphs. It counts, so paragraphs are asked for in their order, each once."""

    def __init__(self, styles: Iterable[Any], numbering: Iterable[Any]) -> None:
        """Read the roots of the parts; both may be missing."""
        self._styles: dict[str, _Style] = {}
        for root in styles:
            for each in children(root, "style"):
                self._styles[attribute(each, "styleId") or ""] = _style(each)
        self._lists: dict[str, dict[int, _Level]] = {}
        for root in numbering:
            self._lists |= _lists(root)
        self._counts: dict[tuple[str, int], int] = {}

    def of(self, properties: Any) -> tuple[int, str, bool]:
        """Of a paragraph: its level as a heading (0 for none), what stands before its text, and if it is an item."""
        if properties is None:
            return 0, "", False
        name = _value(properties, "pStyle") or ""
        level = self._inherited(name, "level") or 0
        outline = number_of(_value(properties, "outlineLvl"), 9)
        if outline < 6:
            level = outline + 1
        found = self._place(properties, name)
        if found is None:
            return level, "", False
        mark = self._counted(*found, is_heading=bool(level))
        return level, mark, not level

    def _inherited(self, name: str, what: str) -> Any:
        """What a style says, or the nearest of those that it is based on."""
        at: str | None = name
        seen: set[str] = set()
        while at is not None and at in self._styles and at not in seen:
            seen.add(at)
            if (value := getattr(self._styles[at], what)) is not None:
                return value
            at = self._styles[at].based
        return None

    def _place(self, properties: Any, style: str) -> tuple[str, int] | None:
        """The list that a paragraph is in, and how deep."""
        own = child(properties, "numPr")
        name = _value(own, "numId") if own is not None else None
        depth = _value(own, "ilvl") if own is not None else None
        if name is None:
            name = self._inherited(style, "list")
        if name in (None, "0"):
            return None
        if depth is not None:
            return str(name), min(number_of(depth), DEEPEST)
        levels = self._lists.get(str(name), {})
        linked = next((at for at, level in levels.items() if level.style == style), None)
        return str(name), min(linked if linked is not None else self._inherited(style, "depth") or 0, DEEPEST)

    def _counted(self, name: str, depth: int, *, is_heading: bool) -> str:
        levels = self._lists.get(name, {})
        level = levels.get(depth, _Level("bullet", 1, "", None))
        if level.kind in BULLETS:
            return "" if is_heading else "  " * depth + "- "
        count = self._counts[name, depth] = self._counts.get((name, depth), level.start - 1) + 1
        for below in range(depth + 1, DEEPEST + 1):
            self._counts.pop((name, below), None)
        if not is_heading:
            return "  " * depth + f"{count}. "
        if any(levels[at].kind != "decimal" for at in levels if at <= depth):
            return ""
        return PLACE.sub(lambda found: str(self._at(name, int(found[1]) - 1)), level.text) + " "

    def _at(self, name: str, depth: int) -> int:
        level = self._lists[name].get(depth)
        return self._counts.get((name, depth), level.start if level else 1)


def _style(style: Any) -> _Style:
    found = _Style(_value(style, "basedOn"))
    properties = child(style, "pPr")
    outline = _value(properties, "outlineLvl") if properties is not None else None
    words = (_value(style, "name") or "").lower().split()
    if outline is not None:
        found.level = number_of(outline, 9) + 1 if number_of(outline, 9) < 6 else 0
    elif words[:1] == ["heading"] and words[1:] and words[1].isdecimal() and 1 <= int(words[1]) <= 6:
        found.level = int(words[1])
    elif words == ["title"]:
        found.level = 1
    numbering = child(properties, "numPr") if properties is not None else None
    if numbering is not None:
        found.list = _value(numbering, "numId")
        found.depth = number_of(_value(numbering, "ilvl"))
    return found


def _lists(root: Any) -> dict[str, dict[int, _Level]]:
    """The levels of each list by its number."""
    abstract: dict[str, dict[int, _Level]] = {}
    for each in children(root, "abstractNum"):
        abstract[attribute(each, "abstractNumId") or ""] = {
            number_of(attribute(level, "ilvl")): _Level(
                _value(level, "numFmt") or "",
                number_of(_value(level, "start"), 1),
                (_value(level, "lvlText") or "")[:50],
                _value(level, "pStyle"),
            )
            for level in children(each, "lvl")
        }
    return {
        attribute(each, "numId") or "": abstract.get(_value(each, "abstractNumId") or "", {})
        for each in children(root, "num")
    }


def _value(element: Any, name: str) -> str | None:
    """`w:val` of a child."""
    found = child(element, name)
    return attribute(found, "val") if found is not None else None


def number_of(value: str | None, default: int = 0) -> int:
    """A whole number; the default for what is none."""
    try:
        return int(value or default)
    except ValueError:
        return default
