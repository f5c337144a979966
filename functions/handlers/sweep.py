"""Sweep: every minute, whatever is due."""

from dataclasses import asdict
from typing import Any

from broker.bootstrap import running
from broker.clock import now_ms
from broker.observability import invocation, metric, say

MARGIN_MS = 5_000
"""Stop so long before the timeout; the rest is due the next minute."""


@invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Sweep once and say what was done, as counts."""
    swept = running.sweep()(now_ms(), time_left=lambda: bool(context.get_remaining_time_in_millis() > MARGIN_MS))
    counts = asdict(swept) | {"errors": len(swept.errors)}
    if swept.dead_letters:  # a metric that is told each minute is paid for all month
        metric({}, DeadLetters=swept.dead_letters)
    say({"message": "swept", **counts, "error_names": sorted(set(swept.errors))})
    return counts
