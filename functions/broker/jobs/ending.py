"""Ending jobs: the terminal commit. What else it has to bring about joins it by itself (`jobs.store.Participant`)."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from broker.errors import Conflict
from broker.jobs import calls
from broker.jobs.call_transitions import end_call, late_calls
from broker.jobs.calls import Facts
from broker.jobs.head import Head
from broker.jobs.reading import owned
from broker.jobs.store import Jobs, Payloads
from broker.jobs.transitions import Fence, Outcome, cancel, finish
from broker.storage import Contended, Put


def cancel_job(jobs: Jobs, job_id: str, tenant: str, now: int) -> Head:
    """End a queued or running job at once; an answer still under way is dropped, but paid for.

    Raises:
        NotFound: no such job of this tenant.
        NotCancelable: it has ended.
        Contended: it would not hold still.
    """
    head = owned(jobs, job_id, tenant)
    try:
        return jobs.change(job_id, lambda current: cancel(current, now=now), known=head)
    except Conflict:
        raise Contended([0]) from None


def settle_job(
    jobs: Jobs,
    head: Head,
    fence: Fence,
    outcome: Outcome,
    now: int,
    ends: Mapping[str, Facts] | None = None,
    beside: Sequence[Put] = (),
) -> Head:
    """A workflow's terminal commit; repeating it after a lost reply gives the same job.

    Args:
        jobs: the store.
        head: the job as it was read, or once was.
        fence: of the execution.
        outcome: how it ends.
        now: milliseconds.
        ends: calls that are settled by it: the one whose answer was taken.
        beside: what else belongs to the commit.

    Raises:
        Conflict: another run owns the job, or it was ended from outside; a call is then paid for all the same.
    """

    def end(current: Head) -> Head:
        return finish(current, outcome, now=now, fence=fence, ends=ends)

    try:
        return jobs.change(head.id, end, *beside, known=head)
    except Conflict:
        there = jobs.find(head.id)
        if there is None:
            raise
        ours = (there.run, there.execution) == (fence.run, fence.execution)
        if ours and there.status.terminal and there.status is outcome.status:
            return there
        if ends and there.status.terminal:
            with suppress(Conflict):  # settled already
                jobs.change(head.id, lambda current: late_calls(current, ends))
        # In a job that runs again the call stays open: the run that owns it may take the answer that is kept.
        raise


def settle_call(jobs: Jobs, job_id: str, key: str, fence: Fence, facts: Facts, *, known: Head | None = None) -> Head:
    """Settle a provider call that gave no answer.

    Args:
        jobs: the store.
        job_id: the job.
        key: the call's.
        fence: of the execution that made it.
        facts: what became of it, by the long names of `jobs.calls`.
        known: the head as last read.

    Raises:
        Conflict: the job has ended or was claimed anew; the call was settled all the same.
    """
    try:
        return jobs.change(job_id, lambda current: end_call(current, fence, key, facts), known=known)
    except Conflict:
        with suppress(Conflict):
            jobs.change(job_id, lambda current: late_calls(current, {key: facts}))
        raise


def settle_orphaned_calls(jobs: Jobs, payloads: Payloads, head: Head, now: int) -> None:
    """Settle the calls that an ended job left open: by the answer that is kept of one, else as unknown, at its worst.

    Raises:
        Conflict: there is nothing to settle, or its time has not come.
    """
    if head.due_at is None or head.due_at > now or not head.open_calls:
        raise Conflict(f"job {head.id} is not due")
    ends = {
        key: payloads.facts(head.id, f"OUTPUT#{key}") or calls.lost(head.calls[key], now) for key in head.open_calls
    }
    for key in ends:  # before the commit, for nobody would look again
        payloads.drop(head.id, f"OUTPUT#{key}")
    jobs.change(head.id, lambda current: late_calls(current, ends), known=head)
