"""What is told of a change: thin facts with the sequence number of the job, the one that its webhooks have."""

from dataclasses import dataclass
from typing import Any

from broker.batches.batch import Batch
from broker.clock import iso
from broker.delivery.events import job_facts, review_event_of
from broker.delivery.publishing import HeadChange
from broker.jobs.head import Head, Status
from broker.push.connection import Connection


@dataclass(frozen=True, slots=True)
class BatchChange:
    """One change of a batch's record."""

    before: Batch | None
    after: Batch


@dataclass(frozen=True, slots=True)
class News:
    """What is told, and who it concerns."""

    tenant: str
    told: dict[str, Any]
    job: str = ""
    batch: str = ""
    """The batch itself, or the one that the job is a row of."""

    def is_for(self, connection: Connection) -> bool:
        """Whether a connection of the tenant listens to it."""
        if connection.all or (self.job and self.job in connection.jobs):
            return True
        return self.batch in connection.batches and (not self.job or connection.batches[self.batch])


def job_state(head: Head, base_url: str) -> dict[str, Any]:
    """A job as it stands: the facts of its events, and its sequence number."""
    state = {"sequence": head.rev, **job_facts(head, base_url)}
    return state | {"review": _review(head)} if head.is_held else state


def batch_state(batch: Batch, base_url: str) -> dict[str, Any]:
    """A batch as it stands, as its events name it."""
    url = f"{base_url}/batches/{batch.id}"
    return {"sequence": batch.rev, "batch_id": batch.id, "status": batch.status.value, "url": url}


def news_of(change: HeadChange | BatchChange, base_url: str) -> News | None:
    """What a change tells; None where its status is what it was. `base_url` is that of the REST API."""
    return _of_job(change, base_url) if isinstance(change, HeadChange) else _of_batch(change, base_url)


def _of_job(change: HeadChange, base_url: str) -> News | None:
    head = change.after
    at: int | None
    if review_event_of(change.before, head, base_url):
        kind, at = ("job.held", head.review["since"]) if head.is_held else ("job.released", head.review["at"])
    elif change.before is not None and change.before.status is head.status:
        return None
    else:
        kind = f"job.{head.status.value}"
        begun = {Status.QUEUED: head.created_at, Status.RUNNING: head.started_at}
        at = begun.get(head.status, head.ended_at)
    state = job_state(head, base_url)
    told = {"type": kind, "timestamp": iso(at), **state}
    return News(head.tenant, told, head.id, head.batch or "")


def _of_batch(change: BatchChange, base_url: str) -> News | None:
    batch = change.after
    if change.before is not None and change.before.status is batch.status:
        return None
    at = batch.stamps.get(batch.status.value, batch.created_at)
    told = {"type": f"batch.{batch.status.value}", "timestamp": iso(at), **batch_state(batch, base_url)}
    return News(batch.tenant, told, batch=batch.id)


def _review(head: Head) -> dict[str, Any]:
    return {"stage": head.review["stage"], "rules": head.review["rules"], "until": iso(head.deadline_at)}
