"""Patterns say nothing that Python reads wrongly before 3.11.5, as Debian 12 has it.

There, a possessive repeat or an atomic group matches too much where what it repeats may itself match in more ways than
one (https://github.com/python/cpython/issues/106052).
"""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from re import _constants as kinds  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import broker
import pytest
from broker.guardrails.patterns import pattern

ROOT = Path(str(broker.__file__)).parent
LAZY = type(pattern("a"))
REPEATS = (kinds.MAX_REPEAT, kinds.MIN_REPEAT, kinds.POSSESSIVE_REPEAT)


def test_no_pattern_holds_on_to_what_could_match_otherwise() -> None:
    found = dict(_patterns())
    assert len(found) > 200, "or they are not found any more"
    wrong = {name: source for (source, flags), name in found.items() if _is_misread(parser.parse(source, flags))}
    assert wrong == {}


@pytest.mark.parametrize("source", ["(?:a?b){2,}+", "x(?:ab+)*+", "(?>a|ab)", "(?:c(?:ab|b))++", "(?:(?:a?b)*+c)?"])
def test_it_would_be_seen(source: str) -> None:
    assert _is_misread(parser.parse(source))


@pytest.mark.parametrize("source", ["[ab]{2,}+", "(?:a[bc]d)*+", "(?:a[bc]++)*", "a?b*"])
def test_what_has_one_way_to_match_is_read_well(source: str) -> None:
    assert not _is_misread(parser.parse(source))


def _patterns() -> Iterator[tuple[tuple[Any, int], str]]:
    for path in sorted(ROOT.rglob("*.py")):
        name = ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
        if path.stem != "__main__":
            for each, value in vars(import_module(name)).items():
                yield from ((found, f"{name}.{each}") for found in _within(value))


def _within(value: Any, depth: int = 0) -> Iterator[tuple[Any, int]]:
    if isinstance(value, re.Pattern):
        yield value.pattern, value.flags & ~re.DEBUG
    elif isinstance(value, LAZY):
        yield value._source, value._flags
    elif depth < 4:
        for part in _parts(value):
            yield from _within(part, depth + 1)


def _parts(value: Any) -> Any:
    if isinstance(value, dict):
        return [*value, *value.values()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return value
    if type(value).__module__.partition(".")[0] != "broker":
        return ()
    slots = (getattr(value, each, None) for each in getattr(type(value), "__slots__", ()))
    return [*slots, *getattr(value, "__dict__", {}).values()]


def _is_misread(parsed: Any) -> bool:
    for kind, value in parsed:
        if kind is kinds.POSSESSIVE_REPEAT and _is_open(value[2]):
            return True
        if kind is kinds.ATOMIC_GROUP and _is_open(value):
            return True
        if any(_is_misread(each) for each in _inner(kind, value)):
            return True
    return False


def _is_open(parsed: Any) -> bool:
    """True for what may match in more than one way."""
    for kind, value in parsed:
        if kind in REPEATS and value[0] != value[1]:
            return True
        if kind in (kinds.BRANCH, kinds.GROUPREF_EXISTS) or any(_is_open(each) for each in _inner(kind, value)):
            return True
    return False


def _inner(kind: Any, value: Any) -> list[Any]:
    if kind in REPEATS:
        return [value[2]]
    if kind is kinds.BRANCH:
        return list(value[1])
    if kind is kinds.SUBPATTERN:
        return [value[3]]
    if kind in (kinds.ASSERT, kinds.ASSERT_NOT):
        return [value[1]]
    return [value] if kind is kinds.ATOMIC_GROUP else []
