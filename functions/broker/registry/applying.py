"""Writing what was planned, and saying what was done: for the commands and for the API alike."""

from typing import Any

from broker.registry.document import RegistryFile
from broker.registry.plan import Plan, make_plan
from broker.registry.versions import Registry

MOST_SHOWN = 10_000
"""Characters of a text in a plan, which has two of each field: a reply of Lambda is 6 MB at most."""


def apply(registry: Registry, document: RegistryFile, *, by: str, now: int, prune: bool = False) -> Plan:
    """Write what a document changes, entry by entry; a repeat goes on where one that failed has stopped.

    Args:
        registry: where to.
        document: what is wanted.
        by: who wants it (an ARN).
        now: milliseconds.
        prune: see `make_plan`.

    Returns:
        What was done.

    Raises:
        InvalidRequest: see `make_plan`; nothing was written.
        Conflict: somebody else changed an entry meanwhile; the entries before it are written.
    """
    plan = make_plan(registry, document, prune=prune)
    for change in plan.changes:
        registry.write(change, by, now)
    return plan


def shown(plan: Plan) -> dict[str, Any]:
    """A plan in its public form; of a long text it has the beginning."""
    return {
        "object": "plan",
        "changes": [
            {
                "kind": each.kind,
                "id": each.entry.key,
                "action": each.action,
                "version": each.number,
                "fields": [
                    {"name": name, "old": _beginning(old), "new": _beginning(new)}
                    for name, (old, new) in each.fields.items()
                ],
            }
            for each in plan.changes
        ],
        "unchanged": [{"kind": kind, "id": entry_id} for kind, entry_id in plan.unchanged],
        "unmanaged": [{"kind": kind, "id": entry_id} for kind, entry_id in plan.unmanaged],
        "warnings": list(plan.warnings),
    }


def _beginning(value: Any) -> Any:
    return f"{value[:MOST_SHOWN]}…" if isinstance(value, str) and len(value) > MOST_SHOWN else value
