"""Plans, records and histories, as a terminal shows them."""

import json
from typing import Any

from broker.clock import iso
from broker.registry.plan import Plan
from broker.registry.records import Change, Record

SIGNS = {"added": "+", "changed": "~", "disabled": "-", "rolled_back": "<"}
WIDEST = 60
"""Longer values are cut: a prompt would fill the terminal."""


def plan_text(plan: Plan, *, done: bool) -> str:
    """What a plan changes, or what was done of it."""
    lines = [line for change in plan.changes for line in _change_lines(change)]
    lines += [f"? {kind} {entry_id} is not in the document; left as it is" for kind, entry_id in plan.unmanaged]
    said = "changed" if done else "to change"
    return "\n".join([*lines, f"{len(plan.changes)} {said}, {len(plan.unchanged)} unchanged"])


def _change_lines(change: Change) -> list[str]:
    lines = [f"{SIGNS[change.action]} {change.kind} {change.entry.key} {change.action}, version {change.number}"]
    return lines + [f"    {name}: {_short(old)} -> {_short(new)}" for name, (old, new) in change.fields.items()]


def record_line(record: Record) -> str:
    """One version in one line."""
    fields = f" ({', '.join(record.fields)})" if record.fields else ""
    said = f"{record.action.replace('_', ' ')}{fields}"
    return f"{record.kind} {record.id} version {record.version}, {iso(record.at)}, {record.by}: {said}"


def history_text(records: list[Record]) -> str:
    """One line for each version."""
    return "\n".join(record_line(record) for record in records)


def _short(value: Any) -> str:
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= WIDEST else f"{text[:WIDEST]}…"
