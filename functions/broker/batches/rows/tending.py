"""Tending a shard: whatever is to be done for it now, whoever asks and however often.

not all sent ──► its rows become jobs (`running`)
few are open ──► another shard begins in its place      ┐
all ended    ──► collected, and folded into the batch   ┘ (`folding`)
all shards   ──► the workflow goes on
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from broker.batches.batch import Batch
from broker.batches.ports import BatchWorkflows
from broker.batches.rows.running import RunRows
from broker.batches.shard import Shard
from broker.batches.store import Batches


@dataclass(frozen=True, slots=True)
class Tend:
    """Tends one shard of a batch. May be repeated, and may stop anywhere."""

    batches: Batches
    run_rows: RunRows
    fold: Callable[[Batch, Shard, int], object]
    workflows: BatchWorkflows
    tell: Callable[[Batch, Shard | None, int], object] = lambda batch, shard, now: None
    """Tells of its begin and its end, by the shard that is tended (`telling`)."""

    def __call__(
        self, message: dict[str, Any], clock: Callable[[], int], time_left: Callable[[], bool] = lambda: True
    ) -> None:
        """Tend the shard that a message names.

        Args:
            message: `{"batch_id", "shard"}`, perhaps with `goes_on` (`tries.Pass`).
            clock: gives the milliseconds.
            time_left: False when the rest should go on in another message.

        Raises:
            Exception: of the cloud; the message should come again.
        """
        batch = self.batches.find(message["batch_id"])
        if batch is None:
            return
        shard = self.batches.find_shard(batch.id, message["shard"]) if message["shard"] in batch.open else None
        self.tell(batch, shard, clock())
        if shard and not shard.is_sent:
            shard = self.run_rows(batch, shard, message, clock, time_left)
            batch = self.batches.find(batch.id) or batch  # it may have been stopped meanwhile
        if shard and shard.is_sent:
            self.fold(batch, shard, clock())
        self._go_on(batch.id, clock())

    def _go_on(self, batch_id: str, now: int) -> None:
        """Tell the workflow if nothing is left to wait for; whoever comes last does, and a repeat tells nobody.

        One that was stopped before its time has a workflow that waits for that, so another writes what there is.
        """
        batch = self.batches.find(batch_id)
        if batch is None or not (batch.is_done or batch.status.terminal):
            return
        if batch.token:
            self.workflows.go_on(batch.token)
        elif batch.stop and not batch.status.terminal and batch.opens_at(now) > now:
            self.workflows.start(batch.id, batch.rev)
