"""Take File: files of the inbox into jobs, and what became of them into the outbox."""

import json
from typing import Any

from broker import bootstrap
from broker.clock import now_ms
from broker.observability import invocation, log, metric

from handlers.batch import each_record


@invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Split each file that S3 tells of, and collect each batch that asks for it."""
    return each_record(event, _take)


def _take(record: dict[str, Any]) -> None:
    message = json.loads(record["body"])
    if "collect" in message:
        batch = bootstrap.collect()(message["collect"], now_ms())
        if batch is not None:
            log("batch completed", batch_id=batch.id, tenant=batch.tenant, total=batch.total)
        return
    taken = bootstrap.split()(message, now_ms)
    if taken is None:
        return
    facts = {"batch_id": taken.batch_id, "tenant": taken.tenant, "error": taken.error}
    metric({"door": "s3"}, {"message": "file taken", **facts}, JobsAccepted=taken.accepted, JobsRefused=taken.refused)
