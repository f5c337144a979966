"""Clean: every five minutes, the objects of payloads whose time is over, and a look at what waits for an operator."""

from dataclasses import asdict
from typing import Any

from broker.bootstrap import sweeping
from broker.clock import now_ms
from broker.errors import Unavailable
from broker.observability import invocation, log, metric

MARGIN_MS = 10_000
"""Stop so long before the timeout; the rest goes five minutes later."""


@invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Clean once and say what was done, as counts.

    Raises:
        Unavailable: some could not be deleted. They come again; an alarm rings where that goes on.
    """
    cleaned = sweeping.clean()(now_ms(), time_left=lambda: bool(context.get_remaining_time_in_millis() > MARGIN_MS))
    counts = asdict(cleaned)
    log("cleaned", **counts)
    _look()
    if cleaned.failed:
        raise Unavailable(f"{cleaned.failed} objects could not be deleted.", code="not_cleaned")
    return counts


def _look() -> None:
    """Metrics of what waits, where anything does: a metric that is told each time is paid for all month."""
    if ended := sweeping.ends().messages():
        metric({}, {"message": "dead letters", "queues": ended}, DeadLetters=sum(ended.values()))
    held, oldest_ms = sweeping.reviews_standing(now_ms())
    if held:
        metric({}, {"message": "jobs are held for review", "held": held}, OldestReviewMs=oldest_ms)
