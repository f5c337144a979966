"""Publishing: the jobs table's stream is the outbox, and all that is told follows from it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from broker.delivery.events import event_of
from broker.jobs.head import Head, due_partition
from broker.jobs.store import Jobs, note_item
from broker.storage import ConditionFailed, Database, If, Put

SAFETY_MS = 60_000
"""After this the sweep asks for a delivery again, if its message was lost."""


class EventBus(Protocol):
    """The bus."""

    def put(self, events: list[tuple[str, dict[str, Any]]]) -> list[int]:
        """Put `(detail-type, detail)` pairs; gives the positions of those that were refused."""
        ...


class Deliveries(Protocol):
    """The queue of deliveries."""

    def send(self, job_id: str, tenant: str, name: str, delay_s: int = 0) -> None:
        """Ask for an attempt."""
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a head, and the stream's number of it."""

    sequence: str
    before: Head | None
    after: Head


@dataclass(frozen=True, slots=True)
class Publish:
    """Tells the bus and starts the webhooks."""

    database: Database
    jobs: Jobs
    bus: EventBus
    deliveries: Deliveries
    observe: Callable[[Head], None]
    """Told of each job that ended."""

    def __call__(self, changes: Sequence[Change], now: int) -> str | None:
        """Publish changes in their order; may be repeated, for ids are stable.

        Returns:
            The number of the first change that has to come again; None when all went out.
        """
        told = [(change, event_of(change.before, change.after)) for change in changes]
        news = [(change, event) for change, event in told if event is not None]
        failed = self.bus.put([event for _, event in news])
        if failed:
            return news[failed[0]][0].sequence
        for change, _ in news:
            if change.after.status.terminal:
                try:
                    self._notify(change.after, now)
                except Exception:
                    return change.sequence
        for change, _ in news:
            if change.after.status.terminal:
                self.observe(change.after)
        return None

    def _notify(self, head: Head, now: int) -> None:
        event = f"job.{head.status.value}"
        if event not in head.webhook:
            return
        asked = self.jobs.notes(head.id, "ASKED")["ASKED"]
        name = f"DELIVERY#{event}"
        facts = {
            "event_id": head.event_id,
            "event": event,
            "url": asked["webhook_url"],
            "tenant": head.tenant,
            "state": "pending",
            "attempts": [],
            "tries": 0,
            "due": due_partition(head.id),
            "due_at": now + SAFETY_MS,
        }
        try:
            self.database.write(Put("jobs", note_item(head, name, facts), (If("pk", "absent"),)))
        except ConditionFailed:
            return  # told before; the queue or the sweep has it
        self.deliveries.send(head.id, head.tenant, name)
