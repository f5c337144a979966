"""Placeholders: what a model gets in the place of a value, and how the value comes back.

The same value has the same one; what they stand for stays with the job.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

_NAME = "([A-Z][A-Z0-9_]{0,60}_[1-9][0-9]{0,6})"

PLACEHOLDER = re.compile(rf"<{_NAME}>|&lt;{_NAME}&gt;|\\u003[cC]{_NAME}\\u003[eE]")
"""As it went out, or as models have it that write HTML, or JSON that is safe in HTML."""

LONGEST_KIND = 50


class Placeholders:
    """The placeholders of one job: what each stands for."""

    def __init__(self, taken: Iterable[str] = (), mapping: Mapping[str, str] | None = None) -> None:
        """`taken` are those that the texts already have, as words of their own; `mapping` is what is named already."""
        self.mapping: dict[str, str] = dict(mapping or {})
        self._taken = {*taken, *self.mapping}
        self._of = {value: name for name, value in reversed(self.mapping.items())}
        self._last: dict[str, int] = {}

    def of(self, kind: str, value: str) -> str:
        """The placeholder of a value."""
        if value not in self._of:
            word = re.sub("[^A-Z0-9]+", "_", kind.upper()).strip("_")[:LONGEST_KIND]
            word = word if word[:1].isalpha() else f"VALUE_{word}".rstrip("_")
            number = self._last.get(word, 0) + 1
            while f"{word}_{number}" in self._taken:
                number += 1
            self._last[word] = number
            self._name(f"{word}_{number}", value)
        return f"<{self._of[value]}>"

    def take_in(self, mapping: Mapping[str, str]) -> dict[str, str]:
        """Take in what another job named, without knowing of what is here.

        Returns:
            The placeholders that its texts have to have, by the names of those which they cannot keep: theirs stand
            for something else here, or the value has another one. `restored` puts them in.
        """
        changed = {}
        for name, value in mapping.items():
            if value not in self._of and name not in self.mapping:
                self._name(name, value)
            elif (placeholder := self.of(name.rpartition("_")[0], value)) != f"<{name}>":
                changed[name] = placeholder
        return changed

    def _name(self, name: str, value: str) -> None:
        self._taken.add(name)
        self.mapping[name], self._of[value] = value, name


def placeholders_in(texts: Iterable[str]) -> set[str]:
    """What looks like a placeholder of ours in texts, by name."""
    return {name for text in texts if "_" in text for found in PLACEHOLDER.findall(text) for name in found if name}


def named_in(document: Any) -> set[str]:
    """The same of a JSON document, wherever it stands there."""
    return placeholders_in([json.dumps(document, ensure_ascii=False)])


def restored(document: Any, mapping: Mapping[str, str]) -> Any:
    """A copy of an answer with the values in the place of their placeholders, wherever the model put them.

    A text that is itself JSON (arguments of a tool, an answer to a schema) stays JSON.
    """
    root = [document]
    # With a stack of its own, for an answer may be nested deeper than Python's.
    waiting: list[tuple[Any, Any]] = [(root, 0)]
    while waiting:
        holder, place = waiting.pop()
        value = holder[place]
        if isinstance(value, str):
            holder[place] = _restored_text(value, mapping)
        elif isinstance(value, list):
            holder[place] = copy = list(value)
            waiting += [(copy, at) for at in range(len(copy))]
        elif isinstance(value, Mapping):
            holder[place] = named = _named(value, mapping)
            waiting += [(named, name) for name in named]
    return root[0]


def _named(held: Mapping[str, Any], mapping: Mapping[str, str]) -> dict[str, Any]:
    """An object with its names restored; one that would take the place of another's stays, for no value may be lost."""
    named: dict[str, Any] = {}
    for name, each in held.items():
        restored_name = _restored_text(name, mapping)
        is_taken = restored_name != name and (restored_name in held or restored_name in named)
        named[name if is_taken else restored_name] = each
    return named


def _restored_text(text: str, mapping: Mapping[str, str]) -> str:
    if not PLACEHOLDER.search(text):
        return text
    in_json = is_json(text)

    def value_of(found: re.Match[str]) -> str:
        value = mapping.get(found[found.lastindex or 0])
        if value is None:
            return found.group()
        return json.dumps(value, ensure_ascii=False)[1:-1] if in_json else value

    return PLACEHOLDER.sub(value_of, text)


def is_json(text: str) -> bool:
    """True for a text that is a document in JSON: an object, a list or a text."""
    if text.lstrip()[:1] not in ("{", "[", '"'):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
