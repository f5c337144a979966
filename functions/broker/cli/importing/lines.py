"""A YAML file as what it holds and where each of it stands, for telling of it line by line."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from broker.errors import InvalidRequest

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The faster one, where the package has it."""

Place = tuple[str | int, ...]
"""The names and numbers that lead to a value."""


class Lines:
    """A file, and notes of what is in it; a note never has a value of the file, which may be a key."""

    def __init__(self, text: str, name: str) -> None:
        """Read it.

        Raises:
            InvalidRequest: it is no YAML, or no object.
        """
        try:
            loader = _Loader(text)
            node = loader.get_single_node()
            self.content: Any = loader.construct_document(node) if node else None
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            at = getattr(error, "problem_mark", None)
            where = f"{name}:{at.line + 1}" if at else name
            raise InvalidRequest(f"{where}: it is no YAML.", code="invalid_body") from None
        if not isinstance(self.content, Mapping):
            raise InvalidRequest(f"{name}: it has to be an object.", code="invalid_body")
        self._name = _printable(name)
        self._lines = dict(_places(node, ()))
        self.notes: list[tuple[int, str]] = []

    def note(self, place: Place, what: str) -> None:
        """Say something of a value."""
        line = next((self._lines[place[:end]] for end in range(len(place), -1, -1) if place[:end] in self._lines), 1)
        named = ".".join(_printable(each) for each in place)
        self.notes.append((line, f"{self._name}:{line}: {named}: {what}"))

    def told(self) -> list[str]:
        """The notes by line."""
        return [text for _, text in sorted(dict.fromkeys(self.notes), key=lambda note: note[0])]


def read(path: str) -> Lines:
    """Read a file.

    Raises:
        InvalidRequest: it cannot be read, or is no YAML.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"{path}: it cannot be read ({type(error).__name__}).", code="unreadable") from None
    return Lines(text, Path(path).name)


def _printable(name: str | int) -> str:
    return "".join(each if each.isprintable() else "?" for each in str(name))[:80]


def _places(node: Any, place: Place, seen: frozenset[int] = frozenset()) -> Iterator[tuple[Place, int]]:
    if node is None or id(node) in seen:  # an anchor that holds itself
        return
    yield place, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*place, str(key.value))
            yield inner, key.start_mark.line + 1
            yield from ((at, line) for at, line in _places(value, inner, seen | {id(node)}) if at != inner)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _places(value, (*place, number), seen | {id(node)})
