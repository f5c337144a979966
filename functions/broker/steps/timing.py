"""How long a call may take, whose fault it is when it took longer, and how long to wait before the next."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from broker.errors import BrokerError, CutShort, ModelTimedOut, TimedOut
from broker.jobs.call_transitions import clock_of
from broker.jobs.head import Head
from broker.jobs.transitions import Fence
from broker.routing.model import Model

LEAST_MS = 50
"""In less time than this nobody answers."""

LONGEST_PAUSE_S = 10
"""A provider that asks for a longer pause is passed over."""

UNSAID_PAUSES_S = 2.0, 8.0
"""Where it does not say for how long, a job of the bulk lane waits so long: many are refused at once, and come spread.
Any other asks the next model."""

LONGEST_POLL_S = 300
"""Work that goes on by itself is asked after at least so often: two thousand polls in a week, which an execution's
history of 25,000 events holds (each poll has ten)."""

DEADLINE_PASSED = "deadline_passed"
"""The code of a job whose deadline ended its run: it has expired."""


@dataclass(frozen=True, slots=True)
class TimeSlice:
    """The time of one call, out of the run's."""

    seconds: float
    over: type[BrokerError]
    """What it is when the time is over: `ModelTimedOut`, `CutShort` or `TimedOut`."""

    def within(self, seconds: float) -> "TimeSlice":
        """The same where it is over by then, or else what there is of it.

        Raises:
            CutShort: there is nothing.
        """
        if seconds * 1000 < LEAST_MS:
            raise CutShort("No time was left to ask.", code="timeout")
        return self if self.seconds <= seconds else TimeSlice(seconds, CutShort)


def time_slice_of(model: Model, head: Head, fence: Fence, now: int, following: Sequence[int | None] = ()) -> TimeSlice:
    """The time of the call that asks a model now: its own limit, within what is left of the job's time.

    Each candidate that follows keeps a slice of it: as long as it usually takes, but no more than an equal share of
    what is left. So the last one gets what is left, and one that hangs never keeps a healthy one from being asked.

    Args:
        model: that is asked.
        head: of the job; a run's time budget counts from its first call, and ends with the job's deadline at the
            latest.
        fence: of the run.
        now: milliseconds.
        following: the 95th percentiles, in milliseconds, of the candidates that follow; None where it is not known.

    Raises:
        TimedOut: nothing is left.
    """
    since = clock_of(head, fence, now)
    left = min(since + head.timeout_s * 1000, head.deadline_at) - now
    if left < LEAST_MS:
        raise spent(replace(head, claimed_at=since))
    share = left // (len(following) + 1)
    mine = left - sum(share if usual is None else min(usual, share) for usual in following)
    if model.timeout_s * 1000 <= mine:
        return TimeSlice(model.timeout_s, ModelTimedOut)
    return TimeSlice(mine / 1000, CutShort if following else TimedOut)


def spent(head: Head) -> TimedOut:
    """The error of a job whose time is over: its budget's, or all of it."""
    if head.deadline_at <= (head.claimed_at or 0) + head.timeout_s * 1000:
        return TimedOut("The job's deadline passed.", code=DEADLINE_PASSED)
    return TimedOut(f"The job's time budget of {head.timeout_s} s is spent.")


def poll_s(head: Head, key: str, asked: int, now: int) -> int:
    """Seconds until the next poll of work that goes on: as the provider says, and ever later the longer it takes."""
    waited = (now - int(head.calls[key].get("s", now))) // 10_000
    return max(1, min(max(asked, waited), LONGEST_POLL_S))


def bulk_pause_s(asked: float | None, chance: Callable[[], float] = random.random) -> int | None:
    """The same of a job of the bulk lane, which waits also where nothing is said."""
    least, most = UNSAID_PAUSES_S
    return pause_s(least + (most - least) * chance() if asked is None else asked, chance)


def pause_s(asked: float | None, chance: Callable[[], float] = random.random) -> int | None:
    """Whole seconds to wait for a throttled model, if it asks for little; None to pass it over."""
    if asked is None or asked > LONGEST_PAUSE_S:
        return None
    return math.ceil(max(asked, 1) * (1 + chance() / 4))
