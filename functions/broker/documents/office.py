"""Packages of Office Open XML (ECMA-376): parts, and what they refer to.

Names of elements are taken without their namespace, so that the strict form is read as the transitional one.
"""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from broker.documents.archives import Archive
from broker.documents.document import BrokenDocument


@dataclass(frozen=True, slots=True)
class Relation:
    """What a part refers to: `kind` is the last word of its type (`slide`, `footnotes`), `target` a part's name."""

    id: str
    kind: str
    target: str


class Package:
    """An open package."""

    def __init__(self, archive: Archive) -> None:
        """Nothing is read yet."""
        self._archive = archive

    def main(self, default: str) -> str:
        """The name of the main part."""
        found = (each.target for each in self.relations("") if each.kind == "officeDocument")
        return next((target for target in found if target in self._archive), default)

    def root(self, part: str) -> Any:
        """A part's root element.

        Raises:
            BrokenDocument: it is missing, or no XML.
        """
        return self._archive.xml(part)

    def has(self, part: str) -> bool:
        """True where the part is there."""
        return part in self._archive

    def relations(self, part: str) -> list[Relation]:
        """What a part refers to inside of the package; empty where it cannot be read."""
        folder, name = posixpath.split(part)
        rels = posixpath.join(folder, "_rels", f"{name}.rels")
        if rels not in self._archive:
            return []
        try:
            root = self._archive.xml(rels)
        except BrokenDocument:
            return []
        found = []
        for each in root.iter():
            if local(each) == "Relationship" and each.get("TargetMode") != "External":
                target = unquote(each.get("Target") or "")
                full = target[1:] if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
                found.append(Relation(each.get("Id") or "", posixpath.basename(each.get("Type") or ""), full))
        return found


def local(element: Any) -> str:
    """An element's name without its namespace; empty for what is no element."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: Any, name: str, default: str | None = None) -> str | None:
    """An attribute by its name without the namespace."""
    for key, value in element.attrib.items():
        if key.rpartition("}")[2] == name:
            return str(value)
    return default


def child(element: Any, *path: str) -> Any:
    """The first child of that name, and of it the next; None where there is none."""
    for name in path:
        element = next((each for each in element if local(each) == name), None)
        if element is None:
            return None
    return element


def children(element: Any, name: str) -> Iterator[Any]:
    """The children of that name."""
    return (each for each in element if local(each) == name)


def is_on(element: Any) -> bool:
    """What a switch such as `w:b` says: present is on, unless it says otherwise."""
    return element is not None and (attribute(element, "val") or "1") not in ("0", "false", "off", "none")
