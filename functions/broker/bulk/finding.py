"""Finding the jobs that a bulk operation is about, some at a time, newest first or by their rows.

no batch named ──► the tenant's index of jobs, from the moment the bulk was asked for, backwards
a batch        ──► its shards, which tell how each row ended: only rows that may be meant are read
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from broker.batches.batch import KEEP_S as BATCH_S
from broker.batches.shard import row_job_id
from broker.batches.store import Batches
from broker.bulk.record import Bulk
from broker.clock import uuid7_hex
from broker.jobs.head import Head, Status, job_pk
from broker.jobs.store import Jobs

A_PAGE = 50
"""Jobs that are looked at between two writes of the record."""

FIRST = bytes(10)
"""Of the first id of a millisecond."""


class Found(NamedTuple):
    """Jobs of a page that are meant, each with the status that it had, and where the next page begins."""

    jobs: list[tuple[Head, Status]]
    cursor: str | None
    """None where there is no more."""


@dataclass(frozen=True, slots=True)
class Find:
    """Finds jobs."""

    jobs: Jobs
    batches: Batches

    def __call__(self, bulk: Bulk) -> Found:
        """The next page.

        Raises:
            Unread: the tables are busy.
        """
        heads, cursor = self._rows(bulk) if "batch" in bulk.meant else self._of_tenant(bulk)
        met = [(head, status_then(head, bulk)) for head in heads]
        return Found([(head, status) for head, status in met if self._is_meant(head, status, bulk)], cursor)

    def _of_tenant(self, bulk: Bulk) -> tuple[list[Head], str | None]:
        after_id = bulk.cursor or f"job_{uuid7_hex(bulk.meant['before'], FIRST)}"
        at = {"pk": job_pk(after_id), "sk": "HEAD", "tenant": bulk.tenant, "id": after_id}
        heads, following = self.jobs.of_tenant(bulk.tenant, limit=A_PAGE, cursor=at)
        # A row's id has the time of its batch, and a retry's that of the end of the first: both begin later.
        oldest = f"job_{uuid7_hex(max(0, bulk.meant.get('after', 0) - BATCH_S * 1000), FIRST)}"
        if following is None or following["id"] < oldest:
            return heads, None
        return heads, str(following["id"])

    def _rows(self, bulk: Bulk) -> tuple[list[Head], str | None]:
        batch, number = self.batches.find(bulk.meant["batch"]), int(bulk.cursor or 0)
        shard = self.batches.find_shard(batch.id, number) if batch and batch.tenant == bulk.tenant else None
        if batch is None or shard is None:
            return [], None
        places = (place for place in range(shard.rows) if _may_be_meant(bulk, shard.ends.get(place)))
        ids = (row_job_id(batch.id, batch.created_at, shard.first_row + place) for place in places)
        return list(self._found(ids)), str(number + 1) if number + 1 < batch.shards else None

    def _found(self, ids: Iterator[str]) -> Iterator[Head]:
        for job_id in ids:
            if head := self.jobs.find(job_id):
                yield head

    def _is_meant(self, head: Head, status: Status, bulk: Bulk) -> bool:
        meant = bulk.meant
        if head.tenant != bulk.tenant or status.value not in meant["status"]:
            return False
        if not meant.get("after", 0) <= head.created_at < meant["before"]:
            return False
        if "tag" not in meant:
            return True
        asked = self.jobs.notes(head.id, "ASKED").get("ASKED", {})
        return bool(asked.get("metadata", {}).get(meant["tag"]["key"]) == meant["tag"]["value"])


def status_then(head: Head, bulk: Bulk) -> Status:
    """The status that a job had when the bulk came to it: one that a cancel ended, before that.

    A page that is done twice counts the same both times. Whoever canceled it since, it is what was asked for.
    """
    if bulk.action == "cancel" and head.status is Status.CANCELED and (head.ended_at or 0) >= bulk.created_at:
        return Status.RUNNING if head.started_at else Status.QUEUED
    return head.status


def _may_be_meant(bulk: Bulk, end: object) -> bool:
    """By what the shard tells, which may be some seconds behind: a row that has not ended there is looked at."""
    if end is None:
        return True
    status = str(getattr(end, "status", ""))
    return status in bulk.meant["status"] or (bulk.action == "cancel" and status == Status.CANCELED.value)
