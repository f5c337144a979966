"""What a door sees in one invocation, until it is sent: `note` collects, and who answers sends what was `taken`.

This is the one place to tell the trail of a read, a denial or a wish. Where there is no trail, nothing is collected.
"""

import os
from typing import Any

from broker.audit.record import Record, record
from broker.clock import now_ms

MOST = 1_000
"""Notes of one invocation: those beyond it are counted in the last one."""

_notes: list[Record] = []
"""Of the invocation that is under way: a process has one at a time."""


def is_on() -> bool:
    """Whether this function tells the trail."""
    return bool(os.environ.get("AUDIT_QUEUE"))


def note(kind: str, request_id: str, **facts: Any) -> None:
    """Remember one act for the trail; it costs nothing where there is none.

    Args:
        kind: of `record.KINDS`.
        request_id: of the call.
        facts: `tenant`, `by` (the principal), `key` (its id), `subject` (what it was about), `outcome`, `reason` (a
            code), `route`, `door`. Never a payload, nor words that a caller wrote.
    """
    if not is_on():
        return
    if len(_notes) < MOST:
        _notes.append(record(kind, f"{request_id}.{len(_notes)}", now_ms(), request_id=request_id, **facts))
    else:
        _notes[-1]["beyond"] = _notes[-1].get("beyond", 0) + 1


def taken() -> list[Record]:
    """All that was noted; it is forgotten here."""
    found = list(_notes)
    _notes.clear()
    return found
