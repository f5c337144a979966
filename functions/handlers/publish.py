"""Publish: the jobs table's stream, told to the bus and to webhooks."""

from typing import Any

from broker.bootstrap import running
from broker.clock import now_ms
from broker.cloud.stream import change_of
from broker.observability import invocation, warn

MARGIN_MS = 5_000
"""Stop so long before the timeout; what is left comes again by itself."""


@invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Publish the changes of heads (the event source's filter lets no others through)."""

    def time_left() -> bool:
        return bool(context.get_remaining_time_in_millis() > MARGIN_MS)

    changes = [change_of(record["dynamodb"]) for record in event["Records"]]
    failed = running.publish()(changes, now_ms(), time_left)
    if failed is None:
        return {"batchItemFailures": []}
    warn("publishing stopped; it goes on from here", sequence=failed)
    return {"batchItemFailures": [{"itemIdentifier": failed}]}
