"""Counting the lines of a batch that have ended: each once, however often it is told; and asking for the collection."""

from dataclasses import dataclass
from typing import Any

from broker.inbox.file_work import LOOK_MS, MOST_LOOK_MS, Collects, FileWork, batch_id_of, batch_pk, line_item, line_of
from broker.jobs.head import Head
from broker.storage import ConditionFailed, Database, If, Item, Put, Update


@dataclass(frozen=True, slots=True)
class Count:
    """Counts lines, and has a batch collected when the last has ended."""

    database: Database
    collects: Collects

    def __call__(self, head: Head, now: int) -> None:
        """Count the line of a job that ended, and ask for the collection if it was the last; may be repeated."""
        place = line_of(head)
        if place is None:
            return
        batch_id, line = place
        self.add(batch_id, line, {"job_id": head.id, "status": head.status.value}, now)
        self.finish(batch_id)

    def add(self, batch_id: str, line: int, facts: dict[str, Any], now: int) -> None:
        """Record the end of a line; one that was recorded before stays as it is."""
        record = Put("jobs", line_item(batch_id, line, facts, now), (If("pk", "absent"),))
        one_more = Update("jobs", batch_pk(batch_id), "BATCH", add={"done": 1}, when=(If("state", "=", "open"),))
        try:
            self.database.write(record, one_more)
        except ConditionFailed:
            return  # counted before; or the batch is gone, and nobody waits for it

    def finish(self, batch_id: str) -> None:
        """Ask for the collection if nothing is missing.

        Every line looks, also one that was counted before: the one that counted it may have died before it could ask.
        """
        batch = FileWork.load(self.database, batch_id)
        if batch is not None and batch.state == "open" and batch.is_ready:
            self.collects.send(batch.id, batch.tenant)

    def resend(self, item: Item, now: int) -> bool:
        """Ask again for a collection whose message was lost (from the sweep); True when it was."""
        batch = FileWork.load(self.database, batch_id_of(item))
        if batch is None or batch.due_at is None or batch.due_at > now:
            return False
        as_found = If("due_at", "=", batch.due_at)
        facts = {"due_at": now + min(LOOK_MS << batch.asked, MOST_LOOK_MS), "asked": batch.asked + batch.is_ready}
        later = Update("jobs", batch_pk(batch.id), "BATCH", set=facts, when=(as_found,))
        try:
            self.database.write(later)
        except ConditionFailed:
            return False  # another sweep was here, or all has been told
        if batch.is_ready:
            self.collects.send(batch.id, batch.tenant)
        return batch.is_ready
