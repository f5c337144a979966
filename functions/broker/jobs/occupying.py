"""Jobs that were started, as long as their workflows take functions."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from broker.jobs.calls import goes_on
from broker.jobs.head import BULK, Status
from broker.jobs.pacing import Charge
from broker.jobs.transitions import START_LEASE_MS
from broker.storage import Item

TIMES_ROOM, SPARE_PART = 4, 20
"""A tenant may have so many times what is still free beside a twentieth of all: alone three quarters, two of them two
fifths each. The rest, one at least, is for tenants that have none."""


@dataclass(frozen=True, slots=True)
class Started:
    """A job that was started."""

    lane: str
    tenant: str
    at: int
    over_at: int | None
    """When its workflow cannot run any more; None where that is not known."""
    charge: Charge | None = None
    """What the governor counted; None where another process started it."""


def has_room(limit: int, running: Counter[tuple[str, str]], lane: str, tenant: str, may_start: int) -> bool:
    """True where a tenant may have another job started.

    Args:
        limit: how many may run at once.
        running: those that do, by lane and tenant.
        lane: of the job.
        tenant: whose it is.
        may_start: how many this process may.
    """
    room = limit - running.total()
    mine = running[lane, tenant]
    spare = max(1, limit // SPARE_PART)
    most = TIMES_ROOM * (room - spare)
    if lane == BULK:
        bulk = sum(number for (each, _), number in running.items() if each == BULK)
        if bulk and bulk >= most:
            return False
    if not mine:  # whoever has none comes before those who have some, though it be one too many
        return room + spare > 0 and may_start + spare > 0
    return mine < most and may_start > 0


def jobs_of(item: Item) -> dict[tuple[str, str], Sequence[str]]:
    """Job ids by lane and tenant."""
    found: dict[tuple[str, str], Sequence[str]] = {}
    for name, ids in item["jobs"].items():
        lane, _, tenant = name.partition("/")
        found[lane, tenant] = ids
    return found


def takes_functions(head: Item, started_at: int, now: int) -> bool:
    """True while its workflow takes functions: what goes on at its provider does not. There are many to look at."""
    calls = head.get("calls", {}).values()
    if head["status"] == Status.RUNNING:
        return not any(goes_on(call) for call in calls)
    # One that was only started is claimed by its first call.
    if head["status"] == Status.QUEUED:
        return head["run"] == 0 and now < started_at + START_LEASE_MS
    # A function that waits for a model does so to the end of its call, though its job was canceled or has expired.
    return now < head.get("due_at", 0) and any("c" not in call and not goes_on(call) for call in calls)
