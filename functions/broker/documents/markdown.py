"""Text in the form that models read best: headings with `#`, tables with bars, paragraphs apart."""

import re
from collections.abc import Iterable, Sequence

SPACES = re.compile(r"[ \t\u00a0]+")
GAPS = re.compile(r"\n{3,}")
LONGEST_HEADING = 200
"""Characters; what is longer is a paragraph in large letters."""


def line(text: str) -> str:
    """One line: runs of spaces and breaks are one space."""
    return " ".join(text.split())


def heading(text: str, level: int) -> str:
    """A heading of a level, 1 to 6; a text that is too long for one stays as it is."""
    text = line(text)
    return f"{'#' * max(1, min(level, 6))} {text}" if text and len(text) <= LONGEST_HEADING else text


def table(rows: Iterable[Sequence[str]]) -> str:
    """A table whose first row is its head; empty rows and columns at the end are left out.

    A cell is one line: breaks become spaces, and bars are escaped.
    """
    kept = [[_cell(cell) for cell in row] for row in rows]
    kept = [row for row in kept if any(row)]
    width = max((_width(row) for row in kept), default=0)
    if not width:
        return ""
    lines = ["| " + " | ".join(row[:width] + [""] * (width - len(row))) + " |" for row in kept]
    if width == 1 and len(lines) == 1:
        return kept[0][0]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])


def _cell(text: str) -> str:
    return line(text).replace("|", "\\|")


def _width(row: Sequence[str]) -> int:
    return max((place for place, cell in enumerate(row, start=1) if cell), default=0)


def blocks(parts: Iterable[str]) -> str:
    """Blocks with an empty line between them; those without text are left out."""
    return "\n\n".join(part for part in (part.strip("\n") for part in parts) if part.strip())


def neat(text: str) -> str:
    """No spaces at line ends, and no more than one empty line."""
    return GAPS.sub("\n\n", "\n".join(each.rstrip() for each in text.split("\n"))).strip("\n")
