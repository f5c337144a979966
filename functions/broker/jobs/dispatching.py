"""Starting a job's workflow: one start for each claim, whatever the queue repeats."""

from typing import Literal, Protocol

from broker.errors import Conflict, NotFound
from broker.jobs.head import Head
from broker.jobs.store import Jobs
from broker.jobs.transitions import claim, release

START_LEASE_MS = 90_000
"""From the claim to the first provider call, which extends the lease by its own timeout."""

EXPRESS_BUDGET_S = 240
"""An Express execution ends after five minutes; what needs longer runs as Standard."""


class Workflows(Protocol):
    """The two sizes of the inference workflow."""

    def start(self, head: Head, size: Literal["express", "standard"]) -> None:
        """Start the run that the head stands for."""
        ...


def size_of(head: Head) -> Literal["express", "standard"]:
    """Express while the job's time budget fits."""
    return "express" if head.timeout_s <= EXPRESS_BUDGET_S else "standard"


def dispatch(
    jobs: Jobs, workflows: Workflows, job_id: str, message_id: str, now: int, known: Head | None = None
) -> Head | None:
    """Claim the job and start its workflow.

    Args:
        jobs: the store.
        workflows: where it starts.
        job_id: the job.
        message_id: of the message that asks.
        now: milliseconds.
        known: the head as it was when the message was sent; where it is not so any more, the job is read.

    Returns:
        The running head; None where there was nothing to do (a doubled message, a job that has ended).

    Raises:
        Exception: of the start; the claim was given back, and the message should come again.
    """
    try:
        head = jobs.change(
            job_id, lambda current: claim(current, now=now, lease_ms=START_LEASE_MS, by=message_id), known=known
        )
    except (Conflict, NotFound):
        return None
    try:
        workflows.start(head, size_of(head))
    except Exception:
        jobs.change(job_id, lambda current: release(current, by=message_id), known=head)
        raise
    return head
