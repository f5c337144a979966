"""Dispatch: from the lanes to the workflow."""

import json
import random
from functools import partial
from typing import Any

from broker.bootstrap import adapters, running
from broker.clock import now_ms
from broker.jobs.dispatching import size_of
from broker.jobs.leaving import Left, leave
from broker.jobs.starting import start
from broker.observability import invocation, log, metric, tell, warn

from handlers.batch import each_record


@invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Claim each job and start its workflow; a message that was there before starts nothing.

    A job that there is no room for is left in its lane.
    """
    running.workflows()  # what a cold start builds is not in the first record's time
    left: list[Left] = []
    answer = each_record(event, context, partial(_start, left))
    running.in_flight().batch_is_over(now_ms())
    if left:
        answer["batchItemFailures"] += [{"itemIdentifier": each} for each in _leave(left)]
    return answer


def _start(left: list[Left], record: dict[str, Any]) -> None:
    message, receives = json.loads(record["body"]), int(record["attributes"]["ApproximateReceiveCount"])
    use = adapters.jobs(), running.workflows(), running.in_flight()
    head = start(*use, message, record["messageId"], receives, now_ms())
    if isinstance(head, Left):
        left.append(head)
    elif head is None:
        log("nothing to start", job_id=message["job_id"])
    elif head.run > 1 or size_of(head) != "express":  # any other is told by its first step's line
        tell("started", head.id, run=head.run, size=size_of(head))


def _leave(left: list[Left]) -> list[str]:
    now = now_ms()
    # Their messages are new each time, so the age of their lane's oldest message does not tell how long they wait.
    oldest = min(left, key=lambda each: each.since)
    line = {"message": "no room; left in the lane", "jobs": len(left), "tenant": oldest.head.tenant}
    metric({"lane": oldest.head.lane}, line, OldestWaitMs=now - oldest.since)
    try:
        return leave(adapters.job_queue(), left, now, random.random())  # noqa: S311 - jitter, not a secret
    except Exception as error:
        warn("could not leave jobs; their messages come again", error=type(error).__name__)
        return [each.message_id for each in left]
