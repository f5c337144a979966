"""Publish: the jobs table's stream, told to the bus and to webhooks, and where there is one to the audit trail."""

from typing import Any

from broker.audit.notes import is_on
from broker.bootstrap import running
from broker.clock import now_ms
from broker.cloud.stream import change_of
from broker.observability import invocation, warn

MARGIN_MS = 5_000
"""Stop so long before the timeout; what is left comes again by itself."""


@invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Publish the changes of heads (the event source's filter lets no others through).

    With an audit trail, its filter also lets through what begins; the trail is told first, and nothing goes out that it
    could not be told of: the batch comes again.
    """

    def time_left() -> bool:
        return bool(context.get_remaining_time_in_millis() > MARGIN_MS)

    records = event["Records"]
    if is_on():
        from broker.bootstrap.auditing import tell_audit

        records = tell_audit(records)
    failed = running.publish()([change_of(record["dynamodb"]) for record in records], now_ms(), time_left)
    if failed is None:
        return {"batchItemFailures": []}
    warn("publishing stopped; it goes on from here", sequence=failed)
    return {"batchItemFailures": [{"itemIdentifier": failed}]}
