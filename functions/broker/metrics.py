"""What is logged and measured of the facts that use cases tell: ids and numbers, and dimensions of bounded variety.

A metric is what an alarm or the dashboard needs (`bench/prices.json` has what each costs, and a test that there is no
other); the lines are for Logs Insights, whose saved queries read their facts by name.
"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from broker.consequences import of_outcome, whose
from broker.errors import CredentialRejected, Unavailable
from broker.observability import log, metric, place_of, say, warn

if TYPE_CHECKING:
    from broker.batches.batch import Batch
    from broker.bulk.record import Bulk
    from broker.cache.answers import Hit
    from broker.delivery.sending import Sent
    from broker.jobs.head import Head
    from broker.jobs.sweeping import Swept
    from broker.permissions.refusing import Denial
    from broker.push.connection import Connection
    from broker.steps.context import Run


OF_ANSWERS = {"input_tokens": "input_tokens", "output_tokens": "output_tokens", "cost_nano_usd": "cost"}
"""Told where there is something to tell: a call that failed has no tokens, and often no cost."""

FAULTS = ("operator", "provider", "us")
"""Whose faults make a job's end a failure that an operator hears of. A caller cannot make one: of what a model answers
to a schema that nothing fits, nobody can tell whose fault it is."""

FAIR_MS = 60_000
"""A job that expires sooner was given too little time by its caller."""


def enqueue_failed(head: "Head", error: Exception) -> None:
    """A job was accepted, and its message could not be sent."""
    warn("enqueue failed; the sweep will send it", job_id=head.id, tenant=head.tenant, error=type(error).__name__)


def permission_denied(denial: "Denial") -> None:
    """A registered permission kept somebody from something: at the door, or a job once it ran."""
    who, member = denial.who, denial.who.member
    whose = {"principal": who.principal, "key": who.key, "application": member.application}
    job = {"job_id": denial.job_id} if denial.job_id else {}
    warn("permission denied", tenant=who.tenant, **whose, door=who.door, rule=denial.rule, param=denial.param, **job)


def batch_unstarted(batch: "Batch", error: Exception) -> None:
    """A batch was taken, and its workflow could not be started."""
    warn("start failed; the sweep will start it", batch_id=batch.id, tenant=batch.tenant, error=type(error).__name__)


def credential_rejected() -> None:
    """A provider does not take our key, AWS not our role, or there is none: an alarm rings."""
    metric({}, CredentialsRejected=1)


def model_to_mend() -> None:
    """A model cannot be used until somebody mends its name, our access to it or our adapter: an alarm rings."""
    metric({}, ModelsToMend=1)


def provider_called(head: "Head", facts: dict[str, Any]) -> None:
    """A provider call was made; `facts` are the attempt's record."""
    if facts["outcome"] == CredentialRejected.__name__:
        credential_rejected()
    elif of_outcome(facts["outcome"]).alarm:
        model_to_mend()
    line = {"message": "provider called", "job_id": head.id, "tenant": head.tenant}
    line |= {name: facts[name] for name in ("model", "outcome", "latency_ms", "paid")}
    line |= {name: facts[fact] for name, fact in OF_ANSWERS.items() if facts.get(fact)}
    say(line | ({"call": head.calls_made} if head.calls_made > 1 else {}))


def fault_noticed(what: str, job: "Head | Run", error: Exception) -> None:
    """A fault of our own that did not stop the job."""
    warn(what, job_id=job.id, tenant=job.tenant, error=type(error).__name__, at=place_of(error))


def answer_given(run: "Run", hit: "Hit") -> None:
    """A job was answered by what was kept or shared."""
    facts = {"kind": hit.kind, "saved_nano_usd": hit.given.cost}
    say({"message": "answer given", "job_id": run.id, "tenant": run.tenant, **facts})


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
    say({"message": "circuit changed", "model": model, "change": to})


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


def push_unsent(connection: "Connection", error: Exception | None) -> None:
    """A connection missed something, and is closed for it; without an error, there was no time to try."""
    warn("not pushed", tenant=connection.tenant, error=type(error).__name__ if error else "no time")


def not_left_undone(head: "Head", error: Exception) -> None:
    """A provider may go on with work that nobody waits for, and charge for it, until it ends by itself."""
    warn("a provider could not be told to stop", job_id=head.id, tenant=head.tenant, error=type(error).__name__)


def line_failed(batch_id: str, line: int, error: BaseException) -> None:
    """A line of a file could not be taken for a reason that nobody foresaw; the others go on."""
    warn("a line failed", batch_id=batch_id, line=line, error=type(error).__name__, at=place_of(error))


