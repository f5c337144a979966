"""Starting a job's workflow: one run of each claim, whatever the queue repeats."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

from broker.errors import Conflict, NotFound
from broker.jobs.head import Head, Status
from broker.jobs.leaving import CAME_BEFORE
from broker.jobs.store import Jobs
from broker.jobs.transitions import START_LEASE_MS, claim, release

EXPRESS_BUDGET_S = 240
"""An Express execution ends after five minutes; what needs longer runs as Standard."""


class Workflows(Protocol):
    """The two sizes of the inference workflow."""

    def start(self, head: Head, stored: Head, size: Literal["express", "standard"]) -> None:
        """Start a run, once for each revision that a job is started from.

        Args:
            head: as the run has it.
            stored: as it stands in the table, where the run may not be claimed yet.
            size: of the workflow.
        """
        ...


def size_of(head: Head) -> Literal["express", "standard"]:
    """Express while the job's time budget fits."""
    return "express" if head.timeout_s <= EXPRESS_BUDGET_S else "standard"


def known_of(message: Mapping[str, Any], receives: int) -> Head | None:
    """The head that a message tells; None where it came before, and may have started its job then."""
    head = told_by(message)
    return head if receives == 1 and CAME_BEFORE not in message else None


def told_by(message: Mapping[str, Any]) -> Head | None:
    """The head as it was when the message was sent."""
    return Head.from_item(message["head"]) if "head" in message else None


def dispatch(
    jobs: Jobs,
    workflows: Workflows,
    job_id: str,
    message_id: str,
    now: int,
    known: Head | None = None,
    on_canceled: Callable[[], None] = lambda: None,
) -> Head | None:
    """Start the job's workflow; the claim comes first, or with the run's first write.

    A job that nobody can have touched since it was accepted is only started: its run's first write, which is the record
    of its first call, is its claim as well (`transitions.owned`). Two messages of such a job would start two
    executions, of which one makes that write. So all others, sent again or delivered twice, are claimed first.

    Args:
        jobs: the store.
        workflows: where it starts.
        job_id: the job.
        message_id: of the message that asks.
        now: milliseconds.
        known: as `known_of`; where the job has changed since, it is read.
        on_canceled: told where there is nothing to do because the job was canceled.

    Returns:
        The running head; None where there was nothing to do (a doubled message, a job that has ended).

    Raises:
        Exception: of the start; the claim was given back, and the message should come again.
    """
    if known is not None and _is_untouched(known, now):
        head = claim(known, now=now, lease_ms=START_LEASE_MS, by=message_id)
        workflows.start(head, known, size_of(head))
        return head

    def claimed(current: Head) -> Head:
        if current.status is Status.CANCELED:
            on_canceled()
        return claim(current, now=now, lease_ms=START_LEASE_MS, by=message_id)

    try:
        head = jobs.change(job_id, claimed, known=known)
    except (Conflict, NotFound):
        return None
    try:
        workflows.start(head, head, size_of(head))
    except Exception:
        jobs.change(job_id, lambda current: release(current, by=message_id), known=head)
        raise
    return head


def _is_untouched(head: Head, now: int) -> bool:
    """True for a job as it was accepted, as long as the sweep cannot have sent it again. It may have been canceled."""
    return head.rev == 1 and not head.nudges and now < min(head.due_at or 0, head.deadline_at)
