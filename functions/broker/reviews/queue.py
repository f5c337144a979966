"""The queue of reviews: what is held, oldest first, and what was, newest first. Nothing is scanned.

Records stand in eight partitions of an index by time, and in one for each tenant: what one tenant floods the queue with
keeps nobody from another's.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from broker.errors import InvalidRequest
from broker.guardrails.policy import Stage
from broker.jobs.head import HELD, SHARDS
from broker.reviews.record import CLOSED, OPEN, partition_of_tenant, shown
from broker.storage import Database, Item

MOST_COUNTED = 100
"""Held jobs of one shard that are counted each minute; where there are more, it is so many at least."""

MOST_KEY_BYTES = 1024
"""Of a sort key, and half of what a partition key may have."""

END_OF_TIME = 10**15
"""Milliseconds that no record is from."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which reviews, and how many."""

    state: str = HELD
    tenant: str | None = None
    stage: Stage | None = None
    limit: int = 20


def listed(database: Database, wanted: Wanted, cursor: str | None, now: int) -> dict[str, Any]:
    """A page of the queue. It may be short and still have a `next_cursor`.

    Raises:
        InvalidRequest: the cursor is none of this list's.
    """
    kind = OPEN if wanted.state == HELD else CLOSED
    of_tenant = partition_of_tenant(kind, wanted.tenant) if wanted.tenant else None
    keys, following = page(database, kind, of_tenant, wanted.limit, cursor, newest_first=kind == CLOSED)
    found = (database.get("jobs", key["pk"], key["sk"]) for key in keys)
    records = [
        item for item in found if item and item["state"] == wanted.state and wanted.stage in (None, item["stage"])
    ]
    return {"object": "list", "data": [shown(item, now) for item in records], "next_cursor": following}


def page(
    database: Database, kind: str, of_tenant: str | None, limit: int, cursor: str | None, *, newest_first: bool
) -> tuple[list[Item], str | None]:
    """Keys of one page, of all shards of a kind or of one tenant, and the cursor to the next.

    Raises:
        InvalidRequest: the cursor is none of this list's.
    """
    index = "tenant" if of_tenant else "due"
    partitions = [of_tenant] if of_tenant else [f"{kind}#{shard}" for shard in range(SHARDS)]
    order = "id" if of_tenant else "due_at"
    known = _read(cursor, partitions, index, order)
    found: list[tuple[int, Item]] = []
    more = False
    for number, name in enumerate(partitions):
        read = database.index(
            index,  # type: ignore[arg-type]  # one of the two
            name,
            limit=limit,
            newest_first=newest_first,
            cursor=known[number],
        )
        found += [(number, item) for item in read.items]
        more = more or read.cursor is not None
    # Of the same millisecond the index has an order of its own in each shard, which the cursor goes on by.
    found.sort(key=lambda pair: (pair[1][order], pair[0]), reverse=newest_first)
    for number, item in found[:limit]:
        known[number] = item
    following = _written(known, order) if more or len(found) > limit else None
    return [item for _, item in found[:limit]], following


def standing(database: Database, now: int) -> tuple[int, int]:
    """How many jobs are held (as far as they are counted), and for how many milliseconds the one that is so longest."""
    pages = [database.index("due", f"{OPEN}#{shard}", limit=MOST_COUNTED).items for shard in range(SHARDS)]
    oldest = min((item["due_at"] for items in pages for item in items), default=now)
    return sum(map(len, pages)), max(0, now - oldest)


def _written(keys: Sequence[Item | None], order: str) -> str:
    rows = [key and [key["pk"], key["sk"], key[order]] for key in keys]
    return base64.urlsafe_b64encode(json.dumps(rows).encode()).decode()


def _read(cursor: str | None, partitions: Sequence[str], index: str, order: str) -> list[Item | None]:
    if cursor is None:
        return [None] * len(partitions)
    try:
        rows = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        if len(rows) != len(partitions):
            raise ValueError(cursor)
        return [_key(row, name, index, order) for row, name in zip(rows, partitions, strict=True)]
    except (ValueError, TypeError, RecursionError):
        raise InvalidRequest("The cursor is not one of ours.", param="cursor") from None


def _key(row: Any, partition: str, index: str, order: str) -> Item | None:
    if row is None:
        return None
    pk, sk, place = row
    if not (_is_text(pk) and _is_text(sk) and (_is_moment(place) if order == "due_at" else _is_text(place))):
        raise ValueError(row)
    return {"pk": pk, "sk": sk, index: partition, order: place}


def _is_text(value: Any) -> bool:
    """True for what may be a key of DynamoDB, which has one byte at least and 1,024 at most."""
    return isinstance(value, str) and 0 < len(value.encode()) <= MOST_KEY_BYTES


def _is_moment(value: Any) -> bool:
    return type(value) is int and 0 <= value < END_OF_TIME
