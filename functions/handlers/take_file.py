"""Take File: files of the inbox into jobs, and what became of them into the outbox."""

import json
import math
from collections.abc import Callable
from typing import Any

from broker.bootstrap import doors
from broker.clock import now_ms
from broker.observability import invocation, log, say

from handlers.batch import each_record

MARGIN_MS = 15_000
"""What is left of a file goes on in another message; this is for its last line, and for ending the file."""


@invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Split each file that S3 tells of, and collect each batch that asks for it."""

    def time_left() -> bool:
        return bool(context.get_remaining_time_in_millis() > MARGIN_MS)

    return each_record(event, context, lambda record: _take(record, time_left), most_s=math.inf)


def _take(record: dict[str, Any], time_left: Callable[[], bool]) -> None:
    message = json.loads(record["body"])
    if "collect" in message:
        batch = doors.collect()(message["collect"], now_ms())
        if batch is not None:
            log("batch completed", batch_id=batch.id, tenant=batch.tenant, total=batch.total)
        return
    taken = doors.split()(message, now_ms, time_left)
    if taken is None:
        return
    facts = {"batch_id": taken.batch_id, "tenant": taken.tenant, "error": taken.error}
    say({"message": "file taken", **facts, "accepted": taken.accepted, "refused": taken.refused})
