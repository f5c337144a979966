"""Tables on the terminal and in Markdown, and results as JSON beside them."""

import json
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

RESULTS = Path(__file__).parent / "results"

Cell = str | int | float | None


class Table(NamedTuple):
    """What `table` and `markdown` take."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    decimals: int = 1
    """Of numbers that are no `int`."""


def table(title: str, heads: Sequence[str], rows: Sequence[Sequence[Cell]], decimals: int = 1) -> str:
    """A table for the terminal, with its first column to the left and numbers to the right."""
    cells = [list(heads)] + [[_text(cell, decimals) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    lines = [
        "  ".join(cell.ljust(width) if not place else cell.rjust(width) for place, (cell, width) in pairs).rstrip()
        for pairs in (list(enumerate(zip(row, widths, strict=True))) for row in cells)
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(["", title, "", *lines])


def markdown(title: str, heads: Sequence[str], rows: Sequence[Sequence[Cell]], decimals: int = 1) -> str:
    """The same in Markdown, with the title as the head of the first column."""
    lines = [[title, *heads[1:]], ["---", *["---:"] * (len(heads) - 1)]]
    lines += [[_text(cell, decimals) for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _text(cell: Cell, decimals: int) -> str:
    if cell is None:
        return ""
    return f"{cell:,.{decimals}f}" if isinstance(cell, float) else str(cell)


def show(text: str) -> None:
    """Print at once."""
    print(text, flush=True)


def keep(name: str, results: dict[str, Any]) -> None:
    """Write `results/<name>.json`, with the machine that they were measured on."""
    RESULTS.mkdir(exist_ok=True)
    facts = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(facts | results, indent=2) + "\n")
