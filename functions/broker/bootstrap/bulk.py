"""Builds bulk operations: the routes, the work, and the sweep's look."""

from functools import cache
from typing import TYPE_CHECKING

from broker.bootstrap.adapters import database, jobs, payloads
from broker.bootstrap.batching import batches, shard_queue

if TYPE_CHECKING:
    from broker.bulk.asking import AskForBulk
    from broker.bulk.record import Bulks
    from broker.bulk.working import WorkOnBulk
    from broker.jobs.accepting import Caller
    from broker.jobs.request import JobRequest
    from broker.rest.bulk import BulkDoor


@cache
def bulks() -> "Bulks":
    """The records."""
    from broker.bulk.record import Bulks

    return Bulks(database())


@cache
def ask_for_bulk() -> "AskForBulk":
    """Asking for one, and the sweep's look."""
    from broker.bulk.asking import AskForBulk
    from broker.metrics import bulk_unsent

    return AskForBulk(bulks(), batches(), shard_queue(), bulk_unsent)


@cache
def bulk_door() -> "BulkDoor":
    """The routes."""
    from broker.rest.bulk import BulkDoor

    return BulkDoor(bulks(), ask_for_bulk())


@cache
def work_on_bulk() -> "WorkOnBulk":
    """The work."""
    from broker.bootstrap.doors import accept, prepare
    from broker.bulk.finding import Find
    from broker.bulk.working import WorkOnBulk
    from broker.jobs.accepting import as_asked
    from broker.jobs.request import stored_form
    from broker.metrics import bulk_failed

    def worst(request: "JobRequest", caller: "Caller", now: int) -> int:
        return prepare().quote(caller.tenant, as_asked(stored_form(request), caller), now)[1]

    find = Find(jobs(), batches())
    return WorkOnBulk(bulks(), find, jobs(), payloads(), accept(), worst, shard_queue(), bulk_failed)
