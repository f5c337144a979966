"""Batch Rows: shards of batches, whatever is to be done for them, and pages of bulk operations."""

import json
import math
from collections.abc import Callable
from typing import Any

from broker.bootstrap import batch_results, bulk
from broker.clock import now_ms
from broker.observability import invocation

from handlers.batch import each_record

MARGIN_MS = 15_000
"""What is left of a shard's rows goes on in another message; this is for the last of them."""


@invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Tend each shard, and go on with each bulk operation, that a message names."""

    def time_left() -> bool:
        return bool(context.get_remaining_time_in_millis() > MARGIN_MS)

    return each_record(event, context, lambda record: _tend(record, time_left), most_s=math.inf)


def _tend(record: dict[str, Any], time_left: Callable[[], bool]) -> None:
    message = json.loads(record["body"])
    take = bulk.work_on_bulk() if "bulk_id" in message else batch_results.tend()
    take(message, now_ms, time_left)
