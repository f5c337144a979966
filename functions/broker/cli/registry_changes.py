"""Changes of the registry: made, or only told of, and how they are shown."""

import json
from typing import Any

from broker.cli.running import DryRun
from broker.cli.shell import Shell
from broker.cli.shown import Shown
from broker.cli.stack import caller
from broker.clock import iso, now_ms
from broker.registry.applying import shown
from broker.registry.plan import Plan
from broker.registry.records import Change, Record

SIGNS = {"added": "+", "changed": "~", "disabled": "-", "rolled_back": "<"}
WIDEST = 60
"""Longer values are cut: a prompt would fill the terminal."""


def written(shell: Shell, change: Change | None, stands: str) -> Shown:
    """Write a change, if there is one; `stands` says what there is to say without one."""
    if change is None:
        return Shown({"changed": False}, f"nothing to do: {stands}")
    if shell.dry_run:
        raise DryRun("\n".join(_change_lines(change)), change=_as_json(change))
    record = shell.registry.write(change, caller(shell.session), now_ms())
    return Shown(record.to_dict(), record_line(record))


def planned(plan: Plan, *, done: bool) -> Shown:
    """What a plan changes, or what was done of it; as JSON as `POST /v1/admin/plan` has it."""
    return Shown(shown(plan), plan_text(plan, done=done))


def _as_json(change: Change) -> dict[str, Any]:
    fields = {name: {"from": old, "to": new} for name, (old, new) in change.fields.items()}
    return {"kind": change.kind, "id": change.entry.key, "action": change.action, "fields": fields}


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
