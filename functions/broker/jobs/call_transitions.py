"""What a provider call does to its job's head: begun, gone on by itself, ended, and ended too late.

Pure functions from one head to the next, as those of `jobs.transitions`.
"""

from collections.abc import Mapping

from broker.errors import BudgetExceeded
from broker.jobs import calls
from broker.jobs.calls import Facts
from broker.jobs.dispatching import EXPRESS_BUDGET_S
from broker.jobs.head import Head
from broker.jobs.transitions import Fence, check_fence, owned

EXPRESS_CALLS_MS = 270_000
"""After so long an Express run asks nobody any more: it has half a minute left to check and to end."""


def clock_of(head: Head, fence: Fence, now: int) -> int:
    """Since when the run's time budget counts: from its first call, for until then it may have waited for a function.

    Engines that judge are asked before it. An Express run cannot wait for long and then have all of its time.
    """
    since = head.claimed_at or now
    if head.going_on or any(call.get("w") != calls.GUARD for call in head.calls_of(fence.run).values()):
        return since
    latest = now
    if head.timeout_s <= EXPRESS_BUDGET_S:
        latest = (fence.claimed_at or since) + EXPRESS_CALLS_MS - head.timeout_s * 1000
    return max(since, min(now, latest))


def start_call(
    head: Head,
    fence: Fence,
    *,
    model: str,
    reserve: int,
    now: int,
    lease_ms: int,
    version: int | None = None,
    credential: str | None = None,
) -> tuple[Head, str]:
    """Record a provider call before it is made, and extend the lease over it.

    Returns:
        The next head, and the call's key (`run.number`).

    Raises:
        Conflict: the fence is stale.
        BudgetExceeded: what was spent, may have been spent and could now be spent is more than its limit.
    """
    head = owned(head, fence)
    if head.limit and head.spent + head.reserved + reserve > head.limit:
        raise BudgetExceeded("The job's limit does not cover another call.", code="max_cost_reached")
    key = f"{fence.run}.{head.calls_made + 1}"
    made = calls.settled({}, {"model": model, "version": version, "reserved": reserve, "credential": credential})
    lease = max(head.lease_until or 0, now + lease_ms)
    after = {**head.calls, key: made}
    since = clock_of(head, fence, now)
    return head.next(execution=fence.execution, claimed_at=since, calls=after, lease_until=lease), key


def keep_pending(
    head: Head, fence: Fence, key: str, operation_id: Mapping[str, str], *, now: int, lease_until: int
) -> Head:
    """Note that a call's work goes on without us, and keep the lease for it.

    Raises:
        Conflict: the fence is stale, or the call is settled.
    """
    check_fence(head, fence)
    since = head.calls[key].get("s", now)
    after = head.calls_with({key: {"operation_id": dict(operation_id), "started_at": since}})
    return head.next(execution=fence.execution, calls=after, lease_until=max(head.lease_until or 0, lease_until))


def end_call(head: Head, fence: Fence, key: str, facts: Facts) -> Head:
    """Settle a call of a job that goes on.

    Raises:
        Conflict: the job has ended or was claimed anew; the call is then settled by `late_calls`.
    """
    check_fence(head, fence)
    return head.next(calls=head.calls_with({key: facts}))


def late_calls(head: Head, ends: Mapping[str, Facts]) -> Head:
    """Settle calls whose answers no longer matter: they are paid for. Nothing else of the job changes.

    Raises:
        Conflict: one of them is settled.
    """
    after = head.calls_with(ends)
    still_open = any("c" not in call for call in after.values())
    return head.next(calls=after, due_at=head.due_at if still_open or not head.status.terminal else None)
