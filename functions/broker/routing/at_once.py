"""How much of the work that a provider does by itself a tenant may have at once.

An account has so many places for such work (Textract's documents, say), and whoever comes first could take them all for
hours. So a model may be registered with what each tenant may have of them, `tenant_at_once`. Who has none goes back to
its queue and waits, as for a circuit, while others' work is begun.

| item of the ledger | pk | sk | attributes |
|---|---|---|---|
| a place | `AT_ONCE#model#tenant` | its number | `job`, `until` (milliseconds), `expires_at` |

No item is written by two tenants, and models without such a number cost no request. A place whose job is gone is free
again by its time.
"""

import random
from dataclasses import dataclass

from broker.errors import CircuitOpen
from broker.routing.model import Model
from broker.storage import ConditionFailed, Database, If, Item, Update

AGAIN_S = 30
"""Until a job without a place looks again, at first."""

TRIES = 4
"""For a place that others take at the same time."""

KEPT_S = 86_400
"""Beyond its time, an item is kept for so long."""


@dataclass(frozen=True, slots=True)
class AtOnce:
    """The places of all tenants."""

    database: Database

    def take(self, model: Model, tenant: str, job_id: str, now: int) -> bool:
        """Have a place for a job; one that it has already is its own.

        Returns:
            Whether it is a new one.

        Raises:
            CircuitOpen: its tenant has none left.
        """
        if model.tenant_at_once is None:
            return False
        pk, until = _pk(model, tenant), now + model.wait_s * 1000
        for _ in range(TRIES):
            held = self._held(pk, now)
            if job_id in held.values():
                return False
            free = [number for number in range(model.tenant_at_once) if number not in held]
            if not free:
                break
            if self._take(pk, random.choice(free), job_id, until, now):  # noqa: S311 - so that few meet
                return True
        message = f"The tenant has as much of its work at {model.id!r} as it may have at once."
        raise CircuitOpen(message, code="tenant_at_once", retry_after=AGAIN_S)

    def leave(self, model: Model, tenant: str, job_id: str) -> None:
        """Give a job's place back, if it has one; may be repeated."""
        if model.tenant_at_once is None:
            return
        pk = _pk(model, tenant)
        for item in self.database.query("ledger", pk):
            if item["job"] == job_id:
                self._put(pk, item["sk"], {"job": "", "until": 0}, If("job", "=", job_id))

    def _take(self, pk: str, number: int, job_id: str, until: int, now: int) -> bool:
        kept = {"job": job_id, "until": until, "expires_at": until // 1000 + KEPT_S}
        sk = f"{number:05d}"
        return self._put(pk, sk, kept, If("until", "<", now + 1)) or self._put(pk, sk, kept, If("until", "absent"))

    def _held(self, pk: str, now: int) -> dict[int, str]:
        items: list[Item] = self.database.query("ledger", pk)
        return {int(item["sk"]): item["job"] for item in items if item["until"] > now}

    def _put(self, pk: str, sk: str, kept: Item, when: If) -> bool:
        """Write a place as long as it is so; False where another was first."""
        try:
            self.database.write(Update("ledger", pk, sk, set=kept, when=(when,)))
        except ConditionFailed:
            return False
        return True


def _pk(model: Model, tenant: str) -> str:
    return f"AT_ONCE#{model.id}#{tenant}"
