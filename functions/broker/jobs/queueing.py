"""Where a queued job stands among its tenant's own, and when it may be started, as those before it were.

Who asks costs two reads: keys of the jobs that the tenant gave before it, and their heads, of a hundred at most.
Nothing is told of other tenants' jobs: the lanes are fair, and how they are shared shows in how one's own were
started.
"""

from typing import Any

from broker.jobs.head import Head, Status, job_pk
from broker.storage import Database, Unread

MOST_SEEN = 100
"""Jobs before one that are looked at."""

LATELY_MS = 600_000
"""Of those that have been started, the ones of so long say how fast it goes."""


def standing(database: Database, head: Head, now: int) -> dict[str, Any] | None:
    """How a job stands in its lane (`contract.replies.Queued`); None where it is not queued, or a person holds it."""
    if head.status is not Status.QUEUED or head.is_held:
        return None
    unknown = {"lane": head.lane, "position": None, "is_least": False, "eta_seconds": None, "basis": None}
    if head.waits and not head.nudges:  # in no queue: the sweep sends it when its time has come
        seconds = -(-max(0, (head.due_at or now) - now) // 1000)
        return unknown | {"eta_seconds": seconds, "basis": {"waits_for": head.waits_for}}
    try:
        before, is_all = _before(database, head)
    except Unread:
        return unknown
    ahead = sum(each.status is Status.QUEUED and not each.is_held and not each.waits for each in before)
    is_least = not is_all and all(each.status is Status.QUEUED for each in before[-1:])
    started = sorted(each.started_at for each in before if each.started_at and 0 <= now - each.started_at < LATELY_MS)
    if is_least or not started:
        return unknown | {"position": ahead, "is_least": is_least}
    seconds = -(-(now - started[0]) // 1000) or 1
    eta = -(-(ahead + 1) * seconds // len(started))
    basis = {"jobs_started": len(started), "in_seconds": seconds}
    return unknown | {"position": ahead, "eta_seconds": eta, "basis": basis}


def _before(database: Database, head: Head) -> tuple[list[Head], bool]:
    """The tenant's jobs of the lane that were given before, the newest first, and whether these are all."""
    cursor = {"pk": job_pk(head.id), "sk": "HEAD", "tenant": head.tenant, "id": head.id}
    page = database.index("tenant", head.tenant, limit=MOST_SEEN, newest_first=True, cursor=cursor)
    items = database.get_many("jobs", [(item["pk"], "HEAD") for item in page.items]) if page.items else []
    heads = (Head.from_item(item) for item in items)
    mine = (each for each in heads if each.tenant == head.tenant and each.lane == head.lane)
    return sorted(mine, key=lambda each: each.id, reverse=True), page.cursor is None
