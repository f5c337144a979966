"""Sweep: every minute, whatever is due."""

from typing import Any

from broker.bootstrap import sweeping
from broker.clock import now_ms
from broker.metrics import sweep_ended
from broker.observability import invocation
from broker.side_by_side import side_by_side

MARGIN_MS = 5_000
"""Begin nothing more so long before the timeout; the rest is due the next minute."""

ANSWER_MS = 2_000
"""Wait for nothing so long before it: what hangs must not take the counts with it."""


@invocation
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Sweep once and say what was done, as counts.

    Raises:
        Unavailable: some of what is due could not be read; all else was done.
    """

    def left_ms() -> int:
        return int(context.get_remaining_time_in_millis())

    swept = sweeping.sweep()(
        now_ms(),
        time_left=lambda: left_ms() > MARGIN_MS,
        together=lambda strands: side_by_side(strands, lambda: (left_ms() - ANSWER_MS) / 1000),
    )
    return sweep_ended(swept, now_ms())