def bulk_failed(bulk_id: str, job_id: str, error: BaseException) -> None:
    """A job of a bulk operation failed for a reason that nobody foresaw; the others go on."""
    warn("a job of a bulk failed", bulk_id=bulk_id, job_id=job_id, error=type(error).__name__, at=place_of(error))


def bulk_unsent(bulk: "Bulk", error: Exception) -> None:
    """The first message of a bulk operation was not sent; the sweep sends it."""
    warn("a bulk was not sent", bulk_id=bulk.id, error=type(error).__name__)


def job_ended(head: "Head") -> None:
    """A job reached its terminal status.

    Its time is told in parts: in its queue, with models, and the broker's own (checks, selection, moderation, writes).
    The last two are left out for a job that never ran, and for one that somebody had to look at. What was put back was
    in its queue until its last run, but for the time of models that were asked before. `JobsFailed` is told of each, as
    0 or 1: its mean is a share.
    """
    began, asked = head.started_at, _asked_ms(head.calls)
    before = 0
    if head.waits:
        began = head.claimed_at if head.claimed_by else None
        before = asked - (_asked_ms(head.calls_of(head.run)) if began else 0)
    queued = max(0, (began or head.ended_at or 0) - head.created_at - before)
    whole = (head.ended_at or 0) - head.created_at
    ran = head.started_at and not head.review
    line: dict[str, Any] = {"message": "job ended", "job_id": head.id, "tenant": head.tenant, "runs": head.run}
    line |= {"outcome": head.status.value, "lane": head.lane}
    if head.error:
        line["error"] = head.error["code"]
    if head.crossed:
        line["crossed"] = {bucket.rpartition("/")[0].split(":")[1]: percent for bucket, percent in head.crossed.items()}
    if head.prompt:  # no dimension: versions have no end, and what came of each is counted in the ledger
        line["prompt"] = f"{head.prompt['id']}@{head.prompt['version']}"
    metric(
        {},
        line,
        JobsFailed=int(is_failure(head)),
        JobQueuedMs=queued,
        JobEndToEndMs=whole,
        **({"JobModelMs": asked, "JobOwnMs": max(0, whole - queued - asked)} if ran else {}),
    )


def is_failure(head: "Head") -> bool:
    """True where a job ended without its answer, and neither its caller nor what it says is the reason."""
    if head.status == "expired":  # one that a person should have looked at has an alarm of its own
        return head.deadline_at - head.created_at >= FAIR_MS and not head.review
    return head.status == "failed" and whose((head.error or {}).get("type", "")) in FAULTS


def _asked_ms(calls: dict[str, dict[str, Any]]) -> int:
    return sum(call.get("l", 0) for call in calls.values())


def sweep_ended(done: "Swept", now: int) -> dict[str, Any]:
    """A sweep is over; gives what it did, as counts. A metric that is told each minute would be paid for all month.

    Raises:
        Unavailable: some of what is due could not be read, so nothing else says that it waits; an alarm rings where
            that goes on.
    """
    counts = asdict(done) | {"errors": len(done.errors)}
    due_at = counts.pop("oldest_due_at")
    behind_s = 0 if due_at is None else max(0, now - due_at) // 1000
    if done.dead_letters:
        metric({}, DeadLetters=done.dead_letters)
    if behind_s:
        metric({}, SweepBehindSeconds=behind_s)
    say({"message": "swept", **counts, "behind_s": behind_s, "error_names": sorted(set(done.errors))})
    if done.unread:
        raise Unavailable(f"{done.unread} parts of what is due could not be read.", code="not_swept")
    return counts


def receivers_unread(error: Exception) -> None:
    """Which receivers are slow could not be read or noted: webhooks go out without limit meanwhile."""
    warn("the slow receivers could not be read", error=type(error).__name__, at=place_of(error))


def _owner(owner: str) -> dict[str, str]:
    kinds = {"batch": "batch_id", "we": "endpoint_id"}
    return {kinds.get(owner.partition("_")[0], "job_id"): owner}


def webhook_gone(owner: str, what: str) -> None:
    """A webhook was to be sent of a job that is gone: its `ttl_seconds` were over first."""
    log("webhook gone with its job", **_owner(owner), what=what)


def attempt_uncounted(error: Exception) -> None:
    """What became of an attempt at a registered endpoint could not be counted."""
    warn("an attempt was not counted", error=type(error).__name__, at=place_of(error))


def webhook_attempted(owner: str, note: dict[str, Any], sent: "Sent") -> None:
    """A webhook was posted, or could not be."""
    facts = {**_owner(owner), "tenant": note["tenant"], "event_id": note["event_id"]}
    facts |= {"endpoint_id": note["endpoint"]} if "endpoint" in note else {}
    became = {"state": note["state"], "status": sent.status, "error": sent.error, "latency_ms": sent.latency_ms}
    say({"message": "webhook attempted", **facts, **became})
