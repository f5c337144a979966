"""What the sweep does to a job's head when the job is due, or its message is lost.

Pure functions from one head to the next, as those of `jobs.transitions`.
"""

from broker.clock import iso
from broker.errors import Conflict
from broker.jobs.head import Head, Status
from broker.jobs.transitions import MOST_PAUSE_MS, Outcome, finish

MAX_LEASE_EXPIRATIONS = 3
"""A job that lost so many runs with their lease, each after a first call, is failed: what kills its workflow would only
kill it again. A run that called nobody does not count, for it may never have got a function to run in (Lambda throttles
all of an account at once); its job is started again until its deadline."""

UNSENT_MS = 60_000
"""After so long a job that is still queued is sent by the sweep. Whether it was sent before is not on record, for that
would cost each job a write; a second message starts nothing, so sending is always safe."""

SENT_MS = 86_400_000
"""After so long the sweep sends a job again that it is known to have sent. SQS keeps a message for four days, and what
dies is in the dead letters: it only waits in a long queue, which a third message would make longer."""

PAUSE_MS = 60_000
"""From a dead letter until its job is sent again: twice as long each time, up to `MOST_PAUSE_MS`."""

WAITED_FOR = {
    "circuits": ("Open circuits kept it waiting", "circuits_open"),
    "capacity": ("There was no capacity for it", "no_capacity"),
    "rate": ("Its models took no more calls", "throttled"),
    "moderation": ("Its answer could not be checked", "not_moderated"),
}
"""What a job is told that waited until its deadline, and the code of that, by `Head.waits_for`."""


def is_to_be_sent(head: Head, *, now: int) -> bool:
    """True for a job that only waits for a message: it is to be sent, and that noted by `reconcile`."""
    return head.status is Status.QUEUED and not head.is_held and now < head.deadline_at


def reconcile(head: Head, *, now: int) -> Head:
    """What the sweep does with a job that is due: end it, note that it was sent, take it back from a dead run, or wait.

    A job that was running and comes back `queued` has to be sent; one that comes back unchanged in status just waits.
    """
    if head.status.terminal:
        raise Conflict(f"job {head.id} has ended")
    if now >= head.deadline_at:
        return finish(head, Outcome(Status.EXPIRED, error=_expiry(head)), now=now)
    if head.is_held:
        raise Conflict(f"job {head.id} waits for a person")
    if head.status is Status.QUEUED:
        return head.next(nudges=head.nudges + 1, due_at=min(now + SENT_MS, head.deadline_at))
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
        nudges=0,
        due_at=min(now + UNSENT_MS, head.deadline_at),
    )


def send_soon(head: Head, *, now: int) -> Head:
    """What the sweep does with a job whose message died in its lane: it is sent again, after a pause that grows.

    Raises:
        Conflict: it is not queued, is held for a review, or waits for a circuit or for capacity and is sent
            when its time has come.
    """
    if head.status is not Status.QUEUED or head.is_held or (head.waits and not head.nudges):
        raise Conflict(f"job {head.id} does not wait for a message")
    soon = now + min(PAUSE_MS << min(head.nudges, 10), MOST_PAUSE_MS)
    return head.next(due_at=min(head.due_at or soon, soon, head.deadline_at))


def give_up(head: Head, *, now: int) -> Head:
    """End a job that no message will ever start: what is kept of it has become more than a workflow is started with.

    Raises:
        Conflict: it has ended, or runs.
    """
    if head.status is not Status.QUEUED:
        raise Conflict(f"job {head.id} does not wait for a message")
    message = "The record of the job's calls has become too long for it to be started again."
    error = {"type": "unavailable", "code": "cannot_be_started", "message": message}
    return finish(head, Outcome(Status.FAILED, error=error), now=now)


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
