"""Asking for a bulk operation, and the sweep's look at one that stands still."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from broker.batches.ports import ShardQueue
from broker.batches.store import Batches
from broker.bulk.record import KEEP_S, LOOK_MS, Bulk, Bulks
from broker.bulk.request import BulkRequest
from broker.clock import new_id
from broker.errors import InvalidRequest
from broker.jobs import idempotency
from broker.jobs.accepting import Caller
from broker.tenants.room import Room

MOST_OPEN = 20
"""Of a tenant: each goes through its jobs from the first to the last, in messages that its batches' shards wait for."""


@dataclass(frozen=True, slots=True)
class AskForBulk:
    """Keeps a bulk operation and sends its first message; what a crash leaves between the two, the sweep sends."""

    bulks: Bulks
    batches: Batches
    queue: ShardQueue
    on_lost_send: Callable[[Bulk, Exception], None] = lambda bulk, error: None

    @property
    def room(self) -> Room:
        """How many a tenant may have under way."""
        return Room("bulk operations", lambda tenant, now: MOST_OPEN, self.bulks.open_of_tenant)

    def __call__(
        self, request: BulkRequest, caller: Caller, now: int, key: str | None = None
    ) -> idempotency.Once[Bulk]:
        """Take one; with a `key`, once.

        Raises:
            TooManyAtOnce: the tenant has as many under way as it may have.
            InvalidRequest: there is no such batch, or the key is misused.
        """
        document = {"bulk": request.model_dump(mode="json", exclude_unset=True)}

        def make(bulk_id: str) -> Bulk:
            self.room.check(caller.tenant, now)
            self._check_batch(request.filter.batch, caller.tenant)
            return self._keep(
                Bulk(
                    id=bulk_id,
                    tenant=caller.tenant,
                    principal=caller.principal,
                    key=caller.key,
                    member=caller.member.kept(),
                    action=request.action,
                    created_at=now,
                    expires_at=now // 1000 + KEEP_S,
                    meant=request.meant(now),
                    is_dry=request.dry_run,
                    due_at=now + LOOK_MS,
                )
            )

        own, database = new_id("bulk_", now), self.bulks.database
        return idempotency.once(database, caller.tenant, key, document, own, now, self.bulks.find, make)

    def look(self, bulk_id: str, now: int) -> bool:
        """Ask for the next page of one that is due; True where it was asked for."""
        bulk = self.bulks.find(bulk_id)
        if bulk is None or bulk.due_at is None or bulk.due_at > now:
            return False
        if self.bulks.save(bulk, bulk.looked_at(now)) is None:
            return False
        self.queue.again(message(bulk), bulk.tenant, 0)
        return True

    def _keep(self, bulk: Bulk) -> Bulk:
        if not self.bulks.create(bulk):
            return self.bulks.get(bulk.id, bulk.tenant)  # a repeat of a try that crashed after its commit
        try:
            self.queue.again(message(bulk), bulk.tenant, 0)
        except Exception as error:  # it is kept: the sweep sends what was never sent
            self.on_lost_send(bulk, error)
        return bulk

    def _check_batch(self, batch_id: str | None, tenant: str) -> None:
        if batch_id is None:
            return
        batch = self.batches.find(batch_id)
        if batch is None or batch.tenant != tenant:
            message = "filter.batch: there is no such batch."
            raise InvalidRequest(message, code="unknown_batch", param="filter.batch")


def message(bulk: Bulk) -> dict[str, Any]:
    """By which a bulk goes on."""
    return {"bulk_id": bulk.id}
