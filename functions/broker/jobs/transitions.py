"""The legal transitions of a job, as pure functions from one head to the next.

What a provider call does to the head is in `jobs.call_transitions`; the sweep's, `requeue` among them, in
`jobs.reconciling`; those of a review in `jobs.reviewing`.

    queued ──claim──► running ──finish──► succeeded | failed | blocked
      ▲  │               │  └───finish──► canceled | expired | failed
      │  └──finish──►    │ release, requeue, wait, put_back
      └──────────────────┘
    queued ──finish──► canceled | expired | blocked | failed

Each raises `Conflict` when the head is not where the transition starts: the caller is late, doubled or stale.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from broker.errors import Conflict, CredentialRejected, NotCancelable, Throttled
from broker.jobs.calls import OF_KEY, Facts, together
from broker.jobs.head import BULK, Head, Status

LAST_CHANCE_MS = 90_000
"""So long before its deadline a job that waits is due at the latest, unless its circuit is open for longer: the sweep
comes each minute, and the work needs time."""

SPREADS_MS = (60_000, 120_000, 240_000, 300_000)
SPREAD_OF_WAIT = 8
"""Jobs that wait for a circuit, or for a function to run in, come back spread over so long, by how often they did, or
over an eighth of the time that they have waited if that is more. Of hundreds one is the probe, so most are to come when
it has ended; and as a circuit cools for longer each time, they may come later each time."""

Reason = Literal["circuits", "capacity", "moderation", "rate"]
"""Why a job goes back to its queue."""

MOST_KEPT = 16
"""Entries of calls for which a head has room, where those that failed alike are one (`calls.together`)."""

START_LEASE_MS = 90_000
"""From the claim to the first provider call, which extends the lease by its own timeout."""


MOST_PAUSE_MS = 3_600_000
"""Until a job is sent again whose messages come to nothing."""


@dataclass(frozen=True, slots=True)
class Fence:
    """What a workflow shows with each write: the run it was started for, and which execution it is."""

    run: int
    execution: str
    route: str | None = None
    """Why it asks whom, for the head to have with the run's first write."""
    claimed_at: int | None = None
    """When it was claimed, for a run whose first write is its claim as well."""
    claimed_by: str = ""
    """The message that asked for it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ends. `usage` are token counts, `output` the payload's name, `error` as `BrokerError.facts`."""

    status: Status
    model: str | None = None
    output: str | None = None
    usage: dict[str, int] | None = None
    error: dict[str, str] | None = None
    linked: bool | None = None
    cut: bool | None = None
    """True where the answer is given out by a link."""


def claim(head: Head, *, now: int, lease_ms: int, by: str) -> Head:
    """`queued → running`, one run further, under a lease. `by` is the id of the message that asked.

    Raises:
        Conflict: it is not queued, held for a review, or past its deadline.
    """
    if head.status is not Status.QUEUED:
        raise Conflict(f"job {head.id} is {head.status}, not queued")
    if head.is_held:
        raise Conflict(f"job {head.id} is held for a person to look at")
    if now >= head.deadline_at:
        raise Conflict(f"job {head.id} is past its deadline; the sweep ends it")
    lease = now + lease_ms
    return head.next(
        status=Status.RUNNING,
        run=head.run + 1,
        execution=None,
        route=None,
        claimed_by=by,
        claimed_at=now,
        started_at=head.started_at or now,
        lease_until=lease,
        due_at=min(head.due_at or lease, lease),
    )


def release(head: Head, *, by: str) -> Head:
    """`running → queued` when the claimed run could not be started; only for who claimed it.

    Its message comes again by itself, minutes later; the sweep sends another one sooner, but each time less soon.
    """
    if head.status is not Status.RUNNING or head.claimed_by != by or head.execution:
        raise Conflict(f"job {head.id} is not held by {by}")
    soon = (head.claimed_at or head.created_at) + min(START_LEASE_MS << min(head.nudges, 10), MOST_PAUSE_MS)
    return head.next(status=Status.QUEUED, claimed_by=None, lease_until=None, due_at=min(soon, head.deadline_at))


def has_asked(head: Head, run: int) -> bool:
    """True where the run called a model for the job's answer, or made a call that is not settled."""
    return any("w" not in call for call in head.calls_of(run).values())


def wait(head: Head, fence: Fence, *, until: int, now: int, chance: float) -> Head:
    """`running → queued` for a run that could ask nobody, because circuits are open. The sweep sends it again.

    Args:
        head: the job.
        fence: of the execution.
        until: when a circuit may let a call through.
        now: milliseconds.
        chance: from 0 to 1, where in the spread of those that wait this one comes.

    Raises:
        Conflict: the fence is stale, or the run did ask.
    """
    head = owned(head, fence)
    if has_asked(head, fence.run):
        raise Conflict(f"job {head.id} has calls in run {head.run}")
    return _queued_until(head, until, "circuits", now, chance)


def is_unfinished(head: Head, run: int, *, answered: bool) -> bool:
    """True where another run would not ask anew what this one asked in vain.

    So it is where no call for the job's answer has failed in it, where the job is `answered` (the answer is kept, and
    the next run takes it), or where a provider goes on by itself, and the next run asks after that. That some call is
    open says nothing: a run that died may have left it.
    """
    failed = any("c" in call and "w" not in call for call in head.calls_of(run).values())
    return answered or bool(head.going_on) or not failed


