"""Take File: files of the inbox into jobs, and what became of them into the outbox."""

import json
import math
from typing import Any

from broker.bootstrap import inbox
from broker.clock import now_ms
from broker.observability import invocation, log, say

from handlers.batch import each_record


@invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Take each file that S3 tells of, and collect the result of each that asks for it."""
    return each_record(event, context, _take, most_s=math.inf)


def _take(record: dict[str, Any]) -> None:
    message = json.loads(record["body"])
    if "collect" in message:
        batch = inbox.collect()(message["collect"], now_ms())
        if batch is not None:
            log("batch completed", batch_id=batch.id, tenant=batch.tenant, total=batch.total)
        return
    taken = inbox.split()(message, now_ms)
    if taken is None:
        return
    facts = {"batch_id": taken.batch_id, "tenant": taken.tenant, "error": taken.error}
    say({"message": "file taken", **facts, "accepted": taken.accepted, "refused": taken.refused})
