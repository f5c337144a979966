"""Counting the rows of a batch that have ended: each once, however often it is told, by one write to its shard."""

from dataclasses import dataclass

from broker.batches.ports import ShardQueue
from broker.batches.shard import RowEnd
from broker.batches.store import Batches
from broker.jobs.head import Head

SLOW_MS = 60_000
"""A row that took longer. Of quicker ones nobody has to be told before a shard of them has ended."""


@dataclass(frozen=True, slots=True)
class Count:
    """Counts rows, and has a shard looked at when it gets light, and when its last row has ended.

    Where rows are slow, it is looked at between as well, to tell how far they have come: as many times for a batch of a
    million as for one of two thousand.
    """

    batches: Batches
    queue: ShardQueue

    def __call__(self, head: Head, now: int) -> None:
        """Count the row of a job that ended; told again, it asks again where the first time may have died before."""
        if head.batch is not None and head.row is not None:
            shard = self.batches.end_row(head.batch, head.row, RowEnd.of(head))
            if shard is None or not shard.is_sent:
                return
            is_slow = now - head.created_at >= SLOW_MS
            if shard.is_turning or (is_slow and shard.is_telling):
                self.queue.send(shard.batch, head.tenant, [shard.number])
