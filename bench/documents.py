"""`python -m bench documents FOLDER [--json]`: the text of every file of a folder, as the broker reads it.

Each file is read by a process of its own, within the limits that hold on AWS; what comes of it is one line.
"""

import io
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from broker.documents.document import BrokenDocument, Document
from broker.documents.limits import Limits
from broker.documents.sandbox import hide, read

from bench.tables import show
from local.ocr import LocalOcr


def run(folder: Path, *, as_json: bool, limits: Limits | None = None) -> int:
    """Read every file below a folder, in the order of their names; gives the exit status, 0 whatever they are."""
    hide()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that no reader and no file stays
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")  # whatever the terminal has
    for path in files(folder):
        facts = {"file": _shown(path.relative_to(folder)), **_facts(path, limits)}
        show(json.dumps(facts, ensure_ascii=False) if as_json else _line(facts))
    return 0


def files(folder: Path) -> Iterator[Path]:
    """The files below a folder; links and what else is no file are not read."""
    return (path for path in sorted(folder.rglob("*")) if _is_file(path))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file() and not path.is_symlink()
    except OSError:
        return False  # in a folder that may be listed and not entered


def _shown(path: Path) -> str:
    """A name of any bytes as text."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _facts(path: Path, limits: Limits | None) -> dict[str, Any]:
    ocr = LocalOcr()
    try:
        found = read(path, limits=limits, ocr=ocr)
    except Exception as error:  # a line for each file, also where the disk is full
        found = Document(path.name, error=BrokenDocument(f"Reading it failed: {type(error).__name__}."))
    peak = max(found.peak_mb, ocr.peak_mb, *(child.peak_mb for child in found.children), 0.0)
    return {**told(found), "seconds": round(found.seconds, 3), "peak_mb": peak}


def told(found: Document) -> dict[str, Any]:
    """`{"outcome", "pages", "children", "error"}`; a child has a name too."""
    return {
        "outcome": found.outcome,
        "pages": [page.text for page in found.pages],
        "children": [{"name": child.name, "text": child.text, **told(child)} for child in found.children],
        "error": found.error.facts() if found.error else None,
    }


def _line(facts: dict[str, Any]) -> str:
    said = facts["error"]["code"] if facts["error"] else f"{sum(map(len, facts['pages']))} characters"
    inside = f", {len(facts['children'])} inside" if facts["children"] else ""
    name = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in facts["file"])
    return (
        f"{facts['outcome']:9} {name}: {len(facts['pages'])} pages, {said}{inside}; "
        f"{facts['seconds']:.2f} s, {facts['peak_mb']:.0f} MB"
    )
