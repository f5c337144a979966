"""What MiniStack 1.5.33 keeps for ever, and how much is kept here: of each kind the newest, in bounded number.

A job left 0.11 MB behind: records of the tables' streams, the histories of executions that ended, a log stream of each
invocation, points of metrics, and each event that was ever put. What users stored (items, objects, messages) stays.

- A stream keeps what not every reader has read, and the newest of the rest: `broker replay` reads them again. On AWS
  they stay for a day.
- An Express execution leaves no history on AWS; the bench reads that of the last ones.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from ministack.services import cloudwatch, cloudwatch_logs, dynamodb, eventbridge, lambda_svc, stepfunctions

EVERY_S = 2.0
RECORDS = 2_000
"""Of a stream, of those that all have read."""
EXECUTIONS = 200
"""That ended."""
LOG_STREAMS = 500
"""Of a log group."""
LOG_EVENTS = 5_000
"""Of a log stream."""
POINTS = 2_000
"""Of a metric."""
EVENTS = 1_000
"""That were put on a bus: they were delivered long since."""

_reading = threading.Lock()
"""Held where a position in a stream is turned into a place in a list that may grow shorter."""


def patch() -> None:
    """Change MiniStack in memory, and begin to trim."""
    for name in ("stream_records_since", "stream_live_records", "stream_start_position", "stream_end_position"):
        setattr(dynamodb, name, _locked(getattr(dynamodb, name)))
    threading.Thread(target=_keep_trimming, daemon=True, name="trim").start()


def trim() -> None:
    """Forget once what is more than is kept."""
    _trim_streams()
    _trim_executions()
    for _, group in cloudwatch_logs._log_groups.all_items():
        _trim_logs(group["streams"])
    for points in cloudwatch._metrics.all_values():
        _drop(points, POINTS)
    for entries in eventbridge._events_log.all_values():
        _drop(entries, EVENTS)


def _keep_trimming() -> None:
    while True:
        time.sleep(EVERY_S)
        try:
            trim()
        except Exception:
            lambda_svc.logger.exception("trimming")


def _locked(read: Callable[..., Any]) -> Callable[..., Any]:
    def locked(*arguments: Any, **named: Any) -> Any:
        with _reading:
            return read(*arguments, **named)

    return locked


def _trim_streams() -> None:
    readers: dict[tuple[str, str, str], list[int]] = {}
    for (account, region, _), source in lambda_svc._esms.all_items():
        arn = source.get("EventSourceArn", "")
        if ":dynamodb:" in arn:
            position = lambda_svc._dynamodb_stream_positions.get_scoped(account, region, source["UUID"], 0)
            readers.setdefault((account, region, arn.split("/")[1]), []).append(position)
    for table, records in dynamodb._stream_records.all_items():
        with _reading:
            before = dynamodb._stream_trimmed.get_scoped(*table, 0)
            read = min(readers.get(table, [before + len(records)])) - before
            old = min(read, len(records) - RECORDS)
            if old > 0:
                del records[:old]
                dynamodb._stream_trimmed.set_scoped(*table, before + old)


def _trim_executions() -> None:
    ended = [key for key, execution in stepfunctions._executions.all_items() if execution["status"] != "RUNNING"]
    for key in ended[: max(0, len(ended) - EXECUTIONS)]:
        stepfunctions._executions.pop_scoped(*key, None)


def _trim_logs(streams: dict[str, Any]) -> None:
    for name in list(streams)[: max(0, len(streams) - LOG_STREAMS)]:
        streams.pop(name, None)
    for stream in list(streams.values()):
        _drop(stream["events"], LOG_EVENTS)


def _drop(kept: list[Any], most: int) -> None:
    """Leave the newest; the list is appended to meanwhile."""
    if len(kept) > most:
        del kept[: len(kept) - most]
