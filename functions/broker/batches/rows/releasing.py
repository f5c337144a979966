"""Releasing shards: a change of a batch, and the word to each shard that may run by it."""

from collections.abc import Callable
from dataclasses import dataclass

from broker.batches.batch import Batch
from broker.batches.ports import ShardQueue
from broker.batches.store import Batches


@dataclass(frozen=True, slots=True)
class Release:
    """Changes a batch and sends the shards that are released with it.

    What a crash leaves between the two, the sweep sends: an open shard may be sent again at any time.
    """

    batches: Batches
    queue: ShardQueue

    def __call__(self, batch_id: str, decide: Callable[[Batch], Batch], now: int) -> Batch:
        """Change it, release what may run then, and send that; gives the batch after it.

        Raises:
            NotFound: there is no such batch.
            Conflict: it would not hold still.
        """
        before, after = self.batches.change(batch_id, lambda batch: decide(batch).release(now))
        self.queue.send(after.id, after.tenant, range(before.released, after.released))
        return after

    def all(self, batch_id: str, decide: Callable[[Batch], Batch], now: int) -> Batch:
        """The same where all open shards have to be looked at by it, as when the batch stops."""
        _, after = self.batches.change(batch_id, lambda batch: decide(batch).release(now))
        self.queue.send(after.id, after.tenant, after.open)
        return after
