"""The commands that documents tell people to run: blocks of `sh`, with the heading that they stand under."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LEFT_OUT = re.compile(r"<!-- newcomer: (.+) -->")
"""Before a block that cannot be run here; it says why."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some commands, as they stand."""

    heading: str
    commands: str
    left_out: str | None = None
    """Why nobody but a reader runs them."""


def blocks_of(document: Path) -> Iterator[Block]:
    """The blocks of a Markdown document, in order."""
    heading, reason, lines = "", None, None
    for line in document.read_text(encoding="utf-8").splitlines():
        if lines is not None:
            if line == "```":
                yield Block(heading, "\n".join(lines), reason)
                reason, lines = None, None
            else:
                lines.append(line)
        elif line == "```sh":
            lines = []
        elif found := LEFT_OUT.fullmatch(line):
            reason = found[1]
        elif line.startswith("#"):
            heading = line.strip("# ")
