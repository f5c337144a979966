"""What a function logged: invocations, bytes, and the metrics that its lines make.

Read from the emulator's log groups, which have `START`, `END` and `REPORT` lines as on AWS.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

EVENT_BYTES = 26
"""What CloudWatch Logs adds to each event (PutLogEvents, API reference)."""

PLATFORM = re.compile(r"^(START|END|REPORT) RequestId: ")
"""Lambda's own lines. The emulator always writes them; on AWS `SystemLogLevel: WARN` leaves them out."""

REPORT = "REPORT "

Series = tuple[str, tuple[tuple[str, str], ...]]
"""A metric's name, and its dimensions with their values: what CloudWatch bills as one metric."""


@dataclass(slots=True)
class Logged:
    """What one function logged since a moment."""

    invocations: int = 0
    size: int = 0
    """Bytes."""
    series: set[Series] = field(default_factory=set)

    def add(self, message: str, *, platform: bool) -> None:
        """Count one event; with `platform`, Lambda's own lines count as bytes."""
        if platform or not PLATFORM.match(message):
            self.size += len(message.encode()) + EVENT_BYTES
        self.invocations += message.startswith(REPORT)
        self.series |= series_of(message)


def series_of(message: str) -> set[Series]:
    """The metrics that a line makes (CloudWatch user guide, "Specification: Embedded metric format"); mostly none."""
    if '"_aws"' not in message:
        return set()
    line = json.loads(message[message.index("{") :])
    return {
        (metric["Name"], tuple((name, str(line[name])) for name in sorted(dimensions)))
        for directive in line["_aws"]["CloudWatchMetrics"]
        for dimensions in directive["Dimensions"]
        for metric in directive["Metrics"]
    }


def logged(client: Any, group: str, began_ms: int, ended_ms: int | None = None, *, platform: bool) -> Logged:
    """Read a span of one group, to its end where no other is said (epoch milliseconds)."""
    found = Logged()
    span = {"startTime": began_ms} | ({"endTime": ended_ms} if ended_ms else {})
    pages = client.get_paginator("filter_log_events").paginate(logGroupName=group, **span)
    for page in pages:
        for event in page["events"]:
            found.add(event["message"], platform=platform)
    return found
