"""The sweep's look at a batch: what a crash or a lost message left undone is done now.

Nothing here decides anything. A batch that stands still has its shards or its workflow asked for once more, each time
after a longer pause; both may be asked for at any time.
"""

from dataclasses import dataclass, replace

from broker.batches.batch import Batch, is_document
from broker.batches.flow.telling import Tell
from broker.batches.ports import BatchWorkflows, ShardQueue
from broker.batches.rows.releasing import Release
from broker.batches.store import Batches
from broker.errors import BrokerError, Conflict, NotFound

ANEW_LOOKS = 8
"""In vain, at a batch that lacks nothing but its results: some five hours. Then they are collected anew, once."""

UNTOUCHED = 1
"""The revision of a batch that nobody has changed since it was made: it may never have been started. If it was, its
first execution has the name of this start, so there are no two."""

MOST_LOOKS = 16
"""The same after that: some half a day. Then it has failed."""


@dataclass(frozen=True, slots=True)
class LookAtBatch:
    """Looks at batches that are due."""

    batches: Batches
    release: Release
    queue: ShardQueue
    workflows: BatchWorkflows
    tell: Tell

    def __call__(self, batch_id: str, now: int) -> bool:
        """Look, if it is due; True where something was asked for again."""
        try:
            batch = self.release(batch_id, lambda before: _looked(before, now), now)
        except (Conflict, NotFound):
            return False
        if batch.due_at is None:
            return True
        if batch.open or batch.status.terminal:
            self.queue.send(batch.id, batch.tenant, batch.open or [0])
            self.tell.progress(batch, now, live=True)
        elif batch.is_planned and not batch.is_done and (batch.token or batch.opens_at(now) > now):
            return False  # paused, or out of its hours: the workflow waits, and rightly
        elif not (batch.token and self.workflows.go_on(batch.token)):
            self.workflows.start(batch.id, batch.rev if batch.rev > UNTOUCHED + 1 else 0)
        return True


def _looked(batch: Batch, now: int) -> Batch:
    """The batch, with its next look put off.

    Raises:
        Conflict: it is not due; the index lags behind the table.
    """
    if batch.due_at is None or batch.due_at > now:
        raise Conflict(f"batch {batch.id} is not due")
    if batch.rev == UNTOUCHED:
        return batch.looked_at(now)
    if batch.erased_at and batch.is_done:
        return replace(batch, due_at=None)
    if batch.ends_at <= now:
        batch = batch.stopped("expired", now)
    if not batch.is_done or batch.status.terminal:
        return batch.looked_in_vain(now)
    if batch.looks >= ANEW_LOOKS and not (batch.collects_anew or is_document(batch)):
        return batch.collecting_anew()
    if batch.looks >= MOST_LOOKS:
        error = BrokerError("The results could not be put together; the fault is ours.", code="results_failed")
        batch = batch.failed({**error.facts(), "param": None}, now)
    return batch.looked_in_vain(now)
