"""When a webhook is tried again, and what a reply means."""

from typing import Literal

PAUSES_S = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Before each attempt, counted from the one before: three days and a bit in all (from Standard Webhooks)."""

JITTER = 0.1
LONGEST_S = 86_400
GONE = 410

CONTROLS = {"abort-message": "abort", "abort": "abort", "disable": "disable"}
"""What a receiver may say in `webhook-delivery` (Svix documentation, "Delivery Control"), and what it comes to."""

Verdict = Literal["delivered", "retry", "abort", "disable"]


def next_attempt(made: int, now: int, retry_after_s: float | None, jitter: float) -> int | None:
    """When to try again, in milliseconds; None when the schedule is over.

    Args:
        made: attempts so far.
        now: milliseconds.
        retry_after_s: what the receiver asked for; honoured when it is later than the schedule, up to a day.
        jitter: 0 to 1; receivers that failed together should not be called together.
    """
    if made >= len(PAUSES_S):
        return None
    pause = PAUSES_S[made] * (1 + JITTER * jitter)
    asked = min(retry_after_s or 0, LONGEST_S)
    return now + round(max(pause, asked) * 1000)


def verdict(status: int, control: str | None = None) -> Verdict:
    """What a reply means for its message; a redirect is not followed, so it is a failure.

    What a receiver has taken is delivered, whatever else it says.
    """
    if 200 <= status < 300:
        return "delivered"
    if wants_no_more(status, control):
        return "disable"
    return "abort" if _said(control) == "abort" else "retry"


def wants_no_more(status: int | None, control: str | None) -> bool:
    """True where a reply says that nothing is to be sent to its endpoint any more."""
    return status == GONE or (status is not None and _said(control) == "disable")


def _said(control: str | None) -> str | None:
    return CONTROLS.get((control or "").strip().lower())
