"""The legal transitions of a job, as pure functions from one head to the next.

    queued ──claim──► running ──finish──► succeeded | failed | blocked
      ▲  │               │  └───finish──► canceled | expired | failed
      │  └──finish──►    │ release, requeue, wait
      └──────────────────┘
    queued ──finish──► canceled | expired | blocked | failed

Each raises `Conflict` when the head is not where the transition starts: the caller is late, doubled or stale.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from broker.clock import iso
from broker.errors import BudgetExceeded, Conflict, NotCancelable
from broker.jobs import calls
from broker.jobs.head import Head, Status

MAX_LEASE_EXPIRATIONS = 3
"""A job that lost so many runs with their lease, each after a first call, is failed: what kills its workflow would only
kill it again. A run that called nobody does not count, for it may never have got a function to run in (Lambda throttles
all of an account at once); its job is started again until its deadline."""

NUDGES_MS = (60_000, 600_000, 3_600_000)
"""When a job that is still queued is sent again: after a minute, ten minutes, then hourly. Its message may be lost
or may wait in a long queue; a second message starts nothing, so sending is always safe."""

LAST_CHANCE_MS = 90_000
"""So long before its deadline a job that waits is due at the latest, unless its circuit is open for longer: the sweep
comes each minute, and the work needs time."""

SPREADS_MS = (60_000, 120_000, 240_000, 300_000)
SPREAD_OF_WAIT = 8
"""Jobs that wait for a circuit come back spread over so long, by how often they did, or over an eighth of the time that
they have waited if that is more. Of hundreds one is the probe, so most are to come when it has ended; and as a circuit
cools for longer each time, they may come later each time."""

Facts = Mapping[str, Any]
"""What became of a call, by the long names of `jobs.calls`."""


@dataclass(frozen=True, slots=True)
class Fence:
    """What a workflow shows with each write: the run it was started for, and which execution it is."""

    run: int
    execution: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ends. `usage` are token counts, `output` the payload's name, `error` as `BrokerError.facts`."""

    status: Status
    model: str | None = None
    output: str | None = None
    usage: dict[str, int] | None = None
    error: dict[str, str] | None = None


def _step(head: Head, **changes: Any) -> Head:
    return replace(head, rev=head.rev + 1, **changes)


def claim(head: Head, *, now: int, lease_ms: int, by: str) -> Head:
    """`queued → running`, one run further, under a lease. `by` is the id of the message that asked."""
    if head.status is not Status.QUEUED:
        raise Conflict(f"job {head.id} is {head.status}, not queued")
    if now >= head.deadline_at:
        raise Conflict(f"job {head.id} is past its deadline; the sweep ends it")
    lease = now + lease_ms
    return _step(
        head,
        status=Status.RUNNING,
        run=head.run + 1,
        execution=None,
        claimed_by=by,
        claimed_at=now,
        started_at=head.started_at or now,
        lease_until=lease,
        nudges=0,
        due_at=min(head.due_at or lease, lease),
    )


