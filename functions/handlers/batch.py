"""SQS batches: each record alone, and only those that failed come again.

Powertools' batch processor does the same, at 180 ms of imports for each start: it loads the parser and every event
source it knows.
"""

from collections.abc import Callable
from typing import Any

from broker.observability import place_of, warn


def each_record(event: dict[str, Any], work: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Do the work for each record; gives the partial batch response (`ReportBatchItemFailures`)."""
    failures = []
    for record in event["Records"]:
        try:
            work(record)
        except Exception as error:
            facts = {"message_id": record["messageId"], "error": type(error).__name__, "at": place_of(error)}
            warn("record failed; it will come again", **facts)
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}