def is_refused(head: Head, run: int) -> bool:
    """True where a job of the bulk lane asked models that took no call more, at no cost, and may ask again later."""
    asked = [call for call in head.calls_of(run).values() if "w" not in call]
    rejected = [call for call in asked if OF_KEY in call and call.get("o") == CredentialRejected.__name__]
    rest = [call for call in asked if call not in rejected]  # the model has other keys than those
    refused = all(call.get("o") == Throttled.__name__ and not call["c"] for call in rest)
    return head.lane == BULK and bool(rest) and refused and len(together(head.calls, run)) < MOST_KEPT


def put_back(
    head: Head,
    fence: Fence,
    reason: Literal["capacity", "moderation", "rate"],
    *,
    answered: bool,
    now: int,
    chance: float,
) -> Head:
    """`running → queued` for a run that could not go on, for no fault of the job's. The sweep sends it again.

    Args:
        head: the job.
        fence: of the execution.
        reason: there was no function to run in, none could check the answer that is kept, or as `is_refused`.
        answered: as of `is_unfinished`.
        now: milliseconds.
        chance: as of `wait`.

    Raises:
        Conflict: the fence is stale, or the run has asked in vain.
    """
    head = owned(head, fence)
    if not (is_refused(head, fence.run) if reason == "rate" else is_unfinished(head, fence.run, answered=answered)):
        raise Conflict(f"job {head.id} has calls in run {head.run}")
    until = now
    if reason == "rate":
        until += min(max(call.get("t", 0) for call in head.calls_of(fence.run).values()) * 1000, MOST_PAUSE_MS)
    elif reason == "moderation":  # what kills its checks may well kill them again, at the cost of all others
        until += (now - _waits_since(head, reason, now)) // 2
    return _queued_until(head, min(until, max(now, head.deadline_at - LAST_CHANCE_MS)), reason, now, chance)


def _waits_since(head: Head, reason: Reason, now: int) -> int:
    """Since when it waits for this reason; while it waited for another, or for a person, it did not."""
    return max(head.waits["since"], head.review.get("at", 0)) if head.waits and head.waits_for == reason else now


def _queued_until(head: Head, until: int, reason: Reason, now: int, chance: float) -> Head:
    since, times = _waits_since(head, reason, now), head.waits.get("times", 0)
    spread = max(SPREADS_MS[min(times, len(SPREADS_MS) - 1)], (now - since) // SPREAD_OF_WAIT)
    # Half of the time that is then left stays for the work. Where none is, there is nothing to come back for.
    later = int(chance * min(spread, max(0, head.deadline_at - until) // 2))
    last = max(until, head.deadline_at - LAST_CHANCE_MS)
    return head.next(
        status=Status.QUEUED,
        execution=None,
        claimed_by=None,
        lease_until=None,
        nudges=0,
        calls=together(head.calls, head.run),
        waits={"since": since, "times": times + 1, **({} if reason == "circuits" else {reason: 1})},
        due_at=min(until + later, last, head.deadline_at),
    )


def check_fence(head: Head, fence: Fence) -> None:
    """Raise `Conflict` unless this execution owns the running job."""
    if head.status is not Status.RUNNING or head.run != fence.run:
        raise Conflict(f"job {head.id} is {head.status} in run {head.run}; run {fence.run} is stale")
    if head.execution not in (None, fence.execution):
        raise Conflict(f"job {head.id}: another execution owns run {head.run}")


def owned(head: Head, fence: Fence) -> Head:
    """The head as the execution has it, with what its first write brings: its claim, where it is not claimed, and why.

    Raises:
        Conflict: another one owns the job.
    """
    if head.status is Status.QUEUED and head.run + 1 == fence.run and fence.claimed_at is not None:
        claimed = claim(head, now=fence.claimed_at, lease_ms=START_LEASE_MS, by=fence.claimed_by)
        head = replace(claimed, rev=head.rev)
    check_fence(head, fence)
    return replace(head, route=head.route or fence.route)


def take(head: Head, fence: Fence) -> Head:
    """Claim for a run what it has not claimed, where it cannot wait for its first call to do so.

    Raises:
        Conflict: it is claimed.
    """
    if head.status is not Status.QUEUED:
        raise Conflict(f"job {head.id} is {head.status}, not queued")
    return owned(head, fence).next()


def finish(
    head: Head,
    outcome: Outcome,
    *,
    now: int,
    fence: Fence | None = None,
    ends: Mapping[str, Facts] | None = None,
) -> Head:
    """The one terminal commit. With a fence it is a workflow's; without, it is a cancel, an expiry or the sweep's.

    `ends` settles calls in the same commit: the one whose answer ends the job, above all.
    """
    if head.status.terminal:
        raise Conflict(f"job {head.id} has ended as {head.status}")
    if fence is not None:
        head = owned(head, fence)
    after = head.calls_with(ends or {})
    return head.next(
        status=outcome.status,
        calls=after,
        ended_at=now,
        model=outcome.model,
        output=outcome.output,
        linked=outcome.linked,
        cut=outcome.cut,
        usage=outcome.usage or {},
        error=outcome.error,
        execution=fence.execution if fence else head.execution,
        lease_until=None,
        # A call may still be under way; when its time is over and it was not settled, the sweep reckons it.
        due_at=max(head.lease_until or now, now) if any("c" not in call for call in after.values()) else None,
    )


def cancel(head: Head, *, now: int) -> Head:
    """End a job on its owner's word."""
    if head.status.terminal:
        raise NotCancelable(f"The job has already ended: {head.status}.")
    error = {"type": "canceled", "code": "canceled", "message": "Canceled on request."}
    return finish(head, Outcome(Status.CANCELED, error=error), now=now)
