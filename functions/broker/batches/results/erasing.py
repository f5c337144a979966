"""Erasing a batch that has ended: its files at once, and what its rows' jobs hold, shard by shard."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from broker.batches.batch import Batch
from broker.batches.ports import Results
from broker.batches.rows.releasing import Release
from broker.batches.shard import Shard, Sums, row_job_id
from broker.errors import Conflict, DeliveryBusy, NotCancelable
from broker.jobs.erasing import forgotten
from broker.jobs.head import Head
from broker.jobs.store import Jobs
from broker.jobs.transitions import cancel
from broker.storage import ConditionFailed, Database


@dataclass(frozen=True, slots=True)
class EraseBatch:
    """Begins to erase a batch. May be repeated."""

    database: Database
    release: Release
    results: Results
    discard: Callable[[Batch], None]
    """Deletes the files of its results."""

    def __call__(self, batch: Batch, now: int) -> None:
        """Delete its files, and have its rows erased.

        Raises:
            Conflict: it has not ended.
            DeliveryBusy: an attempt at its webhook is under way; erase it again.
        """
        if not batch.status.terminal:
            raise Conflict("The batch has not ended; cancel it first.", code="not_ended", param="id")
        self.discard(batch)
        self.results.forget(batch.id, batch.shards)
        self.results.forget_rows(batch.id, [batch.source, batch.rows_in or {}])
        self._forget_address(batch)
        self.release.all(batch.id, lambda before: before.erasing(now), now)

    def _forget_address(self, batch: Batch) -> None:
        for note in self.release.batches.deliveries(batch):
            if "url" in note and "erased" not in note:
                try:
                    self.database.write(forgotten(note))
                except ConditionFailed:
                    busy = "An attempt at the batch's webhook is under way; erase it again."
                    raise DeliveryBusy(busy, param="id", retry_after=1) from None


@dataclass(frozen=True, slots=True)
class EraseShard:
    """Erases the jobs of a shard's rows. May be repeated."""

    jobs: Jobs
    erase: Callable[[Head], None]
    """Erases what an ended job holds (`jobs.erasing`)."""
    release: Release

    def __call__(self, batch: Batch, shard: Shard, now: int) -> None:
        """Erase them.

        Raises:
            DeliveryBusy: an attempt at a row's webhook is under way; the message should come again.
        """
        for place in range(shard.rows):
            head = self.jobs.find(row_job_id(batch.id, batch.created_at, shard.first_row + place))
            if head is not None:
                self.erase(self._ended(head, now))
        self.release(batch.id, lambda before: before.fold(shard.number, Sums(), now), now)

    def _ended(self, head: Head, now: int) -> Head:
        """The head of a job that has ended; of a batch that failed, some may run still."""
        if not head.status.terminal:
            with suppress(NotCancelable):
                return self.jobs.change(head.id, lambda current: cancel(current, now=now), known=head)
            return self.jobs.get(head.id)
        return head
