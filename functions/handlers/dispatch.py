"""Dispatch: from the lanes to the workflow."""

import json
from typing import Any

from broker.bootstrap import adapters, running
from broker.clock import now_ms
from broker.jobs.dispatching import dispatch, known_of, size_of
from broker.observability import invocation, log, tell

from handlers.batch import each_record


@invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Claim each job and start its workflow; a message that was there before starts nothing."""
    running.workflows()  # what a cold start builds is not in the first record's time
    return each_record(event, context, _dispatch)


def _dispatch(record: dict[str, Any]) -> None:
    message = json.loads(record["body"])
    job_id, known = message["job_id"], known_of(message, int(record["attributes"]["ApproximateReceiveCount"]))
    head = dispatch(adapters.jobs(), running.workflows(), job_id, record["messageId"], now_ms(), known)
    if head is None:
        log("nothing to start", job_id=job_id)
        return
    size = size_of(head)
    if head.run > 1 or size != "express":  # any other is told by its first step's line
        tell("started", job_id, run=head.run, size=size)
