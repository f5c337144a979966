"""What a command has to say: as JSON, as plain lines where something else reads them, or as people like to see it."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from broker.cli.exits import Exit
from broker.cli.printable import as_json, on_one_line, printable

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True, slots=True)
class Shown:
    """A result, in three forms."""

    value: Any
    """For `--json`."""
    plain: str | None = None
    """Without a terminal, and on one that has no form of its own; the JSON when None."""
    pretty: "Callable[[], RenderableType] | None" = None
    """On a terminal; made when it is needed, for it imports much."""
    status: int = Exit.DONE


class NotSucceeded(Exception):
    """What was waited for did not succeed; its result is shown all the same."""

    def __init__(self, shown: Shown | str, status: int = Exit.NOT_SUCCEEDED) -> None:
        super().__init__(shown)
        self.shown = Shown({"message": shown}, shown) if isinstance(shown, str) else shown
        self.status = status


Columns = Mapping[str, Callable[[Any], Any]]
"""By title: what of a row stands there; None for nothing."""


def said(text: str, **facts: Any) -> Shown:
    """A line for people; `--json` has the facts, and without any the text as `message`."""
    return Shown(facts or {"message": text}, text)


def rows(found: Iterable[Any], columns: Columns, end: str | None = None) -> Shown:
    """A list: a table on a terminal, a line for each row without one, and one array as JSON.

    Args:
        found: what JSON has of each.
        columns: what else is shown of it.
        end: a line that ends the plain form.
    """
    listed = list(found)
    cells = [[_cell(of(row)) for of in columns.values()] for row in listed]
    lines = ["  ".join(filter(None, row)) for row in cells] + ([end] if end else [])
    return Shown(listed, "\n".join(lines), lambda: table([*columns], cells) if cells else (end or "There are none."))


def table(titles: Sequence[str], cells: Iterable[Sequence[str]]) -> "RenderableType":
    """A table of texts that do nothing on the terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for title in titles:
        made.add_column(title, overflow="fold")
    for row in cells:
        made.add_row(*(Text(each, style=STYLES.get(each, "")) for each in row))
    return made


STYLES = {
    **dict.fromkeys(("succeeded", "completed", "active", "closed", "healthy"), "green"),
    **dict.fromkeys(("failed", "blocked", "expired", "open", "revoked", "disabled"), "red"),
    **dict.fromkeys(("queued", "running", "held", "half_open", "in_progress", "paused"), "yellow"),
}
"""Words of statuses that stand out."""


def _cell(value: Any) -> str:
    return "" if value is None else on_one_line(str(value))


def show(shown: Shown, *, json: bool) -> None:
    """Print a result."""
    if json:
        print(as_json(shown.value))
    elif shown.pretty is not None and sys.stdout.isatty():
        from rich.console import Console

        Console(highlight=False).print(shown.pretty(), markup=False)
    elif text := as_json(shown.value) if shown.plain is None else shown.plain:
        print(text)


def fields(found: Mapping[str, Any]) -> "RenderableType":
    """One thing as names and values, each on its line."""
    from rich.table import Table
    from rich.text import Text

    made = Table.grid(padding=(0, 2))
    for name, value in found.items():
        if value not in (None, "", [], {}):
            text = value if isinstance(value, str) else as_json(value)
            made.add_row(Text(name, style="bold"), Text(printable(text), style=STYLES.get(text, "")))
    return made


def record(value: Mapping[str, Any], **more: Any) -> Shown:
    """One thing: names and values on a terminal, else JSON."""
    return Shown(value, None, lambda: fields(value), **more)
