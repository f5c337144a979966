"""Batches in memory: the ports of `broker.batches`, as recorders that can be out of order."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from broker.batches.batch import KEEP_S, Batch, BatchStatus
from broker.batches.listing import Listed
from broker.batches.ports import ResultKind
from broker.batches.rows.lines import split
from broker.batches.shard import ROWS, Shard
from broker.errors import NotFound
from broker.storage import Database
from broker.tenants.registry import Tenants
from broker.tenants.room import Room

from tests.fakes.queue import Down
from tests.fakes.world import HOUR, NOW, SECOND

BATCH_ID = "batch_0193a000000070008000000000000001"


@dataclass(slots=True)
class FakeShards:
    """See `broker.batches.ports.ShardQueue`: `(batch id, shard)`, and of `again` the message and its delay."""

    sent: list[tuple[str, int]] = field(default_factory=list)
    later: list[tuple[dict[str, Any], int]] = field(default_factory=list)
    down: bool = False

    def send(self, batch_id: str, tenant: str, shards: Iterable[int]) -> None:
        """See `ShardQueue.send`."""
        if self.down:
            raise Down
        self.sent += [(batch_id, shard) for shard in shards]

    def again(self, message: dict[str, Any], tenant: str, delay_s: int) -> None:
        """See `ShardQueue.again`."""
        if self.down:
            raise Down
        if not 0 <= delay_s <= 900:
            raise ValueError("a message waits for 900 seconds at most")
        self.later.append((json.loads(json.dumps(message)), delay_s))


@dataclass(slots=True)
class FakeRowBytes:
    """See `broker.batches.ports.RowBytes`."""

    objects: dict[str, bytes] = field(default_factory=dict)
    read: list[tuple[str, int, int | None]] = field(default_factory=list)
    """What was read: key, offset, length."""
    piece: int = 7
    """Bytes."""

    def lines(self, where: dict[str, Any], offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """See `RowBytes.lines`."""
        return (line.data for line in split(self.pieces(where, offset, length)))

    def pieces(self, where: dict[str, Any], offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """See `RowBytes.pieces`; these are small, so that nothing ends with one by chance."""
        if where["key"] not in self.objects:
            raise NotFound("The rows were deleted or overwritten.", code="file_gone")
        self.read.append((where["key"], offset, length))
        end = None if length is None else offset + length
        data = self.objects[where["key"]][offset:end]
        return (data[start : start + self.piece] for start in range(0, len(data), self.piece))

    def size(self, where: dict[str, Any]) -> int:
        """See `RowBytes.size`."""
        if where["key"] not in self.objects:
            raise NotFound("The rows were deleted or overwritten.", code="file_gone")
        return len(self.objects[where["key"]])

    def write(self, batch_id: str, name: str, parts: Iterable[bytes]) -> dict[str, Any]:
        """See `RowBytes.write`."""
        key = f"batches/{batch_id}/{name}"
        self.objects[key] = b"".join(parts)
        return {"bucket": "payloads", "key": key, "etag": "e", "version": None}


@dataclass(slots=True)
class FakeResults:
    """See `broker.batches.ports.Results`."""

    kept: dict[tuple[str, int, ResultKind], bytes] = field(default_factory=dict)
    forgotten: list[str] = field(default_factory=list)
    """Keys of rows that were deleted."""

    def keep(self, batch_id: str, shard: int, kind: ResultKind, parts: Iterable[bytes]) -> None:
        """See `Results.keep`."""
        self.kept.pop((batch_id, shard, kind), None)
        if data := b"".join(parts):
            self.kept[batch_id, shard, kind] = data

    def parts(
        self, batch_id: str, shards: int, kind: ResultKind, since: tuple[int, int] = (0, 0)
    ) -> Iterator[tuple[int, bytes]]:
        """See `Results.parts`."""
        for shard in range(since[0], shards):
            data = self.kept.get((batch_id, shard, kind), b"")
            if data := data[since[1] if shard == since[0] else 0 :]:
                yield shard, data

    def forget(self, batch_id: str, shards: int) -> None:
        """See `Results.forget`."""
        for key in [key for key in self.kept if key[0] == batch_id]:
            del self.kept[key]

    def forget_rows(self, batch_id: str, places: Iterable[dict[str, Any]]) -> None:
        """See `Results.forget_rows`."""
        found = (str(place.get("key", "")) for place in places)
        self.forgotten += [key for key in found if key.startswith(f"batches/{batch_id}/")]


@dataclass(slots=True)
class FakeBatchWorkflows:
    """See `broker.batches.ports.BatchWorkflows`."""

    started: list[tuple[str, int]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    waiting: set[str] = field(default_factory=set)
    """Tokens by which one waits."""

    def start(self, batch_id: str, attempt: int = 0) -> None:
        """See `BatchWorkflows.start`."""
        if (batch_id, attempt) not in self.started:
            self.started.append((batch_id, attempt))

    def go_on(self, token: str) -> bool:
        """See `BatchWorkflows.go_on`."""
        self.told.append(token)
        waits = token in self.waiting
        self.waiting.discard(token)
        return waits


def batch_room(database: Database) -> Room:
    """How many batches tenants may have under way, as `bootstrap.batching` builds it."""
    counted = Listed(database).open_of_tenant
    return Room("batches", lambda tenant, now: Tenants(database).get(tenant, now).max_batches, counted)


def a_batch(rows: int = 250, **changes: Any) -> Batch:
    """A batch whose shards are laid out, none of them released."""
    known: dict[str, Any] = {
        "id": BATCH_ID,
        "tenant": "acme",
        "principal": "key:1",
        "created_at": NOW,
        "expires_at": NOW // SECOND + KEEP_S,
        "ends_at": NOW + 24 * HOUR,
        "source": {"kind": "inline"},
        "status": BatchStatus.IN_PROGRESS,
        "rows_in": {"bucket": "inbox", "key": "acme/rows.jsonl", "etag": "e", "version": "v1"},
        "rows": rows,
        "shards": -(-rows // ROWS),
        "is_planned": True,
        "stamps": {"in_progress": NOW},
        "due_at": NOW + 300 * SECOND,
    }
    return Batch(**{**known, **changes})


def a_shard(number: int = 0, rows: int = ROWS, **changes: Any) -> Shard:
    """A shard of it, each of whose rows is a job."""
    known: dict[str, Any] = {
        "batch": BATCH_ID,
        "number": number,
        "rows": rows,
        "offset": 0,
        "length": 0,
        "line": 1 + number * ROWS,
        "expires_at": NOW // SECOND + KEEP_S,
        "is_sent": True,
    }
    return Shard(**{**known, **changes})
