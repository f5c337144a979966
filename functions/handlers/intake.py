"""Intake: events that ask for work, from the bus through their queue."""

from typing import Any

from broker.bootstrap import doors
from broker.clock import now_ms
from broker.observability import invocation, metric

from handlers.batch import each_record


@invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Turn each event into a job, or reject it with the reason."""
    doors.event_consumer()  # what a cold start builds is not in the first record's time
    return each_record(event, context, _take)


def _take(record: dict[str, Any]) -> None:
    accepted = doors.event_consumer()(record["body"], now_ms())
    if accepted is None:
        metric({"door": "event"}, {"message": "event rejected", "message_id": record["messageId"]}, JobsRefused=1)
        return
    head = accepted.head
    facts = {"job_id": head.id, "tenant": head.tenant, "repeated": accepted.repeated}
    metric({"door": "event"}, {"message": "event accepted", **facts}, JobsAccepted=int(not accepted.repeated))
