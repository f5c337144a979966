"""Invocations and log bytes, from the log groups of the emulator (`START`, `END` and `REPORT` lines as on AWS)."""

import re
from dataclasses import dataclass
from typing import Any

EVENT_BYTES = 26
"""What CloudWatch Logs adds to each event (PutLogEvents, API reference)."""

REPORT = re.compile(r"^REPORT .*?Duration: ([\d.]+) ms\s+Billed", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Logged:
    """What one function logged since a moment; `wall_ms` is the emulator's clock, not AWS's."""

    invocations: int
    wall_ms: float
    size: int


PLATFORM = re.compile(r"^(START|END|REPORT) RequestId: ")
"""Lambda's own lines. The emulator always writes them; on AWS `SystemLogLevel: WARN` leaves them out."""


def logged(client: Any, group: str, since_ms: int, *, platform: bool) -> Logged:
    """Read one group; with `platform`, Lambda's own lines count as bytes."""
    invocations, wall, size = 0, 0.0, 0
    pages = client.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=since_ms)
    for page in pages:
        for event in page["events"]:
            message = event["message"]
            if platform or not PLATFORM.match(message):
                size += len(message.encode()) + EVENT_BYTES
            if found := REPORT.match(message):
                invocations += 1
                wall += float(found.group(1))
    return Logged(invocations, wall, size)
