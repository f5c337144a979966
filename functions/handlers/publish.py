"""Publish: the jobs table's stream, told to the bus and to webhooks."""

from typing import Any

from broker import bootstrap
from broker.clock import now_ms
from broker.cloud.stream import change_of
from broker.observability import invocation, warn


@invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Publish the changes of heads (the event source's filter lets no others through)."""
    failed = bootstrap.publish()([change_of(record["dynamodb"]) for record in event["Records"]], now_ms())
    if failed is None:
        return {"batchItemFailures": []}
    warn("publishing stopped; it goes on from here", sequence=failed)
    return {"batchItemFailures": [{"itemIdentifier": failed}]}
