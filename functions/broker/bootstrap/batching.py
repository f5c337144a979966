"""Builds what runs batches: the steps of their workflow, and what becomes of a shard."""

from contextlib import suppress
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from broker.bootstrap.adapters import database, jobs, outbox, payloads, prompt_texts, readings, setting, tenants
from broker.bootstrap.doors import accept, prepare
from broker.clock import now_ms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    from broker.jobs.request import JobRequest
    from broker.tenants.room import Room


@cache
def batches() -> "Batches":
    """The batches."""
    from broker.batches.store import Batches

    return Batches(database())


@cache
def batch_room() -> "Room":
    """How many batches a tenant may have under way."""
    from broker.batches.listing import Listed
    from broker.tenants.room import Room

    counted = Listed(database()).open_of_tenant
    return Room("batches", lambda tenant, now: tenants().get(tenant, now).max_batches, counted)


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
    from broker.bootstrap.adapters import outbox, tell_bus
    from broker.errors import NotFound
    from broker.inbox.rejecting import Reject
    from broker.prompts.templates import Prompts

    reject = Reject(outbox(), tell_bus)

    def refused(batch: "Batch", error: dict[str, Any], now: int) -> None:
        if key := batch.asked.get("file"):
            reject(key, batch.id, batch.tenant, error, now)

    prompts = Prompts(database(), prompt_texts())

    def check_columns(prompt: "dict[str, Any]", names: "Sequence[str]") -> None:
        with suppress(NotFound):  # it was there when the batch was taken; if it comes back, rows may find it
            prompts.check_columns(prompt, names, now_ms())

    def most_tokens(tenant: str, now: int) -> int | None:
        return tenants().get(tenant, now).enqueued_batch_tokens

    return Plan(batches(), row_bytes(), EVERY, refused, check_columns, most_tokens)


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
    from broker.metrics import line_failed

    use_cases = batches(), duplicates(), row_bytes(), jobs(), accept(), shard_queue()
    return RunRows(*use_cases, line_failed, worst=_worst)


def _worst(request: "JobRequest", batch: "Batch", now: int, known: "Mapping[str, Any]") -> int:
    """What a row may cost at most, in nano-dollars."""
    from broker.batches.rows.running import asks_for
    from broker.jobs.accepting import as_asked
    from broker.jobs.request import stored_form

    return prepare().quote(batch.tenant, as_asked(stored_form(request), asks_for(batch, known)), now)[1]


@cache
def plan_batch() -> "PlanBatch":
    """Laying out whatever a batch is of."""
    from broker.batches.documents.submitting import PlanBatch

    return PlanBatch(batches(), plan, plan_document)


@cache
def plan_document() -> "PlanDocument":
    """The next stage of a document, or its result."""
    from broker.batches.documents.children import Children
    from broker.batches.documents.covering import Covering
    from broker.batches.documents.recipes import Recipes
    from broker.batches.documents.submitting import PlanDocument
    from broker.cloud.clients import client
    from broker.cloud.media import pin_pages
    from broker.cloud.results import ResultObjects

    results = ResultObjects(lambda: client("s3"), setting("PAYLOADS_BUCKET"))
    children = Children(batches(), jobs(), payloads())
    ports = readings(), Recipes(database()), outbox(), results
    covering = Covering(_worst, prepare().check_covers)
    return PlanDocument(batches(), row_bytes(), plan(), children, *ports, partial(pin_pages, payloads()), covering)
