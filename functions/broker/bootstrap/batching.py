"""Builds what runs batches: the steps of their workflow, and what becomes of a shard."""

from functools import cache, partial
from typing import TYPE_CHECKING, Any

from broker.bootstrap.adapters import database, jobs, outbox, payloads, readings, setting
from broker.bootstrap.doors import accept, prepare

if TYPE_CHECKING:
    from collections.abc import Mapping

    from broker.batches.batch import Batch
    from broker.batches.documents.submitting import PlanBatch, PlanDocument
    from broker.batches.flow.steering import Expire, GiveUp, Run
    from broker.batches.rows.duplicates import Duplicates
    from broker.batches.rows.planning import Plan
    from broker.batches.rows.releasing import Release
    from broker.batches.rows.running import RunRows
    from broker.batches.store import Batches
    from broker.cloud.queues import ShardsQueue
    from broker.cloud.rows import RowObjects
    from broker.cloud.workflows import BatchMachine


@cache
def batches() -> "Batches":
    """The batches."""
    from broker.batches.store import Batches

    return Batches(database())


@cache
def shard_queue() -> "ShardsQueue":
    """The queue of shards."""
    from broker.cloud.clients import client
    from broker.cloud.queues import ShardsQueue

    return ShardsQueue(client("sqs"), setting("SHARDS_QUEUE"))


@cache
def row_bytes() -> "RowObjects":
    """What rows are read from."""
    from broker.cloud.clients import client
    from broker.cloud.rows import RowObjects

    return RowObjects(client("s3"), setting("PAYLOADS_BUCKET"))


@cache
def batch_workflows() -> "BatchMachine":
    """The workflow of batches."""
    from broker.cloud.clients import client
    from broker.cloud.workflows import BatchMachine

    return BatchMachine(client("stepfunctions"), setting("BATCH_WORKFLOW"))


@cache
def release() -> "Release":
    """Releasing shards."""
    from broker.batches.rows.releasing import Release

    return Release(batches(), shard_queue())


@cache
def plan() -> "Plan":
    """Laying out rows."""
    from broker.batches.rows.planning import EVERY, Plan
    from broker.bootstrap.adapters import bus, outbox
    from broker.inbox.rejecting import Reject

    reject = Reject(outbox(), bus().put_one)

    def refused(batch: "Batch", error: dict[str, Any], now: int) -> None:
        if key := batch.asked.get("file"):
            reject(key, batch.id, batch.tenant, error, now)

    return Plan(batches(), row_bytes(), EVERY, refused)


@cache
def run() -> "Run":
    """Letting rows run."""
    from broker.batches.flow.steering import Run

    return Run(release(), shard_queue())


@cache
def expire() -> "Expire":
    """The end of a batch's time."""
    from broker.batches.flow.steering import Expire

    return Expire(release())


@cache
def give_up() -> "GiveUp":
    """The end of a batch that could not be planned."""
    from broker.batches.flow.steering import GiveUp

    return GiveUp(batches())


@cache
def duplicates() -> "Duplicates":
    """Rows that ask the same."""
    from broker.batches.rows.duplicates import Duplicates

    return Duplicates(database(), batches())


@cache
def run_rows() -> "RunRows":
    """Rows into jobs."""
    from broker.batches.rows.running import RunRows
    from broker.jobs.accepting import with_policies
    from broker.jobs.request import JobRequest, stored_form
    from broker.metrics import line_failed

    def worst(request: JobRequest, batch: "Batch", now: int, known: "Mapping[str, Any]") -> int:
        asked = with_policies({**stored_form(request), **known}, batch.asked.get("policies", ()))
        return prepare().quote(batch.tenant, asked, now)[1]

    use_cases = batches(), duplicates(), row_bytes(), jobs(), accept(), shard_queue()
    return RunRows(*use_cases, line_failed, worst=worst)


@cache
def plan_batch() -> "PlanBatch":
    """Laying out whatever a batch is of."""
    from broker.batches.documents.submitting import PlanBatch

    return PlanBatch(batches(), plan, plan_document)


@cache
def plan_document() -> "PlanDocument":
    """The next stage of a document, or its result."""
    from broker.batches.documents.children import Children
    from broker.batches.documents.recipes import Recipes
    from broker.batches.documents.submitting import PlanDocument
    from broker.cloud.clients import client
    from broker.cloud.media import pin_pages
    from broker.cloud.results import ResultObjects

    results = ResultObjects(lambda: client("s3"), setting("PAYLOADS_BUCKET"))
    children = Children(batches(), jobs(), payloads())
    ports = readings(), Recipes(database()), outbox(), results
    return PlanDocument(batches(), row_bytes(), plan(), children, *ports, partial(pin_pages, payloads()))
