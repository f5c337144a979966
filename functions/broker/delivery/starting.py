"""Starting a delivery: on record before it is asked for, and once."""

from dataclasses import dataclass
from typing import Any, Protocol

from broker.delivery.owners import owner_pk
from broker.jobs.head import due_partition
from broker.storage import ConditionFailed, Database, If, Put

SAFETY_MS = 60_000
"""After this the sweep asks for a delivery again, if its message was lost."""


class Deliveries(Protocol):
    """The queue of deliveries."""

    def send(self, owner: str, tenant: str, name: str, delay_s: int = 0) -> None:
        """Ask for an attempt."""
        ...


@dataclass(frozen=True, slots=True)
class StartDelivery:
    """Starts deliveries, of jobs and of batches."""

    database: Database
    deliveries: Deliveries

    def __call__(self, owner: str, tenant: str, expires_at: int, name: str, now: int, facts: dict[str, Any]) -> None:
        """Start one; may be repeated.

        Args:
            owner: the id of the job or the batch.
            tenant: its own.
            expires_at: epoch SECONDS until when it is kept.
            name: of the delivery among those of its owner.
            now: milliseconds.
            facts: `event_id`, `event` and `url`, and what its body is made of.
        """
        keys = {"pk": owner_pk(owner), "sk": f"NOTE#{name}", "expires_at": expires_at}
        begun = {"tenant": tenant, "state": "pending", "attempts": [], "tries": 0}
        look = {"due": due_partition(owner), "due_at": now + SAFETY_MS}
        try:
            self.database.write(Put("jobs", {**keys, **facts, **begun, **look}, (If("pk", "absent"),)))
        except ConditionFailed:
            return  # told before; the queue or the sweep has it
        self.deliveries.send(owner, tenant, name)
