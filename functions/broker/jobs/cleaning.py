"""Cleaning: what a request asked to be kept no longer than its `ttl_seconds` goes from the bucket when they are over.

What lies in the table, its own TTL deletes. Objects have a note each (`cloud.objects`), in the index of what is due but
in partitions of their own: the sweep, which ends jobs, does not wait behind them.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from broker.jobs.head import SHARDS
from broker.storage import Database, Item

PER_PAGE = 1000
"""Objects that are deleted by one request: the most that S3 takes."""

SPREAD_MS = 60_000
"""How long a cleaning begins at the same partition; with more to do than time for it, each partition has its turn."""


class Ending(NamedTuple):
    """The note of an object whose time is over."""

    pk: str
    sk: str


class Objects(Protocol):
    """The bucket."""

    def end(self, endings: Sequence[Ending]) -> int:
        """Delete objects, and the notes of those that are gone; may be repeated. Gives the number of these."""
        ...


@dataclass(slots=True)
class Cleaned:
    """What one cleaning did, as counts."""

    objects: int = 0
    failed: int = 0
    """Objects that could not be deleted; they come again."""
    finished: bool = True
    """False where the time was over first."""


@dataclass(frozen=True, slots=True)
class Clean:
    """Deletes the objects whose time is over."""

    database: Database
    objects: Objects

    def __call__(self, now: int, *, time_left: Callable[[], bool] = lambda: True) -> Cleaned:
        """Clean once. May run twice at the same time and may stop anywhere: what is left is found the next time.

        Args:
            now: milliseconds.
            time_left: False when the rest should wait.
        """
        cleaned = Cleaned()
        first = now // SPREAD_MS
        for turn in range(SHARDS):
            cursor: Item | None = None
            while True:
                if not time_left():
                    cleaned.finished = False
                    return cleaned
                partition = f"ENDS#{(first + turn) % SHARDS}"
                page = self.database.index("due", partition, limit=PER_PAGE, upto=now, cursor=cursor)
                if page.items:
                    gone = self.objects.end([Ending(item["pk"], item["sk"]) for item in page.items])
                    cleaned.objects += gone
                    cleaned.failed += len(page.items) - gone
                cursor = page.cursor
                if cursor is None:
                    break
        return cleaned


def ends_partition(key: str) -> str:
    """The partition of the due index in which an object waits for its end."""
    return f"ENDS#{zlib.crc32(key.encode()) % SHARDS}"
