"""What the outside is told of a job: events and webhook bodies, made from the head alone, never with a payload.

Where the answer is given out by a link, webhooks have one as well.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from broker.clock import iso, usd
from broker.envelope import cloud_event, envelope
from broker.jobs.head import HELD_EVENT, Head, Status, job_url
from broker.jobs.reading import link_fields
from broker.jobs.store import Linked

DETAIL_TYPES = {
    Status.QUEUED: "JobAccepted",
    Status.RUNNING: "JobStarted",
    Status.SUCCEEDED: "JobSucceeded",
    Status.FAILED: "JobFailed",
    Status.BLOCKED: "JobBlocked",
    Status.CANCELED: "JobCanceled",
    Status.EXPIRED: "JobExpired",
}

THRESHOLD = "BudgetThresholdCrossed"

REVIEW_TYPES = ("JobHeld", "JobReleased")
"""Of jobs that are held for a review, which are queued meanwhile."""


def job_facts(head: Head, base_url: str) -> dict[str, Any]:
    """The small facts of a job that events and webhooks carry; `base_url` is that of the REST API."""
    return {
        "job_id": head.id,
        "status": head.status.value,
        "task": head.task,
        "model": head.model,
        "error": head.error,
        "usage": {
            "input_tokens": head.usage.get("input_tokens", 0),
            "output_tokens": head.usage.get("output_tokens", 0),
            "cost_usd": usd(head.spent),
        },
        "url": job_url(head, base_url),
    }


def review_event_of(before: Head | None, after: Head, base_url: str) -> tuple[str, dict[str, Any]] | None:
    """The event of a job that is held for a review, or released; operators go by it, so it is always told."""
    if before is None or before.is_held is after.is_held or after.status.terminal:
        return None
    review = after.review
    held, released = REVIEW_TYPES
    kind, at = (held, review["since"]) if after.is_held else (released, review["at"])
    shown = {"stage": review["stage"], "rules": review["rules"], "url": f"{base_url}/admin/reviews/{after.id}"}
    event_id = review_event_id(after)
    facts = job_facts(after, base_url) | {"review": shown}
    return kind, _enveloped(kind, after, event_id, at, facts)


def review_event_id(head: Head) -> str:
    """The stable id of a hold or a release; a job may be held in two of its runs."""
    return f"evt_{head.id.removeprefix('job_')}_{head.review['state']}_{head.run}"


def event_of(before: Head | None, after: Head, base_url: str) -> tuple[str, dict[str, Any]] | None:
    """The event of a change of a head as `(detail-type, detail)`; None where nobody needs to be told.

    A job that goes back to its queue tells nothing: it was accepted before.
    """
    if before is not None and (before.status is after.status or after.status is Status.QUEUED):
        return None
    at = {Status.QUEUED: after.created_at, Status.RUNNING: after.started_at}.get(after.status, after.ended_at)
    facts = job_facts(after, base_url)
    kind = DETAIL_TYPES[after.status]
    return kind, _enveloped(kind, after, after.event_id, at or after.created_at, facts)


def _enveloped(kind: str, head: Head, event_id: str, at: int, facts: dict[str, Any]) -> dict[str, Any]:
    detail = envelope(event_id, head.correlation_id, head.tenant, at, facts)
    return cloud_event(kind, detail) if head.cloud_events else detail


def crossings_of(before: Head | None, after: Head) -> list[tuple[str, dict[str, Any]]]:
    """The events of the budgets' thresholds that were passed with a job, once it has ended.

    Their ids are of the budget, its period and the threshold: another job that passes one again is told as the same.
    """
    if not after.status.terminal or (before is not None and before.status.terminal):
        return []
    found = []
    for bucket, percent in sorted(after.crossed.items()):
        scope, _, period = bucket.rpartition("/")
        digest = hashlib.sha256(f"{bucket} {percent}".encode()).hexdigest()[:32]
        facts = {
            "budget": scope.split(":")[1],
            "percent": percent,
            "period": period,
            "principal": after.principal,
            "job_id": after.id,
        }
        found.append((THRESHOLD, _enveloped(THRESHOLD, after, f"evt_{digest}_crossed", after.created_at, facts)))
    return found


def webhook_body(head: Head, base_url: str, linked: Linked | None = None) -> dict[str, Any]:
    """The body of a webhook (`schemas/webhook.json`), in the form that Standard Webhooks recommends."""
    facts = job_facts(head, base_url) | (link_fields(linked) if linked else {})
    return {"type": f"job.{head.status.value}", "timestamp": iso(head.ended_at), "data": facts}


def held_facts(head: Head) -> dict[str, Any]:
    """Of a job that is held, what a delivery keeps: when it goes out, the job may have moved on."""
    return {name: head.review[name] for name in ("stage", "rules", "since")}


def held_body(head: Head, held: Mapping[str, Any], base_url: str) -> dict[str, Any]:
    """The body of a webhook that tells of a hold, the same however late it is sent.

    Args:
        head: the job, as it is now.
        held: as `held_facts` gave it.
        base_url: that of the REST API.
    """
    review = {"stage": held["stage"], "rules": held["rules"], "until": iso(head.deadline_at)}
    facts = {"job_id": head.id, "status": Status.QUEUED.value, "task": head.task, "url": job_url(head, base_url)}
    return {"type": HELD_EVENT, "timestamp": iso(held["since"]), "data": facts | {"review": review}}
