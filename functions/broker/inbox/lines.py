"""A file of requests, one a line: a batch like any other, whose results go to the outbox beside the file's key."""

from dataclasses import dataclass

from broker.batches.batch import BEGUN_MS, BY_MEMBER, KEEP_S, Batch
from broker.batches.ports import BatchWorkflows
from broker.batches.store import Batches
from broker.inbox.files import File
from broker.permissions.who import NOBODY, Member
from broker.tenants.room import Room

WINDOW_S = 86_400
"""How long the lines of a file may take together, as of a batch that says nothing else."""


@dataclass(frozen=True, slots=True)
class TakeLines:
    """Makes the batch of a file, once for each version of it, and starts its workflow. May be repeated."""

    batches: Batches
    workflows: BatchWorkflows
    room: Room

    def __call__(self, file: File, tenant: str, now: int, member: Member = NOBODY) -> None:
        """Take a file; what a crash leaves between the two, its message or the sweep starts.

        Raises:
            TooManyAtOnce: the tenant has as many batches under way as it may have.
        """
        if self.batches.find(file.batch_id) is None:  # told of again, it is none more
            self.room.check(tenant, now)
        batch = Batch(
            id=file.batch_id,
            tenant=tenant,
            principal=f"s3:{file.bucket}",
            created_at=now,
            expires_at=now // 1000 + KEEP_S,
            ends_at=now + WINDOW_S * 1000,
            source={"kind": "object", **file.place},
            asked={
                "input": {"form": "jsonl"},
                "output": {"kind": "outbox", "key": file.key},
                "completion_window_s": WINDOW_S,
                "file": file.key,
                **({BY_MEMBER: kept} if (kept := member.kept()) else {}),
            },
            due_at=now + BEGUN_MS,
        )
        if not self.batches.create(batch) and ((there := self.batches.find(batch.id)) is None or there.is_planned):
            return  # it was taken before, by the version of today or by one that split files itself
        self.workflows.start(batch.id)
