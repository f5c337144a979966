"""Waiting for a job in a call: how long a client asks to, and the long poll."""

import re
import time
from collections.abc import Callable

from broker.clock import now_ms
from broker.jobs.head import Head
from broker.jobs.store import Jobs
from broker.rest.http import MOST_RETRY_AFTER_S, MOST_WAIT_S

FIRST_POLL_S, SLOWEST_POLL_S, SLOWER_BY = 0.03, 1.0, 1.5
"""A long poll looks soon, then ever less often: ten reads of one small item in three seconds, at most some thirty."""


def preferred_wait(prefer: str) -> int:
    """Seconds from a `Prefer` header (RFC 7240); a preference that makes no sense is ignored, as the RFC has it."""
    for preference in prefer.split(","):
        name, _, value = preference.split(";")[0].strip().partition("=")
        if name.lower() == "wait" and re.fullmatch("[0-9]{1,6}", value.strip()):
            return min(int(value), MOST_WAIT_S)
    return 0


def poll_again(since_ms: int) -> dict[str, str]:
    """The hint when to look again at what goes on since then: a fifth of the time that it took so far."""
    return {"retry-after": str(min(max((now_ms() - since_ms) // 5000, 1), MOST_RETRY_AFTER_S))}


def again(head: Head) -> dict[str, str]:
    """The same for a job, while it goes on."""
    return {} if head.status.terminal else poll_again(head.created_at)


def ended(jobs: Jobs, head: Head, until: float, *, seen: int, may_stay: Callable[[], bool]) -> Head:
    """The job once it has ended, or is held for a person, who may take days; as it is when the time is over.

    So it is when it `may_stay` no longer, because its tenant has as many calls waiting as it may have.

    Who asks for one that is held already, since `seen`, waits for more than that: else a loop of long polls would
    be one without a pause.
    """
    pause = FIRST_POLL_S
    while not head.status.terminal and (left := until - time.monotonic()) > 0:
        if (head.is_held and head.review["since"] != seen) or not may_stay():
            break
        time.sleep(min(pause, left))
        pause = min(pause * SLOWER_BY, SLOWEST_POLL_S)
        head = jobs.get(head.id)
    return head
