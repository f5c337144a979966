"""What a function logged: invocations and bytes.

Read from the emulator's log groups, which have `START`, `END` and `REPORT` lines as on AWS.
"""

import re
from dataclasses import dataclass
from typing import Any

EVENT_BYTES = 26
"""What CloudWatch Logs adds to each event (PutLogEvents, API reference)."""

PLATFORM = re.compile(r"^(START|END|REPORT) RequestId: ")
"""Lambda's own lines. The emulator always writes them; on AWS `SystemLogLevel: WARN` leaves them out."""

REPORT = "REPORT "


@dataclass(slots=True)
class Logged:
    """What one function logged since a moment."""

    invocations: int = 0
    size: int = 0
    """Bytes."""

    def add(self, message: str, *, platform: bool) -> None:
        """Count one event; with `platform`, Lambda's own lines count as bytes."""
        if platform or not PLATFORM.match(message):
            self.size += len(message.encode()) + EVENT_BYTES
        self.invocations += message.startswith(REPORT)


def logged(client: Any, group: str, began_ms: int, ended_ms: int | None = None, *, platform: bool) -> Logged:
    """Read a span of one group, to its end where no other is said (epoch milliseconds)."""
    found = Logged()
    span = {"startTime": began_ms} | ({"endTime": ended_ms} if ended_ms else {})
    pages = client.get_paginator("filter_log_events").paginate(logGroupName=group, **span)
    for page in pages:
        for event in page["events"]:
            found.add(event["message"], platform=platform)
    return found
