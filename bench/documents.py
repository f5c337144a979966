"""`python -m bench documents FOLDER [--json]`: the text of every file of a folder, as the broker reads it.

Each file is read by a process of its own, within the limits that hold on AWS; what comes of it is one line.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from broker.documents.document import Document
from broker.documents.limits import Limits
from broker.documents.sandbox import read

from bench.tables import show
from local.ocr import LocalOcr


def run(folder: Path, *, as_json: bool, limits: Limits | None = None) -> int:
    """Read every file below a folder, in the order of their names; gives the exit status, 0 whatever they are."""
    for path in files(folder):
        ocr = LocalOcr()
        found = read(path, limits=limits, ocr=ocr)
        peak = max(found.peak_mb, ocr.peak_mb, *(child.peak_mb for child in found.children), 0.0)
        facts = {
            "file": str(path.relative_to(folder)),
            **told(found),
            "seconds": round(found.seconds, 3),
            "peak_mb": peak,
        }
        show(json.dumps(facts, ensure_ascii=False) if as_json else _line(facts))
    return 0


def files(folder: Path) -> Iterator[Path]:
    """The files below a folder; links and what else is no file are not read."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())


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
    return (
        f"{facts['outcome']:9} {facts['file']}: {len(facts['pages'])} pages, {said}{inside}; "
        f"{facts['seconds']:.2f} s, {facts['peak_mb']:.0f} MB"
    )
