"""References of a JSON Schema: the schemas in it, the addresses that they have, and where references lead.

What is not plain is refused, rather than read otherwise than the library that evaluates the schema would read it.
"""

import re
from typing import Any
from urllib.parse import unquote, urljoin

from broker.json_schema.places import Malformed, Path, SchemaTooLarge, Unresolved, places

MOST_PLACES = 5_000
"""Schemas in a schema: they cost time before anything is checked."""

REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")

_ADDRESS = re.compile(r"[A-Za-z0-9:/._?=&~#-]*")


class References:
    """The schemas of a schema, in an order that gives each its number, and where their references lead."""

    def __init__(self, document: dict[str, Any], dialect: str) -> None:
        """Find all schemas.

        Raises:
            Malformed, TooLarge: it cannot be used.
        """
        self._old = "draft-0" in dialect
        self._id = "id" if "draft-04" in dialect else "$id"
        self._dialect = dialect
        self.numbers: dict[int, int] = {}
        """By the identity of a schema."""
        self.found: list[tuple[dict[str, Any], str, Path]] = []
        """Each schema, the address that its references are relative to, and its place. A reference may add to them: it
        may lead to where no schema was looked for."""
        self._roots: dict[str, dict[str, Any]] = {"": document}
        self._anchors: dict[tuple[str, str], dict[str, Any]] = {}
        self._dynamic: dict[str, list[dict[str, Any]]] = {}
        self._collect(document, "", ())

    def targets(self, keyword: str, schema: dict[str, Any], base: str, path: Path) -> list[int]:
        """The schemas that a reference may lead to, by number: several where it depends on the way to it.

        Raises:
            Malformed, Unresolved: it leads nowhere.
        """
        reference, place = schema[keyword], (*path, keyword)
        if not isinstance(reference, str):
            raise Malformed(place)
        found = self._target(reference, base, place)
        several = [] if keyword == "$ref" else self._dynamic.get(reference.partition("#")[2], [])
        all_ = [found, *(other for other in several if other is not found)]
        return [self.numbers[id(each)] for each in all_ if each is not True]

    def _collect(self, document: dict[str, Any], base: str, path: Path) -> None:
        """Find all schemas of a schema, the addresses that they have, and the addresses that theirs are relative to."""
        waiting = [(document, base, path)]
        while waiting:
            each, around, place = waiting.pop()
            if id(each) in self.numbers:
                continue
            if len(self.found) >= MOST_PLACES:
                raise SchemaTooLarge
            self.numbers[id(each)] = len(self.found)
            own = self._address(each, around, place)
            self.found.append((each, own, place))
            if place and each.get("$schema", self._dialect) not in (self._dialect, f"{self._dialect}#"):
                raise Malformed((*place, "$schema"))
            waiting += [(inner, own, at) for _, inner, at in places(each, place) if isinstance(inner, dict)]

    def _address(self, schema: dict[str, Any], base: str, path: Path) -> str:
        """The address of a schema, which its references are relative to; its names are kept."""
        if self._old and "$ref" in schema:
            return base  # what stands beside a reference does not count there
        if (identity := schema.get(self._id)) is not None:
            if not isinstance(identity, str) or not _ADDRESS.fullmatch(identity) or "/." in identity:
                raise Malformed((*path, self._id))
            bare, _, fragment = identity.partition("#")
            if fragment:
                self._name(base, fragment, schema, path)
            if bare:
                base = _joined(base, bare, path)
                if self._roots.setdefault(base.lower(), schema) is not schema:
                    raise Malformed((*path, self._id))
        for keyword in ("$anchor", "$dynamicAnchor"):
            if (name := schema.get(keyword)) is not None:
                if not isinstance(name, str):
                    raise Malformed((*path, keyword))
                self._name(base, name, schema, path)
                if keyword == "$dynamicAnchor":
                    self._dynamic.setdefault(name, []).append(schema)
        if schema.get("$recursiveAnchor") is True:
            self._dynamic.setdefault("", []).append(schema)
        return base

    def _name(self, base: str, name: str, schema: dict[str, Any], path: Path) -> None:
        if self._anchors.setdefault((base.lower(), name), schema) is not schema:
            raise Malformed(path)

    def _target(self, reference: str, base: str, place: Path) -> Any:
        if reference.startswith("#"):
            address, fragment = base, reference[1:]
        else:
            address, _, fragment = _joined(base, reference, place).partition("#")
        root = self._roots.get(address.lower())
        if root is None:
            raise Unresolved(place)
        fragment = unquote(fragment)
        if not fragment:
            return root
        if not fragment.startswith("/"):
            if (address.lower(), fragment) not in self._anchors:
                raise Unresolved(place)
            return self._anchors[address.lower(), fragment]
        found: Any = root
        for token in fragment[1:].split("/"):
            if found is not root and isinstance(found, dict) and self._id in found and id(found) in self.numbers:
                raise Unresolved(place)  # behind another address, where nobody says what is meant
            found = _inside(found, token.replace("~1", "/").replace("~0", "~"), place)
        if isinstance(found, bool):
            return True
        if not isinstance(found, dict):
            raise Unresolved(place)
        if id(found) not in self.numbers:
            self._collect(found, address, tuple(fragment[1:].split("/")))
        return found


def _joined(base: str, reference: str, path: Path) -> str:
    if not base:
        return reference
    try:
        return urljoin(base, reference)
    except ValueError:
        raise Unresolved(path) from None


def _inside(value: Any, token: str, path: Path) -> Any:
    if isinstance(value, dict) and token in value:
        return value[token]
    if isinstance(value, list) and re.fullmatch("0|[1-9][0-9]{0,6}", token) and int(token) < len(value):
        return value[int(token)]
    raise Unresolved(path)
