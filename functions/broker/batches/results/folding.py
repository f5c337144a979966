"""Folding: when rows of a shard have ended, another shard begins in its place; in the end it is collected and counted.

Every step may be repeated, and may be the last before a crash: what was written and not told, the sweep finds.
"""

from collections.abc import Callable
from dataclasses import dataclass

from broker.batches.batch import Batch
from broker.batches.flow.telling import Tell
from broker.batches.ports import ShardQueue
from broker.batches.results.collecting import Collect, Unsettled
from broker.batches.rows.duplicates import Duplicates
from broker.batches.rows.releasing import Release
from broker.batches.shard import STEPS, Shard, row_job_id
from broker.batches.store import Batches
from broker.errors import Conflict, NotFound
from broker.jobs.head import Head, Status
from broker.jobs.store import Jobs
from broker.jobs.transitions import cancel

UNSETTLED_S = 60
"""After so long a shard is looked at again that waits for a job's price."""


@dataclass(frozen=True, slots=True)
class Fold:
    """Looks at a shard whose rows are all sent."""

    batches: Batches
    jobs: Jobs
    duplicates: Duplicates
    collect: Collect
    erase: Callable[[Batch, Shard, int], None]
    """Erases the rows of a shard (`results.erasing`)."""
    release: Release
    queue: ShardQueue
    tell: Tell

    def __call__(self, batch: Batch, shard: Shard, now: int) -> None:
        """Do what is to be done for a shard as it is now; nothing where its rows are not all sent.

        Args:
            batch: as it was read just now.
            shard: as it was read after its rows were sent.
            now: milliseconds.
        """
        if batch.erased_at is not None:
            self.erase(batch, shard, now)
            return
        if not shard.is_sent or batch.status.terminal:
            return
        if batch.asked.get("dedupe"):
            caught_up = self.duplicates.catch_up(batch, shard)
            if caught_up is None:
                return
            shard = caught_up
            self._wake(batch, shard)
        if batch.has_stopped and not shard.is_over:
            self._cancel_queued(batch, shard, now)
        if shard.is_over and shard.number in batch.open:
            try:
                ended = self.collect(batch, shard, now)
            except Unsettled:
                self.queue.again({"batch_id": batch.id, "shard": shard.number}, batch.tenant, UNSETTLED_S)
            else:
                if changed := {place: end for place, end in ended.ends.items() if end != shard.ends[place]}:
                    self.batches.end_rows(batch.id, shard.number, changed)  # a retry goes by them
                of_cap = shard.reserved, shard.settled
                batch = self.release(batch.id, lambda now_is: now_is.fold(shard.number, ended.sums, now, *of_cap), now)
                self.tell.progress(batch, now)
        if not shard.is_over and shard.number < STEPS:
            self.tell.progress(batch, now, live=True)
        if shard.is_light and shard.number in batch.busy:
            self.release(batch.id, lambda now_is: now_is.lighten(shard.number), now)

    def _wake(self, batch: Batch, shard: Shard) -> None:
        """Have the shards looked at whose rows wait for answers of this one."""
        if not shard.running or (shard.is_light and shard.number in batch.busy):
            waiting = self.duplicates.waiting(shard)
            self.queue.send(batch.id, batch.tenant, [number for number in waiting if number != shard.number])
            if not shard.running:
                self.duplicates.told(shard, waiting)

    def _cancel_queued(self, batch: Batch, shard: Shard, now: int) -> None:
        """Cancel the jobs that nobody has begun; those that run end as they would have."""

        def if_unbegun(head: Head) -> Head:
            if not is_unbegun(head):
                raise Conflict(f"job {head.id} has begun")
            return cancel(head, now=now)

        for place in range(shard.rows):
            if place in shard.ends or place in shard.followers:
                continue
            job_id = row_job_id(batch.id, batch.created_at, shard.first_row + place)
            try:
                self.jobs.change(job_id, if_unbegun)
            except (Conflict, NotFound):  # it runs, has ended, or is gone
                continue


def is_unbegun(head: Head) -> bool:
    """True of a job that waits and has called nobody."""
    return head.status is Status.QUEUED and not head.calls