def release(head: Head, *, by: str) -> Head:
    """`running → queued` when the claimed run could not be started; only for who claimed it."""
    if head.status is not Status.RUNNING or head.claimed_by != by or head.execution:
        raise Conflict(f"job {head.id} is not held by {by}")
    return _step(head, status=Status.QUEUED, claimed_by=None, lease_until=None)


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
    check_fence(head, fence)
    if has_asked(head, fence.run):
        raise Conflict(f"job {head.id} has calls in run {head.run}")
    since, times = head.waits.get("since", now), head.waits.get("times", 0)
    spread = max(SPREADS_MS[min(times, len(SPREADS_MS) - 1)], (now - since) // SPREAD_OF_WAIT)
    # Half of the time that is then left stays for the work. Where none is, there is nothing to come back for.
    later = int(chance * min(spread, max(0, head.deadline_at - until) // 2))
    last = max(until, head.deadline_at - LAST_CHANCE_MS)
    return _step(
        head,
        status=Status.QUEUED,
        execution=None,
        claimed_by=None,
        lease_until=None,
        waits={"since": since, "times": times + 1},
        due_at=min(until + later, last, head.deadline_at),
    )


def check_fence(head: Head, fence: Fence) -> None:
    """Raise `Conflict` unless this execution owns the running job."""
    if head.status is not Status.RUNNING or head.run != fence.run:
        raise Conflict(f"job {head.id} is {head.status} in run {head.run}; run {fence.run} is stale")
    if head.execution not in (None, fence.execution):
        raise Conflict(f"job {head.id}: another execution owns run {head.run}")


def start_call(
    head: Head, fence: Fence, *, model: str, reserve: int, now: int, lease_ms: int, version: int | None = None
) -> tuple[Head, str]:
    """Record a provider call before it is made, and extend the lease over it.

    Returns:
        The next head, and the call's key (`run.number`).

    Raises:
        Conflict: the fence is stale.
        BudgetExceeded: what was spent, may have been spent and could now be spent is more than its limit.
    """
    check_fence(head, fence)
    if head.limit and head.spent + head.reserved + reserve > head.limit:
        raise BudgetExceeded("The job's limit does not cover another call.", code="max_cost_reached")
    key = f"{fence.run}.{len(head.calls) + 1}"
    made = calls.settled({}, {"model": model, "version": version, "reserved": reserve})
    lease = max(head.lease_until or 0, now + lease_ms)
    return _step(head, execution=fence.execution, calls={**head.calls, key: made}, lease_until=lease), key


def keep_pending(
    head: Head, fence: Fence, key: str, operation_id: Mapping[str, str], *, now: int, lease_until: int
) -> Head:
    """Note that a call's work goes on without us, and keep the lease for it.

    Raises:
        Conflict: the fence is stale, or the call is settled.
    """
    check_fence(head, fence)
    since = head.calls[key].get("s", now)
    after = _settle(head, {key: {"operation_id": dict(operation_id), "started_at": since}})
    return _step(head, execution=fence.execution, calls=after, lease_until=max(head.lease_until or 0, lease_until))


def end_call(head: Head, fence: Fence, key: str, facts: Facts) -> Head:
    """Settle a call of a job that goes on.

    Raises:
        Conflict: the job has ended or was claimed anew; the call is then settled by `late_call`.
    """
    check_fence(head, fence)
    return _step(head, calls=_settle(head, {key: facts}))


def late_calls(head: Head, ends: Mapping[str, Facts]) -> Head:
    """Settle calls whose answers no longer matter: they are paid for. Nothing else of the job changes.

    Raises:
        Conflict: one of them is settled.
    """
    after = _settle(head, ends)
    still_open = any("c" not in call for call in after.values())
    return _step(head, calls=after, due_at=head.due_at if still_open or not head.status.terminal else None)


def _settle(head: Head, ends: Mapping[str, Facts]) -> dict[str, dict[str, Any]]:
    if taken := [key for key in ends if "c" in head.calls[key]]:
        raise Conflict(f"call {taken[0]} of job {head.id} is settled")
    return {**head.calls, **{key: calls.settled(head.calls[key], facts) for key, facts in ends.items()}}


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
        check_fence(head, fence)
    after = _settle(head, ends or {})
    return _step(
        head,
        status=outcome.status,
        calls=after,
        ended_at=now,
        model=outcome.model,
        output=outcome.output,
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


def reconcile(head: Head, *, now: int) -> Head:
    """What the sweep does with a job that is due: expire it, send it again, take it back from a dead run, or wait on.

    A job that comes back `queued` has to be sent to its queue; one that comes back unchanged in status just waits.
    """
    if head.status.terminal:
        raise Conflict(f"job {head.id} has ended")
    if now >= head.deadline_at:
        return finish(head, Outcome(Status.EXPIRED, error=_expiry(head)), now=now)
    if head.status is Status.QUEUED:
        pause = NUDGES_MS[min(head.nudges + 1, len(NUDGES_MS) - 1)]
        return _step(head, nudges=head.nudges + 1, due_at=min(now + pause, head.deadline_at))
    lease = head.lease_until or 0
    if now < lease:
        return _step(head, due_at=min(lease, head.deadline_at))
    lease_expirations = head.lease_expirations + (head.execution is not None)
    if lease_expirations >= MAX_LEASE_EXPIRATIONS:
        error = {
            "type": "unavailable",
            "code": "runs_exhausted",
            "message": f"The job was started {lease_expirations} times and never came to an end.",
        }
        return finish(head, Outcome(Status.FAILED, error=error), now=now)
    return _step(
        head,
        status=Status.QUEUED,
        lease_expirations=lease_expirations,
        lease_until=None,
        claimed_by=None,
        due_at=min(now + NUDGES_MS[0], head.deadline_at),
    )


def send_soon(head: Head, *, now: int) -> Head:
    """What the sweep does with a job whose message died in its lane: it is sent again within a minute.

    Raises:
        Conflict: it is not queued, or waits for a circuit and is sent when that may let it through.
    """
    if head.status is not Status.QUEUED or (head.waits and not head.nudges):
        raise Conflict(f"job {head.id} does not wait for a message")
    soon = now + NUDGES_MS[0]
    return _step(head, due_at=min(head.due_at or soon, soon))


def _expiry(head: Head) -> dict[str, str]:
    error = {"type": "expired", "code": "deadline_passed", "message": "The job's deadline passed."}
    if not head.waits:
        return error
    message = f"{error['message']} Open circuits kept it waiting since {iso(head.waits['since'])}."
    # In a run that goes on, something else took the rest of its time.
    code = "circuits_open" if head.status is Status.QUEUED else error["code"]
    return error | {"code": code, "message": message}
