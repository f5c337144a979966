"""What the sweep does to a job's head when the job is due, or its message is lost.

Pure functions from one head to the next, as those of `jobs.transitions`.
"""

from broker.clock import iso
from broker.errors import Conflict
from broker.jobs.head import Head, Status
from broker.jobs.transitions import Outcome, finish

MAX_LEASE_EXPIRATIONS = 3
"""A job that lost so many runs with their lease, each after a first call, is failed: what kills its workflow would only
kill it again. A run that called nobody does not count, for it may never have got a function to run in (Lambda throttles
all of an account at once); its job is started again until its deadline."""

NUDGES_MS = (60_000, 600_000, 3_600_000)
"""When a job that is still queued is sent again: after a minute, ten minutes, then hourly. Its message may be lost
or may wait in a long queue; a second message starts nothing, so sending is always safe."""

WAITED_FOR = {
    "circuits": ("Open circuits kept it waiting", "circuits_open"),
    "capacity": ("There was no capacity for it", "no_capacity"),
    "moderation": ("Its answer could not be checked", "not_moderated"),
}
"""What a job is told that waited until its deadline, and the code of that, by `Head.waits_for`."""


def reconcile(head: Head, *, now: int) -> Head:
    """What the sweep does with a job that is due: expire it, send it again, take it back from a dead run, or wait on.

    A job that comes back `queued` has to be sent to its queue; one that comes back unchanged in status just waits.
    """
    if head.status.terminal:
        raise Conflict(f"job {head.id} has ended")
    if now >= head.deadline_at:
        return finish(head, Outcome(Status.EXPIRED, error=_expiry(head)), now=now)
    if head.is_held:
        raise Conflict(f"job {head.id} waits for a person")
    if head.status is Status.QUEUED:
        pause = NUDGES_MS[min(head.nudges + 1, len(NUDGES_MS) - 1)]
        return head.next(nudges=head.nudges + 1, due_at=min(now + pause, head.deadline_at))
    lease = head.lease_until or 0
    if now < lease:
        return head.next(due_at=min(lease, head.deadline_at))
    lease_expirations = head.lease_expirations + (head.execution is not None)
    if lease_expirations >= MAX_LEASE_EXPIRATIONS:
        error = {
            "type": "unavailable",
            "code": "runs_exhausted",
            "message": f"The job was started {lease_expirations} times and never came to an end.",
        }
        return finish(head, Outcome(Status.FAILED, error=error), now=now)
    return head.next(
        status=Status.QUEUED,
        lease_expirations=lease_expirations,
        lease_until=None,
        claimed_by=None,
        due_at=min(now + NUDGES_MS[0], head.deadline_at),
    )


def send_soon(head: Head, *, now: int) -> Head:
    """What the sweep does with a job whose message died in its lane: it is sent again within a minute.

    Raises:
        Conflict: it is not queued, is held for a review, or waits for a circuit or for capacity and is sent
            when its time has come.
    """
    if head.status is not Status.QUEUED or head.is_held or (head.waits and not head.nudges):
        raise Conflict(f"job {head.id} does not wait for a message")
    soon = now + NUDGES_MS[0]
    return head.next(due_at=min(head.due_at or soon, soon))


def _expiry(head: Head) -> dict[str, str]:
    error = {"type": "expired", "code": "deadline_passed", "message": "The job's deadline passed."}
    if head.is_held:
        message = f"{error['message']} It was held for a review since {iso(head.review['since'])}."
        return error | {"code": "not_reviewed", "message": message}
    if not head.waits:
        return error
    why, code = WAITED_FOR[head.waits_for]
    message = f"{error['message']} {why} since {iso(head.waits['since'])}."
    # In a run that goes on, something else took the rest of its time.
    return error | {"code": code if head.status is Status.QUEUED else error["code"], "message": message}
