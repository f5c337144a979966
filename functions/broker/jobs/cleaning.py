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

NOTE = "ENDS#"
"""What the key of an object's note begins with, before that of the object; and the partitions of the due index."""

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
    release: Callable[[Sequence[Ending], int], Sequence[Ending]] = lambda endings, now: endings
    """What else has to be done before objects go (milliseconds); gives those that may."""

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
                partition = f"{NOTE}{(first + turn) % SHARDS}"
                page = self.database.index("due", partition, limit=PER_PAGE, upto=now, cursor=cursor)
                if endings := self.release([Ending(item["pk"], item["sk"]) for item in page.items], now):
                    gone = self.objects.end(endings)
                    cleaned.objects += gone
                    cleaned.failed += len(endings) - gone
                cursor = page.cursor
                if cursor is None:
                    break
        return cleaned


def ends_partition(key: str) -> str:
    """The partition of the due index in which an object waits for its end."""
    return f"{NOTE}{zlib.crc32(key.encode()) % SHARDS}"


def note(pk: str, key: str, due_at: int) -> Item:
    """The note of an object of `pk`, which ends at `due_at` (milliseconds)."""
    return {"pk": pk, "sk": f"{NOTE}{key}", "due": ends_partition(key), "due_at": due_at}


def key_of(ending: Ending) -> str:
    """The object's key in the bucket."""
    return ending.sk.removeprefix(NOTE)
