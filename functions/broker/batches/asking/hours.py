"""Off-peak hours: when rows may begin, by the clock of a place, through its days of 23 and of 25 hours."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any, Literal, Self, get_args
from zoneinfo import ZoneInfo

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

DAYS: tuple[Day, ...] = get_args(Day)

AHEAD = 16
"""Days to look at from the day before, whose hours may reach into today: two weeks, for hours of one weekday alone may
fall into what the clock skips, and on the next they do not."""


@dataclass(frozen=True, slots=True)
class OffPeak:
    """From `start` on each of some `days` until `end`, on the next day where that is not after `start`.

    A time that the clock skips in spring counts as the moment when it goes forward; one that it shows twice in autumn
    is the first for `start` and the second for `end`, so hours are never shorter than they read.
    """

    start: str
    """`22:00`, in local time."""
    end: str
    time_zone: str
    """Of the IANA database."""
    days: Sequence[Day] = DAYS

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Self:
        """From the stored form (`Batch.asked["window"]`)."""
        return cls(kept["start"], kept["end"], kept["time_zone"], tuple(kept.get("days", DAYS)))

    def opens_at(self, now: int) -> int:
        """When rows may begin: now, or when the hours next start; milliseconds."""
        return next(max(start, now) for start, end in self._around(now) if end > now)

    def closes_at(self, now: int) -> int:
        """When the hours that are open at `opens_at` end; milliseconds."""
        return next(end for _, end in self._around(now) if end > now)

    def longest_pause_s(self) -> int:
        """Seconds between their end and the next start, at most, in weeks in which no clock is changed."""
        hours = list(self._around(0))
        return max((start - end) // 1000 for (_, end), (start, _) in pairwise(hours))

    def _around(self, now: int) -> Iterator[tuple[int, int]]:
        """The hours of the days around a moment, in order."""
        zone = ZoneInfo(self.time_zone)
        today = datetime.fromtimestamp(now / 1000, zone).date()
        start, end = time.fromisoformat(self.start), time.fromisoformat(self.end)
        for ahead in range(-1, AHEAD):
            day = today + timedelta(days=ahead)
            if DAYS[day.weekday()] in self.days:
                last = day if end > start else day + timedelta(days=1)
                begins, ends = _moment(day, start, zone, later=False), _moment(last, end, zone, later=True)
                if begins < ends:  # the clock may skip hours as a whole
                    yield begins, ends


def is_zone(name: str) -> bool:
    """Whether there is such a time zone."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # a path, a folder of zones, or no zone
        return False
    return True


def _moment(day: date, clock: time, zone: ZoneInfo, *, later: bool) -> int:
    """When a local clock shows a time; milliseconds since the epoch (PEP 495: `fold` is the second of two)."""
    shown = datetime.combine(day, clock, zone)
    first, second = shown.replace(fold=0), shown.replace(fold=1)
    if first.utcoffset() < second.utcoffset():  # type: ignore[operator]  # skipped: both lie an hour beside it
        return _forward(second, first)
    return round((second if later else first).astimezone(UTC).timestamp() * 1000)


def _forward(before: datetime, after: datetime) -> int:
    """The moment in which a clock goes forward over a time, which lies between these two."""
    low, high = before.timestamp(), after.timestamp()
    zone = before.tzinfo
    offset = datetime.fromtimestamp(low, zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return round(high * 1000)
