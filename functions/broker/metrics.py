"""What is logged and measured of the facts that use cases tell: ids and numbers, and dimensions of bounded variety."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from broker.consequences import of_outcome
from broker.observability import log, metric, place_of, warn

if TYPE_CHECKING:
    from broker.cache.answers import Hit
    from broker.delivery.delivering import Sent
    from broker.jobs.head import Head
    from broker.jobs.sweeping import Swept
    from broker.steps.context import Run


OF_ANSWERS = {"InputTokens": "input_tokens", "OutputTokens": "output_tokens", "CostNanoUsd": "cost"}
"""Measured where there is something to measure: a call that failed has no tokens, and often no cost."""


def enqueue_failed(head: "Head", error: Exception) -> None:
    """A job was accepted, and its message could not be sent."""
    warn("enqueue failed; the sweep will send it", job_id=head.id, tenant=head.tenant, error=type(error).__name__)


def model_to_mend() -> None:
    """A model cannot be used until somebody mends its key, its name or our adapter: an alarm rings."""
    metric({}, ModelsToMend=1)


def provider_called(head: "Head", facts: dict[str, Any]) -> None:
    """A provider call was made; `facts` are the attempt's record."""
    if of_outcome(facts["outcome"]).alarm:
        model_to_mend()
    metric(
        {"model": facts["model"], "outcome": facts["outcome"]},
        {"message": "provider called", "job_id": head.id, "tenant": head.tenant, "paid": facts["paid"]},
        ProviderCalls=1,
        ProviderLatencyMs=facts["latency_ms"],
        **{name: facts[fact] for name, fact in OF_ANSWERS.items() if facts.get(fact)},
        **({"Fallbacks": 1} if len(head.calls) > 1 else {}),
    )


def fault_noticed(what: str, job: "Head | Run", error: Exception) -> None:
    """A fault of our own that did not stop the job."""
    warn(what, job_id=job.id, tenant=job.tenant, error=type(error).__name__, at=place_of(error))


def answer_given(run: "Run", hit: "Hit") -> None:
    """A job was answered by what was kept or shared."""
    metric(
        {"kind": hit.kind},
        {"message": "answer given", "job_id": run.id, "tenant": run.tenant},
        CacheHits=1,
        SavedNanoUsd=hit.given.cost,
    )


def answer_unkept(run: "Run", error: Exception) -> None:
    """A job's answer could not be kept for who asks the same; it ends well all the same."""
    facts = {"job_id": run.id, "tenant": run.tenant, "error": type(error).__name__, "at": place_of(error)}
    warn("answer not kept", **facts)


def circuit_changed(name: str, to: str) -> None:
    """A circuit was opened, probed or closed by this process; a tenant's own is no matter of the model's."""
    model, _, tenant = name.partition("#")
    if tenant:
        log("circuit of a tenant changed", model=model, tenant=tenant, change=to)
        return
    metric({"model": model, "change": to}, {"message": "circuit changed"}, CircuitChanges=1)


def board_unread(error: Exception) -> None:
    """Circuits and live figures could not be read: for some seconds this process goes by what it knew of them."""
    warn("the circuits could not be read", error=type(error).__name__, at=place_of(error))


def room_unknown(error: Exception) -> None:
    """What runs at once could not be read or told: this process goes by what it knew."""
    warn("what runs could not be read", error=type(error).__name__, at=place_of(error))


def publishing_stopped(head: "Head", error: Exception) -> None:
    """A job's webhook or its line of a batch could not be started; the stream brings the job again."""
    warn(
        "a job could not be told of; it comes again",
        job_id=head.id,
        tenant=head.tenant,
        error=type(error).__name__,
        at=place_of(error),
    )


def not_left_undone(head: "Head", error: Exception) -> None:
    """A provider may go on with work that nobody waits for, and charge for it, until it ends by itself."""
    warn("a provider could not be told to stop", job_id=head.id, tenant=head.tenant, error=type(error).__name__)


def line_failed(batch_id: str, line: int, error: BaseException) -> None:
    """A line of a file could not be taken for a reason that nobody foresaw; the others go on."""
    warn("a line failed", batch_id=batch_id, line=line, error=type(error).__name__, at=place_of(error))


def job_ended(head: "Head") -> None:
    """A job reached its terminal status.

    Its time is told in parts: in its queue, with models, and the broker's own (checks, selection, moderation, writes).
    The last two are left out for a job that never ran, and for one that somebody had to look at. What was put back was
    in its queue until its last run, but for the time of models that were asked before.
    """
    began, asked = head.started_at, _asked_ms(head.calls)
    before = 0
    if head.waits:
        began = head.claimed_at if head.claimed_by else None
        before = asked - (_asked_ms(head.calls_of(head.run)) if began else 0)
    queued = max(0, (began or head.ended_at or 0) - head.created_at - before)
    whole = (head.ended_at or 0) - head.created_at
    parts = (
        {"JobModelMs": asked, "JobOwnMs": max(0, whole - queued - asked)} if head.started_at and not head.review else {}
    )
    line = {"message": "job ended", "job_id": head.id, "tenant": head.tenant, "runs": head.run}
    if head.prompt:  # no dimension: versions have no end, and what came of each is counted in the ledger
        line["prompt"] = f"{head.prompt['id']}@{head.prompt['version']}"
    metric(
        {"outcome": head.status.value, "lane": head.lane},
        line,
        JobsEnded=1,
        JobQueuedMs=queued,
        JobEndToEndMs=whole,
        **parts,
    )


def _asked_ms(calls: dict[str, dict[str, Any]]) -> int:
    return sum(call.get("l", 0) for call in calls.values())


def sweep_ended(done: "Swept", now: int) -> dict[str, Any]:
    """A sweep is over; gives what it did, as counts. How far it is behind is told each time."""
    counts = asdict(done) | {"errors": len(done.errors)}
    due_at = counts.pop("oldest_due_at")
    metric(
        {"stage": "sweep"},
        {"message": "swept", **counts, "error_names": sorted(set(done.errors))},
        SweepErrors=counts["errors"],
        JobsRequeued=done.requeued,
        DeadLetters=done.dead_letters,
        SweepBehindSeconds=0 if due_at is None else max(0, now - due_at) // 1000,
    )
    return counts


def receivers_unread(error: Exception) -> None:
    """Which receivers are slow could not be read or noted: webhooks go out without limit meanwhile."""
    warn("the slow receivers could not be read", error=type(error).__name__, at=place_of(error))


def webhook_gone(job_id: str, what: str) -> None:
    """A webhook was to be sent of a job that is gone: its `ttl_seconds` were over first."""
    log("webhook gone with its job", job_id=job_id, what=what)


def webhook_attempted(job_id: str, note: dict[str, Any], sent: "Sent") -> None:
    """A webhook was posted, or could not be."""
    facts = {"job_id": job_id, "tenant": note["tenant"], "event_id": note["event_id"]}
    line = {"message": "webhook attempted", **facts, "status": sent.status, "error": sent.error}
    metric({"state": note["state"]}, line, WebhookAttempts=1, WebhookLatencyMs=sent.latency_ms)
