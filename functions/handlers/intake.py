"""Intake: events that ask for work, from the bus through their queue."""

from typing import Any

from broker.bootstrap import doors
from broker.clock import now_ms
from broker.observability import invocation, say

from handlers.batch import each_record


@invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Turn each event into a job, or reject it with the reason."""
    doors.event_consumer()  # what a cold start builds is not in the first record's time
    return each_record(event, context, _take)


def _take(record: dict[str, Any]) -> None:
    accepted = doors.event_consumer()(record["body"], now_ms())
    if accepted is None:
        say({"message": "event rejected", "message_id": record["messageId"]})
        return
    if isinstance(accepted, str):
        say({"message": "document asked for", "message_id": record["messageId"], "tenant": accepted})
        return
    head = accepted.head
    facts = {"job_id": head.id, "tenant": head.tenant, "repeated": accepted.repeated}
    say({"message": "event accepted", **facts})
