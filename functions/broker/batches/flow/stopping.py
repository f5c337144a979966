"""Stopping a batch, for good or for a while: what has not begun does not begin, what is done is kept."""

from dataclasses import dataclass, replace

from broker.batches.batch import Batch, BatchStatus
from broker.batches.rows.releasing import Release
from broker.errors import Conflict, NotCancelable


@dataclass(frozen=True, slots=True)
class Stops:
    """Stops batches and lets them go on. Each may be repeated: what a crash leaves untold, the sweep tells."""

    release: Release

    def cancel(self, batch: Batch, now: int) -> Batch:
        """Begin no more rows, and end the jobs that nobody has begun; those that run end as they would have.

        Raises:
            NotCancelable: it has ended, or only its results are being written.
        """

        def canceled(before: Batch) -> Batch:
            if before.status.terminal or before.status is BatchStatus.FINALIZING:
                raise NotCancelable(f"The batch is {before.status.value}: all of its rows have ended.")
            return before.stopped("cancelled", now)

        return self.release.all(batch.id, canceled, now)

    def pause(self, batch: Batch, now: int) -> Batch:
        """Have no more rows begin for now; jobs that there are go on.

        Raises:
            Conflict: no more rows will begin anyhow.
        """
        _, after = self.release.batches.change(batch.id, lambda before: replace(_going_on(before), is_paused=True))
        return after

    def resume(self, batch: Batch, now: int) -> Batch:
        """Let rows begin again.

        Raises:
            Conflict: no more rows will begin.
        """

        def resumed(before: Batch) -> Batch:
            return replace(_going_on(before), is_paused=False).looked_at(now)

        return self.release.all(batch.id, resumed, now)


def _going_on(batch: Batch) -> Batch:
    """A batch of which rows may still begin."""
    if batch.has_stopped or batch.status.terminal or batch.status is BatchStatus.FINALIZING:
        message = f"The batch is {batch.status.value}: no more of its rows begin."
        raise Conflict(message, code="batch_stopped", param="id")
    return batch
