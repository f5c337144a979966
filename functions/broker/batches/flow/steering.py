"""Steering: the steps of a batch's workflow between its plan and its results."""

from dataclasses import dataclass, replace
from typing import Any

from broker.batches.batch import Batch
from broker.batches.flow.slots import Slots
from broker.batches.ports import ShardQueue
from broker.batches.rows.planning import seconds
from broker.batches.rows.releasing import Release
from broker.batches.store import Batches
from broker.errors import BrokerError

GRACE_S = 21_600
"""Between two looks at a batch whose time is over: its rows' deadlines are over with it, and the sweep ends those."""


@dataclass(frozen=True, slots=True)
class Run:
    """Lets the rows of a batch run, and says by which token their end is told. May be repeated."""

    release: Release
    queue: ShardQueue

    def __call__(self, batch_id: str, token: str, now: int) -> dict[str, Any]:
        """Keep the token and release what may run."""
        batch = self.release(batch_id, lambda before: replace(before, token=token), now)
        if batch.is_done or batch.status.terminal:
            # Nothing is left that would tell of its end, but who tends a shard looks whether someone waits for it.
            self.queue.send(batch.id, batch.tenant, [max(0, batch.shards - 1)])
        return {}


@dataclass(frozen=True, slots=True)
class Expire:
    """Ends the time of a batch: what has not begun is passed over. May be repeated."""

    release: Release

    def __call__(self, batch_id: str, now: int) -> dict[str, Any]:
        """Stop it; gives the `seconds` to wait for what runs still."""

        def decide(before: Batch) -> Batch:
            return before.stopped("expired", now) if before.ends_at <= now else before

        batch = self.release.all(batch_id, decide, now)
        return {"seconds": GRACE_S if batch.has_stopped else seconds(batch, now)}


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Ends a batch whose rows could not be laid out. May be repeated."""

    batches: Batches

    def __call__(self, batch_id: str, now: int) -> dict[str, Any]:
        """Mark it as failed, unless it was laid out meanwhile: then its rows go on."""
        error = BrokerError("The rows could not be laid out; the fault is ours.", code="batch_not_planned")
        facts = {**error.facts(), "param": None}
        _, after = self.batches.change(
            batch_id, lambda before: before if before.is_planned else before.failed(facts, now)
        )
        Slots(self.batches, "plan").give_back(after, now)
        return {}
