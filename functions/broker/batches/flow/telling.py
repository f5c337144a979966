"""What the outside is told of a batch: that it began, how far it came, and its end, also by webhook.

Events have stable ids, so each may be told again. They are put before it is noted that they were.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from broker.batches.batch import Batch, BatchStatus
from broker.batches.ports import ShardQueue
from broker.batches.shard import ENDINGS, STEPS, Shard, Sums
from broker.batches.store import Batches
from broker.batches.viewing import live_sums
from broker.clock import iso, usd
from broker.envelope import envelope
from broker.storage import Unread

STEP_MS = 60_000
"""Progress is told at each twentieth of the rows, and not more often than that."""

WEBHOOKS: Mapping[BatchStatus, str] = {
    BatchStatus.COMPLETED: "batch.completed",
    BatchStatus.FAILED: "batch.failed",
    BatchStatus.EXPIRED: "batch.expired",
    BatchStatus.CANCELLED: "batch.cancelled",
}
"""What a webhook is told of, in OpenAI's words (API reference, "Webhook events")."""


class StartDelivery(Protocol):
    """Starts webhooks, each once (`delivery.starting`)."""

    def __call__(self, owner: str, tenant: str, expires_at: int, name: str, now: int, facts: dict[str, Any]) -> None:
        """Start one; may be repeated."""
        ...


TellEndpoints = Callable[[str, str, int, str, str, int, str, int], None]
"""Tells the tenant's registered endpoints (`endpoints.telling.TellEndpoints.of_batch`)."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Tells of batches."""

    batches: Batches
    put: Callable[[str, dict[str, Any]], None]
    """Puts an event on the bus: detail-type and detail."""
    deliver: StartDelivery
    base_url: str
    """Of the REST API, for links."""
    tell_endpoints: TellEndpoints = lambda *about: None

    def __call__(self, batch: Batch, shard: Shard | None, now: int) -> None:
        """Tell what is to be told of a batch when one of its shards, if it is open, is tended; may be repeated."""
        if batch.status.terminal:
            self.ended(batch, now)
        elif shard and shard.number == 0 and shard.lease_until is None:
            self.started(batch)

    def started(self, batch: Batch) -> None:
        """Its rows are laid out and begin; may be repeated."""
        at = batch.stamps.get(BatchStatus.IN_PROGRESS.value, batch.created_at)
        self._event("BatchStarted", batch, "started", at, {"total": batch.rows})

    def progress(self, batch: Batch, now: int, *, live: bool = False) -> None:
        """How far it has come, if it came a twentieth further and that is due; `live`, with what open shards tell."""
        if batch.status is not BatchStatus.IN_PROGRESS or now - batch.told_at < STEP_MS:
            return
        try:
            sums = batch.sums + (live_sums(self.batches, batch) if live else Sums())
        except Unread:  # the tables are busy, and it is told the next time
            return
        step = STEPS * sums.ended // max(1, batch.rows)
        if not batch.told < step < STEPS:
            return
        facts = {"total": batch.rows, "ended": sums.ended, "percent": step * 100 // STEPS, "counts": counts_of(sums)}
        self._event("BatchProgressed", batch, f"progressed_{step}", now, facts)
        self.batches.change(
            batch.id, lambda now_is: replace(now_is, told=step, told_at=now) if now_is.told < step else now_is
        )

    def ended(self, batch: Batch, now: int) -> None:
        """Its end, where that has not been told; may be repeated.

        Raises:
            Exception: of the bus or the tables; what was told is told again.
        """
        if batch.told >= STEPS:
            return
        at = batch.stamps.get(batch.status.value, now)
        facts = self._failure(batch) if batch.status is BatchStatus.FAILED else self._results(batch)
        kind = "BatchFailed" if batch.status is BatchStatus.FAILED else "BatchCompleted"
        self._event(kind, batch, batch.status.value, at, facts)
        self._webhook(batch, facts, at, now)
        self.batches.change(batch.id, _told)

    def _webhook(self, batch: Batch, facts: dict[str, Any], at: int, now: int) -> None:
        event, wanted = WEBHOOKS[batch.status], batch.asked.get("webhook", {})
        # OpenAI's events of batches have the batch's id as `data.id`.
        data = {"id": batch.id, **self._named(batch, facts)}
        body = json.dumps({"type": event, "timestamp": iso(at), "data": data}, separators=(",", ":"))
        known = event_id(batch.id, batch.status)
        self.tell_endpoints(batch.id, batch.tenant, batch.expires_at, event, known, at, body, now)
        if not wanted or event not in wanted.get("events", WEBHOOKS.values()):
            return
        about: dict[str, Any] = {"event_id": known, "event": event, "url": wanted["url"], "body": body}
        if batch.erased_at is not None:
            about["erased"] = True
        self.deliver(batch.id, batch.tenant, batch.expires_at, f"DELIVERY#{event}", now, about)

    def _event(self, kind: str, batch: Batch, stage: str, at: int, facts: dict[str, Any]) -> None:
        detail = envelope(event_id(batch.id, stage), batch.id, batch.tenant, at, self._named(batch, facts))
        self.put(kind, detail)

    def _named(self, batch: Batch, facts: dict[str, Any]) -> dict[str, Any]:
        return {"batch_id": batch.id, "url": f"{self.base_url}/batches/{batch.id}", **facts}

    def _results(self, batch: Batch) -> dict[str, Any]:
        sums = batch.sums
        usage = {"input_tokens": sums.input_tokens, "output_tokens": sums.output_tokens, "cost_usd": usd(sums.cost)}
        return {
            "status": batch.status.value,
            "stop_reason": batch.stop,
            "key": batch.asked.get("output", {}).get("key"),
            "result_key": batch.output.get("result_key"),
            "output_file_id": batch.output.get("output_file_id"),
            "error_file_id": batch.output.get("error_file_id"),
            "total": batch.rows,
            "counts": counts_of(sums),
            "usage": usage,
        }

    def _failure(self, batch: Batch) -> dict[str, Any]:
        error = batch.error or {}
        shown = {name: error.get(name) for name in ("type", "code", "message", "param")}
        return {"status": batch.status.value, "total": batch.rows, "error": shown}


@dataclass(frozen=True, slots=True)
class TellSoon:
    """Has the end of a batch told by who tends its shards: the workflow's function does not know where the API is."""

    batches: Batches
    queue: ShardQueue

    def __call__(self, batch_id: str) -> None:
        """Ask for it; may be repeated."""
        batch = self.batches.get(batch_id)
        self.queue.send(batch.id, batch.tenant, [0])


def _told(batch: Batch) -> Batch:
    """A batch whose end was told; where it is being erased, the sweep looks until that is done."""
    if batch.erased_at is None:
        return replace(batch, told=STEPS, due_at=None)
    kept = {name: value for name, value in batch.asked.items() if name != "webhook"}
    return replace(batch, told=STEPS, asked=kept)


def event_id(batch_id: str, stage: str) -> str:
    """The stable id of an event about a batch."""
    return f"evt_{batch_id.removeprefix('batch_')}_{stage}"


def counts_of(sums: Sums) -> dict[str, int]:
    """Rows by how they ended, each ending named."""
    return {ending: sums.counts.get(ending, 0) for ending in ENDINGS}
