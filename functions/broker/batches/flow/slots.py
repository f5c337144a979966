"""Slots of the steps of batches that may take long: going through gigabytes, putting a million results together.

    pk SLOTS#{tenant}   sk plan | results   `held`: by batch, until when; `next`: who has waited longest, seen when

A tenant has `AT_ONCE` of each at a time, so that what others need does not go into its files; who gets none comes
again. One slot is kept for the batch that was made first of those that wait, so none waits for ever. A slot is a lease:
each invocation renews it, who is done gives it back, and after a crash it runs out.
"""

from dataclasses import dataclass
from typing import Any, Literal

from broker.batches.batch import Batch
from broker.batches.store import Batches
from broker.storage import ConditionFailed, Database, If, Item, Put

AT_ONCE = 2

LEASE_MS = 1_000_000
"""Longer than the function of a step may take, and than its workflow waits for it."""

NEXT_S, OTHERS_S, LATE_S = 20, 60, 300
"""After so many seconds the next one comes again, and all others; after an hour less often, for an execution has no
more than 25,000 events (Step Functions developer guide, "Service quotas")."""

HOUR_MS = 3_600_000

LOST_MS = 180_000
"""The next one is not waited for any more when it was not seen for so long."""

SPREAD_S = 30
"""So that not all come again at the same moment."""

TRIES = 4


@dataclass(frozen=True, slots=True)
class Slots:
    """The slots of one step."""

    batches: Batches
    step: Literal["plan", "results"]

    def claim(self, batch: Batch, now: int) -> int:
        """Be one of those at this step, or stay it; gives 0, or the seconds after which to come again.

        The sweep looks at the batch only when that is long over.
        """
        wait_s = self._claim(batch, now)
        until = now + (wait_s * 1000 or LEASE_MS) + LOST_MS
        self.batches.change(batch.id, lambda there: there.awaited(until))
        return wait_s

    def give_back(self, batch: Batch, now: int) -> None:
        """Let another in; may be repeated."""
        for _ in range(TRIES):
            item = self._item(batch.tenant)
            held = _lasting(item, now)
            if held.pop(batch.id, None) is None or self._write(item, batch.tenant, held, item.get("next"), now):
                return

    def _claim(self, batch: Batch, now: int) -> int:
        for _ in range(TRIES):
            item = self._item(batch.tenant)
            held, first = _lasting(item, now), item.get("next")
            if first and (first["batch"] == batch.id or first["seen"] + LOST_MS <= now):
                first = None
            is_behind = bool(first and (first["made"], first["batch"]) < (batch.created_at, batch.id))
            if batch.id in held or len(held) + is_behind < AT_ONCE:
                held[batch.id] = now + LEASE_MS
                wait_s = 0
            elif is_behind:
                return self._later(batch, now)
            else:
                first, wait_s = {"batch": batch.id, "made": batch.created_at, "seen": now}, NEXT_S
            if self._write(item, batch.tenant, held, first, now):
                return wait_s
        return self._later(batch, now)

    def _later(self, batch: Batch, now: int) -> int:
        usual_s = OTHERS_S if now - batch.created_at < HOUR_MS else LATE_S
        return usual_s + sum(batch.id.encode()) % SPREAD_S

    def _item(self, tenant: str) -> Item:
        return self._database.get("jobs", _pk(tenant), self.step) or {}

    def _write(self, before: Item, tenant: str, held: dict[str, int], first: Any, now: int) -> bool:
        rev = before.get("rev", 0)
        item: Item = {"pk": _pk(tenant), "sk": self.step, "held": held, "rev": rev + 1}
        item |= {"next": first} if first else {}
        kept = item | {"expires_at": (now + LEASE_MS + HOUR_MS) // 1000}
        try:
            self._database.write(Put("jobs", kept, (If("rev", "=", rev) if before else If("pk", "absent"),)))
        except ConditionFailed:
            return False
        return True

    @property
    def _database(self) -> Database:
        return self.batches.database


def _lasting(item: Item, now: int) -> dict[str, int]:
    return {batch_id: until for batch_id, until in item.get("held", {}).items() if until > now}


def _pk(tenant: str) -> str:
    return f"SLOTS#{tenant}"
