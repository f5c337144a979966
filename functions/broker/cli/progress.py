"""A batch's progress: one line of the terminal that is drawn over, or without a terminal, a line now and then."""

import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

from broker.batches.shard import ENDINGS
from broker.cli.printable import on_one_line

WIDTH = 24
"""Characters of the bar."""

DRAW_OVER = "\r\x1b[2K"
"""To the line's beginning, and erase it (ECMA-48, EL)."""

STEP = 5
"""Per cent between two lines where there is no terminal."""

QUICK_S, SLOW_S, QUICK_FOR_S = 1.0, 5.0, 120.0
"""Between two looks: at first, and after two minutes."""


def line(batch: dict[str, Any]) -> str:
    """How a batch stands, in one line: bar, rows, how they ended, cost and what is left of the time."""
    total, ended = batch["request_counts"]["total"], _ended(batch)
    part = ended / total if total else 0.0
    full = int(part * WIDTH)
    counts = ", ".join(f"{batch['counts'][name]} {name}" for name in ENDINGS if batch["counts"][name])
    facts = [
        f"{'█' * full}{'·' * (WIDTH - full)} {ended:,}/{total:,} {part:4.0%}",
        "paused" if batch["paused"] else batch["status"],
        _stage(batch),
        counts,
        f"{batch['duplicates']:,} of duplicates" if batch["duplicates"] else "",
        f"{batch['usage']['cost_usd']:.6f} $",
        "" if batch["eta_seconds"] is None else f"{_span(batch['eta_seconds'])} left",
    ]
    return on_one_line("  ".join(filter(None, facts)))


def follow(
    look: Callable[[], dict[str, Any]],
    until: Callable[[dict[str, Any]], bool],
    out: TextIO | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Show a batch until it has come so far; gives it as it was seen last.

    Args:
        look: gives it as of now.
        until: True where it has come far enough.
        out: where it is shown; standard error unless said, so that results may go to standard output.
        pause: waits for some seconds.
    """
    out = out or sys.stderr
    live, began, told = out.isatty(), time.monotonic(), ()
    while True:
        batch = look()
        over = until(batch)
        if live:
            out.write(DRAW_OVER + line(batch) + ("\n" if over else ""))
            out.flush()
        elif over or told != (told := _step(batch)):
            out.write(line(batch) + "\n")
            out.flush()
        if over:
            return batch
        pause(QUICK_S if time.monotonic() - began < QUICK_FOR_S else SLOW_S)


def _ended(batch: dict[str, Any]) -> int:
    return int(batch["request_counts"]["completed"] + batch["request_counts"]["failed"])


def _step(batch: dict[str, Any]) -> tuple[Any, ...]:
    """What has to change before another line is worth its place."""
    total = batch["request_counts"]["total"]
    stages = (batch.get("document") or {}).get("stages") or ()
    return batch["status"], batch["paused"], len(stages), _ended(batch) * 100 // (STEP * total) if total else 0


def _stage(batch: dict[str, Any]) -> str:
    """How far a document's latest stage is; nothing of other batches."""
    stages = (batch.get("document") or {}).get("stages")
    return f"{stages[-1]['name']} {stages[-1]['ended']:,}/{stages[-1]['total']:,}" if stages else ""


def _span(seconds: int) -> str:
    minutes, left = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {left} s" if minutes else f"{left} s"
