"""Audit: writes notes of doors, jobs and the registry into the audit trail."""

from typing import Any

from broker.bootstrap import auditing
from broker.clock import now_ms
from broker.cloud.attributes import decode_item
from broker.cloud.audit_bucket import unpacked
from broker.cloud.audit_changes import of_registry
from broker.observability import invocation, log


@invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Write what came, of the queue or of the registry's stream, as one block; else all of it comes again."""
    records = [each for message in event["Records"] for each in _records(message)]
    block = auditing.append()(records, now_ms()) if records else None
    if block is not None:
        log("audit block written", block=block.number, records=len(block.records), digest=block.digest)
    return {"batchItemFailures": []}


def _records(message: dict[str, Any]) -> list[dict[str, Any]]:
    if "dynamodb" not in message:
        return unpacked(message["body"])
    images = (message["dynamodb"].get(name) for name in ("OldImage", "NewImage"))
    found = of_registry(*(decode_item(each) if each else None for each in images))
    return [] if found is None else [found]
