"""Limits of requests and tokens by time: what a tenant, or one of its API keys, may have done in a second to a month.

A limit is a number of the ledger, and a take moves it on. Limits by the second and the minute are token buckets: the
number is a moment, when the bucket will be full again, and each unit moves it on by the time that it takes to come
back (the generic cell rate algorithm of ITU-T I.371, annex A). Limits by the day and the month are counts of the UTC
day or month, whose own number comes before the count, so that one of another day is no count of this one. Both go by
one rule: what stands below a floor is as good as the floor, and no take may bring it above the ceiling.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

What = Literal["requests", "tokens", "calls"]
Window = Literal["second", "minute", "day", "month"]
Scope = Literal["tenant", "key"]

SECONDS = {"second": 1, "minute": 60, "day": 86_400, "month": 2_592_000}
"""A month counts as thirty days where it is told in seconds."""

BUCKETS = ("second", "minute")
"""Windows that refill all the time."""

MOST: dict[tuple[What, Window], int] = {
    ("requests", "second"): 500,
    ("requests", "minute"): 1_000_000,
    ("requests", "day"): 10**9,
    ("requests", "month"): 10**10,
    ("tokens", "minute"): 10**9,
    ("tokens", "day"): 10**12,
    ("tokens", "month"): 10**13,
}
"""The limits that there are, and the most that each may be. What is allowed by the second is written by the request, to
one item, which takes a thousand writes a second; larger rates are said by the minute, of which processes take parts."""

NAMES: dict[str, tuple[What, Window]] = {f"{what}_per_{window}": (what, window) for what, window in MOST}

CALLS, MOST_CALLS = "calls_per_second", 5_000
"""All calls of the API, looks among them: what a tenant has in any case (`tenants.call_rates`)."""

QUEUED, MOST_QUEUED = "queued_jobs", 1_000_000
"""Jobs that were accepted and have not ended (`tenants.open_jobs`)."""

ENQUEUED, MOST_ENQUEUED = "enqueued_batch_tokens", 10**13
"""Tokens of batches that have not ended (`batches.rows.enqueuing`)."""

WAITS, MOST_WAITS = "waits_at_once", 10_000
"""Calls that wait for an answer at the same time (`tenants.waits`)."""

BODY_BYTES = "body_bytes"
"""The largest body of a request: a limit without a window."""

COUNTED = 10**15
"""What stands before a count: above every limit."""

SKEW_NS = 1_000_000_000
"""By how much the clocks of two processes may differ."""


@dataclass(frozen=True, slots=True)
class Limit:
    """So many of something in a window, for a tenant or one of its keys."""

    scope: Scope
    id: str
    """The tenant's, or the key's."""
    what: What
    window: Window
    amount: int

    @property
    def name(self) -> str:
        """As the registry has it: `requests_per_minute`."""
        return f"{self.what}_per_{self.window}"

    @property
    def attribute(self) -> str:
        """Where its number stands in the item of its tenant."""
        return self.name if self.scope == "tenant" else f"{self.name}#{self.id}"

    @property
    def refills(self) -> bool:
        """True for a bucket, False for a count."""
        return self.window in BUCKETS

    @property
    def unit(self) -> int:
        """By how much one of them moves the number on: nanoseconds of a bucket, rounded up, and one of a count."""
        return -(-SECONDS[self.window] * 1_000_000_000 // self.amount) if self.refills else 1

    def floor(self, now: int, state: int | None = None) -> int:
        """The number of a limit that nothing was taken of.

        Of a count that another process has begun for the next day, by a clock that is ahead, it is the next day's.
        """
        if self.refills:
            return now * 1_000_000
        begun = state // COUNTED if state is not None else 0
        mine = _number_of(self.window, now)
        return (begun if begun == mine + 1 else mine) * COUNTED

    def ceiling(self, now: int, state: int | None = None) -> int:
        """The number of one that all was taken of."""
        return self.floor(now, state) + self.unit * self.amount

    def left(self, state: int | None, now: int) -> int:
        """How many may still be taken."""
        floor = self.floor(now, state)
        taken = max(0, (floor if state is None else state) - floor)
        return max(0, (self.unit * self.amount - taken) // self.unit)

    def full_at(self, state: int | None, now: int) -> int:
        """Milliseconds: when all of it may be taken again."""
        if self.refills:
            return max(now, -(-(state or 0) // 1_000_000))
        return _ends_at(self.window, now)

    def free_at(self, state: int | None, count: int, now: int) -> int:
        """Milliseconds: when so many may be taken, if nobody takes any before."""
        if not self.refills:
            return _ends_at(self.window, now)
        over = (state or 0) + self.unit * count - self.unit * self.amount
        return max(now, -(-over // 1_000_000))


def limits_of(scope: Scope, scope_id: str, said: Mapping[str, Any]) -> tuple[Limit, ...]:
    """The limits of an entry, by its fields; what is no limit by time is left out."""
    return tuple(Limit(scope, scope_id, *NAMES[name], said[name]) for name in NAMES if said.get(name) is not None)


def _number_of(window: Window, now: int) -> int:
    if window == "day":
        return now // 86_400_000
    moment = datetime.fromtimestamp(now / 1000, UTC)
    return moment.year * 12 + moment.month


def _ends_at(window: Window, now: int) -> int:
    if window == "day":
        return (now // 86_400_000 + 1) * 86_400_000
    number = _number_of("month", now)  # December is the last month of its year, and the first of the count
    year, month = divmod(number, 12)
    return round(datetime(year, month + 1, 1, tzinfo=UTC).timestamp() * 1000)
