"""What is shown of a document while it runs and afterwards: its stages, and its children as long as they are few."""

from typing import Any

from broker.batches.batch import DOCUMENT, Batch
from broker.batches.shard import ROWS, Shard, Sums, row_job_id
from broker.batches.store import Batches
from broker.clock import usd
from broker.jobs.head import Head, job_pk
from broker.storage import Unread

AT_ONCE = 100
"""Items that are read by one request (DynamoDB API reference, BatchGetItem)."""

MOST_CHILDREN = 100
"""Of a document whose children are shown one by one; the result has them all."""


def document_view(batches: Batches, batch: Batch) -> dict[str, Any]:
    """The recipe, the stages and the children of a document; may be some jobs behind, never ahead.

    A request for a hundred shards, and one for all children together.
    """
    about = batch.asked[DOCUMENT]
    shards = _shards(batches, batch)
    stages = [
        _stage(name, stage, shards) for name, stage in sorted(batch.stages.items(), key=lambda pair: pair[1]["shard"])
    ]
    return {
        "key": batch.source["key"],
        "recipe": {"id": about["recipe"], "version": about["version"]},
        "stages": stages,
        "children": _children(batches, batch, shards) if batch.rows <= MOST_CHILDREN else None,
    }


def _shards(batches: Batches, batch: Batch) -> dict[int, Shard]:
    found: dict[int, Shard] = {}
    try:
        for first in range(0, batch.shards, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, batch.shards))
            found |= {shard.number: shard for shard in batches.some_shards(batch.id, numbers)}
    except Unread:  # the tables are busy: what was read is shown
        return found
    return found


def _stage(name: str, stage: dict[str, Any], shards: dict[int, Shard]) -> dict[str, Any]:
    first, rows = int(stage["shard"]), int(stage["rows"])
    sums = Sums()
    for number in range(first, first - (-rows // ROWS)):
        if number in shards:
            sums += shards[number].sums
    return {
        "name": name,
        "total": rows,
        "ended": sums.ended,
        "succeeded": sums.counts.get("succeeded", 0),
        "cost_usd": usd(sums.cost),
    }


def _children(batches: Batches, batch: Batch, shards: dict[int, Shard]) -> list[dict[str, Any]]:
    rows = [shard.first_row + place for shard in shards.values() for place in range(shard.rows)]
    ids = {row_job_id(batch.id, batch.created_at, row): row for row in sorted(rows)}
    try:
        items = batches.database.get_many("jobs", [(job_pk(job_id), "HEAD") for job_id in ids]) if ids else []
    except Unread:
        return []
    heads = sorted((Head.from_item(item) for item in items), key=lambda head: ids[head.id])
    return [
        {
            "job_id": head.id,
            "stage": _name(batch, ids[head.id]),
            "status": head.status.value,
            "cost_usd": usd(head.spent),
            "attempts": head.calls_made,
        }
        for head in heads
    ]


def _name(batch: Batch, row: int) -> str:
    """The stage of a row: the last that begins at or before it."""
    begun = [(int(stage["shard"]), name) for name, stage in batch.stages.items() if int(stage["shard"]) * ROWS <= row]
    return max(begun)[1]
