"""What tables' streams tell, as records: nothing of it is lost, whoever dies between an act and a note of it."""

from typing import Any

from broker.audit import record as kinds
from broker.audit.record import Record, record
from broker.batches.batch import Batch
from broker.clock import now_ms
from broker.jobs.head import Head


def of_job(before: Head | None, after: Head) -> Record | None:
    """That a job was accepted or ended; None for all else, and for rows of a batch, which is on record as a whole."""
    if after.row is not None:
        return None
    facts = {"tenant": after.tenant, "by": after.principal, "subject": after.id, "door": after.door}
    if before is None and not after.status.terminal:
        return record(kinds.JOB_SUBMITTED, f"{after.id}.submitted", after.created_at, **facts, task=after.task)
    if after.status.terminal and (before is None or not before.status.terminal):
        more = {"outcome": after.status.value, "reason": (after.error or {}).get("code"), "model": after.model}
        at = after.ended_at or after.created_at
        return record(kinds.JOB_ENDED, f"{after.id}.ended", at, **facts, **more, cost_nano_usd=after.spent)
    return None


def of_batch(before: Batch | None, after: Batch) -> Record | None:
    """That a batch was accepted or ended."""
    facts = {"tenant": after.tenant, "by": after.principal, "subject": after.id}
    if before is None:
        return record(kinds.BATCH_SUBMITTED, f"{after.id}.submitted", after.created_at, **facts)
    if after.status.terminal and not before.status.terminal:
        at = max(after.stamps.values(), default=after.created_at)
        return record(kinds.BATCH_ENDED, f"{after.id}.ended", at, **facts, outcome=after.status.value)
    return None


def of_registry(before: dict[str, Any] | None, after: dict[str, Any] | None) -> Record | None:
    """That an entry or a key was written, from its item before and after.

    Of an entry its head counts, which is written with each version; of a key the item that opens.
    """
    item = after or before or {}
    pk, sk = str(item.get("pk")), str(item.get("sk"))
    if pk.startswith("KEY#"):
        return _of_key(pk.removeprefix("KEY#"), before, after)
    if pk.startswith("ENTRIES#"):
        kind = pk.removeprefix("ENTRIES#").lower()
        if after is None:
            named = f"{kind}/{sk}"
            return record(kinds.REGISTRY_CHANGED, f"{pk}.{sk}.deleted", now_ms(), subject=named, outcome="deleted")
        facts = {"by": after["by"], "subject": f"{kind}/{sk}", "outcome": after["action"]}
        facts |= {"version": after["version"], "fields": ",".join(after["fields"])}
        tenant = sk if kind == "tenant" else None
        return record(kinds.REGISTRY_CHANGED, f"{pk}.{sk}.{after['version']}", after["at"], tenant=tenant, **facts)
    return None


def _of_key(digest: str, before: dict[str, Any] | None, after: dict[str, Any] | None) -> Record | None:
    item = after or before or {}
    named = digest[:16]
    facts = {"tenant": item["tenant"], "key": named, "subject": item["principal"]}
    if after is None:
        return record(kinds.KEY_REVOKED, f"key.{named}.deleted", now_ms(), **facts, outcome="deleted")
    if before is None:
        more = {"scopes": ",".join(after["scopes"]), "by": after.get("created_by"), "until": after.get("valid_until")}
        return record(kinds.KEY_MADE, f"key.{named}.made", after["created_at"], **facts, **more)
    if after["status"] != "active" and before["status"] == "active":
        at, by = after.get("revoked_at", now_ms()), after.get("revoked_by")
        return record(kinds.KEY_REVOKED, f"key.{named}.revoked", at, **facts, by=by)
    names = {*before, *after}
    changed = sorted(name for name in names if before.get(name) != after.get(name))
    if not changed:
        return None
    now = now_ms()
    return record(kinds.KEY_CHANGED, f"key.{named}.{now}", now, **facts, fields=",".join(changed))
