"""Ending jobs: the terminal commit together with the refund of what was held."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from broker.errors import Conflict, NotFound
from broker.jobs.head import Head, Status
from broker.jobs.reading import owned
from broker.jobs.store import Jobs, note_item
from broker.jobs.transitions import UNKNOWN, Fence, Outcome, cancel, end_call, finish, late_call, reckon, refund
from broker.storage import If, Put, Update
from broker.tenants import ledger


def refunds(before: Head, after: Head) -> Sequence[Put | Update]:
    """What the ledger gets back in the commit that ends a job."""
    amount = refund(after) if after.status.terminal else 0
    if not amount or after.budget is None:
        return ()
    return (ledger.release(after.tenant, after.budget, amount),)


def change(jobs: Jobs, job_id: str, decide: Callable[[Head], Head], *, known: Head | None = None) -> Head:
    """A transition that may end the job."""
    return jobs.change(job_id, decide, refunds, known=known)


def cancel_job(jobs: Jobs, job_id: str, tenant: str, now: int) -> Head:
    """End a queued or running job at once; an answer still under way is dropped, but paid for.

    Raises:
        NotFound: no such job of this tenant.
        NotCancelable: it has ended.
    """
    head = owned(jobs, job_id, tenant)
    return change(jobs, job_id, lambda current: cancel(current, now=now), known=head)


def settle_job(jobs: Jobs, job_id: str, fence: Fence, outcome: Outcome, now: int) -> Head:
    """A workflow's terminal commit; repeating it after a lost reply gives the same job.

    Raises:
        Conflict: another run owns the job, or it was ended from outside.
    """
    head = jobs.get(job_id)
    if head.status.terminal and head.run == fence.run and head.execution == fence.execution:
        if head.status is outcome.status:
            return head
    return change(jobs, job_id, lambda current: finish(current, outcome, now=now, fence=fence), known=head)


def settle_call(
    jobs: Jobs, head: Head, key: str, fence: Fence, facts: dict[str, Any], *, known: Head | None = None
) -> None:
    """Settle a provider call: its record, the ledger's and the head's, in one commit.

    Args:
        jobs: the store.
        head: the job as it was when the call was started.
        key: the call's.
        fence: of the execution that made it.
        facts: the attempt's record; `cost` (nano-dollars), `outcome`, `model` and token counts are also booked.
        known: the head as last read.

    Raises:
        Conflict: the job has ended or was claimed anew; the call was settled all the same.
    """
    cost, outcome = facts["cost"], facts["outcome"]
    record = attempt_record(head, key, facts)
    try:
        jobs.change(
            head.id,
            lambda current: end_call(current, fence, key, cost=cost, outcome=outcome),
            lambda before, after: record,
            known=known,
        )
    except Conflict:
        back = head.calls[key]["r"] - cost
        returned = [ledger.release(head.tenant, head.budget, back)] if head.budget else []
        with suppress(Conflict):  # settled before
            jobs.change(
                head.id,
                lambda current: late_call(current, key, cost=cost, outcome=outcome),
                # Where the job still runs, its terminal commit gives back; where it ended, only this does.
                lambda before, after: [*record, *(returned if after.status.terminal else [])],
            )
        raise


def attempt_record(head: Head, key: str, facts: dict[str, Any]) -> list[Put | Update]:
    """The writes that record a settled call beside the job and in the ledger."""
    return [
        Put("jobs", note_item(head, f"ATTEMPT#{key}", facts), (If("pk", "absent"),)),
        ledger.spend(
            head.tenant,
            head.budget or ledger.period_of(head.created_at),
            facts["model"],
            head.id,
            nusd=facts["cost"],
            input_tokens=facts.get("input_tokens", 0),
            output_tokens=facts.get("output_tokens", 0),
            unknown=facts["paid"] == "unknown",
        ),
    ]


def reckon_calls(jobs: Jobs, head: Head, now: int) -> None:
    """Book, as unknown and at their worst, the calls that an ended job's functions died in.

    Raises:
        Conflict: there is nothing to book, or its time has not come.
    """
    if head.due_at is None or head.due_at > now:
        raise Conflict(f"job {head.id} is not due")

    def record(before: Head, after: Head) -> list[Put | Update]:
        lost = before.open_calls
        return _joined([each for key in lost for each in attempt_record(before, key, _lost(before.calls[key], now))])

    jobs.change(head.id, reckon, record, known=head)


def _joined(operations: Sequence[Put | Update]) -> list[Put | Update]:
    """Additions to the same item as one, for a transaction may touch an item only once."""
    joined: dict[tuple[str, str], Put | Update] = {}
    for each in operations:
        if isinstance(each, Put):
            joined[each.item["pk"], each.item["sk"]] = each
            continue
        known = joined.get((each.pk, each.sk))
        before = known.add if isinstance(known, Update) else {}
        add = {name: amount + before.get(name, 0) for name, amount in each.add.items()}
        joined[each.pk, each.sk] = replace(each, add=add)
    return list(joined.values())


def _lost(call: dict[str, Any], now: int) -> dict[str, Any]:
    return {
        "model": call["m"],
        "outcome": UNKNOWN,
        "error": None,
        "latency_ms": None,
        "cost": call["r"],
        "paid": "unknown",
        "ended_at": now,
    }


def fail_undeliverable(jobs: Jobs, job_id: str, now: int) -> Head | None:
    """Fail a job whose message could not be dispatched and died; None where it runs or has ended."""
    error = {"type": "unavailable", "code": "dispatch_failed", "message": "The job could not be started."}

    def decide(current: Head) -> Head:
        if current.status is not Status.QUEUED:
            raise Conflict(f"job {job_id} is {current.status}")
        return finish(current, Outcome(Status.FAILED, error=error), now=now)

    try:
        return change(jobs, job_id, decide)
    except (Conflict, NotFound):
        return None
