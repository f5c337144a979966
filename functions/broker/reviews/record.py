"""The record of one time that a job was held: a note beside the job, which the queue of reviews finds.

| attribute | says |
|---|---|
| `state` | `held`, then how that ended: `released`, `rejected`, `expired` or `canceled` |
| `stage`, `rules` | where and by what it is held |
| `since`, `until` | since when, and until when: the job's deadline (milliseconds) |
| `message` | what the job's user is told, should it be rejected |
| `of`, `task` | the tenant and the task |
| `claimed_by`, `reviewer`, `claimed_until` | who looks at it now |
| `changes` | counts claims, and is the condition of each |
| `due`, `due_at`; `tenant`, `id` | its places in two indexes: of a shard by time, and of its tenant by job |

It is written with the change that holds the job, and closed with the one that ends that, whatever it is. Both indexes
are sparse: nothing of a review is in the partitions where the sweep looks, or where a tenant's jobs are listed.
"""

import zlib
from collections.abc import Mapping
from typing import Any

from broker.clock import iso
from broker.jobs.head import HELD, SHARDS, Head, Status, job_id_of, job_pk
from broker.jobs.reviewing import REJECTED, RELEASED, state_of
from broker.jobs.store import note_item
from broker.storage import Item, Put, Update

PREFIX = "REVIEW#"

OPEN, CLOSED = "REVIEWS", "REVIEWED"
"""What the partitions of the indexes begin with, while it is held and after."""

STATES = (HELD, RELEASED, REJECTED, Status.EXPIRED.value, Status.CANCELED.value)


def partition(kind: str, job_id: str) -> str:
    """The shard of a job's reviews."""
    return f"{kind}#{zlib.crc32(job_id.encode()) % SHARDS}"


def partition_of_tenant(kind: str, tenant: str) -> str:
    """Where a tenant's are found."""
    return f"{kind}#{tenant}"


def opened(head: Head, held: Mapping[str, Any], now: int) -> Put:
    """The record of a run that is held, for the commit that holds it.

    Args:
        head: the job, in that run.
        held: `stage`, `rules` and `message`, as `steps.guarding.outcome` tells them.
        now: milliseconds.
    """
    facts = {name: held[name] for name in ("stage", "rules", "message")}
    item = note_item(
        head,
        f"{PREFIX}{head.run}",
        {
            **facts,
            "state": HELD,
            "since": now,
            "until": head.deadline_at,
            "of": head.tenant,
            "task": head.task,
            "changes": 0,
        },
    )
    return Put("jobs", item | _places(OPEN, head, now))


def closings(before: Head, after: Head) -> list[Update]:
    """What joins the commit that takes a job out of review (`jobs.store.Participant`): its record is closed."""
    if not before.is_held or after.is_held:
        return []
    now = after.ended_at if after.ended_at is not None else after.review["at"]
    changes = {"state": state_of(after), "closed_at": now, **_places(CLOSED, after, now)}
    return [Update("jobs", job_pk(after.id), f"NOTE#{PREFIX}{before.run}", set=changes)]


def shown(item: Item, now: int) -> dict[str, Any]:
    """A record in its public form, for operators."""
    claimed = item["state"] == HELD and item.get("claimed_until", 0) > now
    claim = claimed and {
        "by": item["claimed_by"],
        "reviewer": item.get("reviewer"),
        "until": iso(item["claimed_until"]),
    }
    return {
        "object": "review",
        "job_id": job_id_of(item),
        "tenant": item["of"],
        "task": item["task"],
        "state": item["state"],
        "stage": item["stage"],
        "rules": item["rules"],
        "since": iso(item["since"]),
        "until": iso(item["until"]),
        "closed_at": iso(item.get("closed_at")),
        "claim": claim or None,
    }


def _places(kind: str, head: Head, at: int) -> dict[str, Any]:
    return {
        "due": partition(kind, head.id),
        "due_at": at,
        "tenant": partition_of_tenant(kind, head.tenant),
        "id": head.id,
    }
