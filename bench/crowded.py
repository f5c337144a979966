"""A batch of any size in memory: the code that runs batches, with rows that end as soon as they are accepted.

What stands for jobs is gone when its shard is folded, and results lie on the disk: what is measured is the code's own.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from broker.batches.batch import KEEP_S, Batch
from broker.batches.flow.steering import Run
from broker.batches.flow.telling import Tell
from broker.batches.ports import ResultKind
from broker.batches.results.assembling import Assemble
from broker.batches.results.collecting import Collect
from broker.batches.results.folding import Fold
from broker.batches.results.pieces import Source
from broker.batches.rows.counting import Count
from broker.batches.rows.duplicates import Duplicates
from broker.batches.rows.planning import Plan
from broker.batches.rows.releasing import Release
from broker.batches.rows.running import RunRows
from broker.batches.rows.tending import Tend
from broker.batches.shard import ROWS, Shard
from broker.batches.store import Batches
from broker.errors import NotFound
from broker.jobs.accepting import Acceptance, Caller
from broker.jobs.exporting import Export
from broker.jobs.head import Head, Status
from broker.jobs.request import JobRequest
from broker.jobs.store import Jobs, Look

from tests.fakes.batches import FakeBatchWorkflows, FakeShards
from tests.fakes.database import FakeDatabase
from tests.fakes.world import BASE_URL, HOUR, NOW, SECOND, a_head

BATCH = "batch_0193a000000070008000000000000001"
TOKEN = "token"  # noqa: S105 - of a workflow

BAD = 1_000
"""Each row of so many is no request."""

PART = 1 << 20
"""Bytes that objects are read by."""


@dataclass(slots=True)
class MadeRows:
    """See `broker.batches.ports.RowBytes`: rows of one width, made as they are read."""

    rows: int
    width: int

    def pieces(self, where: dict[str, Any], offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """See `RowBytes.pieces`."""
        end = self.size(where) if length is None else offset + length
        while offset < end:
            row, inside = divmod(offset, self.width)
            last = min(row + PART // self.width + 1, -(-end // self.width), self.rows)
            piece = b"".join(self._row(each) for each in range(row, last))
            piece = piece[inside : inside + end - offset]
            yield piece
            offset += len(piece)

    def lines(self, where: dict[str, Any], offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """See `RowBytes.lines`."""
        for piece in self.pieces(where, offset, length):
            yield from piece.splitlines(keepends=True)

    def size(self, where: dict[str, Any]) -> int:
        """See `RowBytes.size`."""
        return self.rows * self.width

    def write(self, batch_id: str, name: str, parts: Iterable[bytes]) -> dict[str, Any]:
        """See `RowBytes.write`; nothing here is converted."""
        raise NotImplementedError

    def _row(self, number: int) -> bytes:
        request = {"custom_id": f"r-{number:07}", "input": {"text": ""}}
        line = json.dumps(request).encode()
        text = b"x" * (self.width - 1 - len(line))
        line = line[:-3] + text + line[-3:]
        return (b"{" * (self.width - 1) if number % BAD == BAD - 1 else line) + b"\n"


@dataclass(slots=True)
class DiskResults:
    """See `broker.batches.ports.Results`."""

    folder: Path

    def keep(self, batch_id: str, shard: int, kind: ResultKind, parts: Iterable[bytes]) -> None:
        """See `Results.keep`."""
        with self._path(shard, kind).open("wb") as file:
            file.writelines(parts)

    def parts(
        self, batch_id: str, shards: int, kind: ResultKind, since: tuple[int, int] = (0, 0)
    ) -> Iterator[tuple[int, bytes]]:
        """See `Results.parts`."""
        for shard in range(since[0], shards):
            with self._path(shard, kind).open("rb") as file:
                file.seek(since[1] if shard == since[0] else 0)
                while part := file.read(PART):
                    yield shard, part

    def forget(self, batch_id: str, shards: int) -> None:
        """See `Results.forget`."""
        for path in self.folder.iterdir():
            path.unlink()

    def forget_rows(self, batch_id: str, places: Iterable[dict[str, Any]]) -> None:
        """See `Results.forget_rows`."""

    def _path(self, shard: int, kind: ResultKind) -> Path:
        return self.folder / f"{shard:06}.{kind}"


@dataclass(slots=True)
class CheckedFiles:
    """See `broker.batches.results.assembling.Files`, `WriteFile`: what is written is looked through, and not kept."""

    lines: dict[str, int] = field(default_factory=dict)
    size: int = 0
    """Bytes of all."""
    is_in_order: bool = True

    def place(self, tenant: str, name: str, made_at: int, until: int) -> Any:
        """See `Files.place`."""
        return _Place(name)

    def create(self, place: Any, filename: str, purpose: str, now: int) -> Any:
        """See `Files.create`."""
        return place

    def __call__(
        self, bucket: str, key: str, source: Source, batch_id: str, so_far: Any = None, time_left: Any = None
    ) -> None:
        """See `WriteFile`."""
        last, rest, count = 0, b"", 0
        for part, _following in source.pieces(lambda number: PART):
            *whole, rest = (rest + part).split(b"\n")
            for line in whole:
                number = int(line[len(b'{"line":') : line.index(b",")])
                self.is_in_order = self.is_in_order and number > last
                last, count = number, count + 1
            self.size += len(part)
        self.lines[key.rpartition("/")[2]] = count


@dataclass(frozen=True, slots=True)
class _Place:
    key: str
    bucket: str = "payloads"

    @property
    def id(self) -> str:
        return f"file-{self.key}"


@dataclass
class Crowd:
    """A batch of some rows, and all that runs it."""

    rows: int
    width: int
    folder: Path
    answer: str = "An answer of some length, as models give it. " * 5
    twice: float = 0.05
    """The part of messages that are delivered twice."""
    database: FakeDatabase = field(default_factory=FakeDatabase)
    shards: FakeShards = field(default_factory=FakeShards)
    workflows: FakeBatchWorkflows = field(default_factory=FakeBatchWorkflows)
    files: CheckedFiles = field(default_factory=CheckedFiles)
    heads: dict[str, Head] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    now: int = NOW
    accepted: int = 0

    def __post_init__(self) -> None:
        self.batches = Batches(self.database)
        made, jobs = MadeRows(self.rows, self.width), _Jobs(self)
        release, results = Release(self.batches, self.shards), DiskResults(self.folder)
        duplicates = Duplicates(self.database, self.batches)
        tell = Tell(self.batches, lambda kind, detail: self.told.append(kind), _deliver, BASE_URL)
        self.count = Count(self.batches, self.shards)
        accept: Any = self._accept
        run_rows = RunRows(self.batches, duplicates, made, jobs, accept, self.shards)
        export = Export(_Answers(self.answer), BASE_URL)  # type: ignore[arg-type]  # no more of it is used
        collect = Collect(self.batches, self._look, export, results, made)
        fold = Fold(self.batches, jobs, duplicates, collect, _never, release, self.shards, tell)
        self.plan = Plan(self.batches, made)
        self.run = Run(release, self.shards)
        self.tend = Tend(self.batches, run_rows, self._folding(fold), self.workflows, tell)
        self.assemble = Assemble(self.batches, results, self.files, self.files, "outbox")

    def __call__(self) -> Batch:
        """Run it from its rows to its files."""
        where = {"kind": "object", "bucket": "inbox", "key": "acme/rows.jsonl", "etag": "e", "version": "v"}
        self.batches.create(Batch(BATCH, "acme", "key:1", NOW, NOW // SECOND + KEEP_S, NOW + 24 * HOUR, where))
        while self.plan(BATCH, lambda: self.now, lambda: True)["more"]:
            pass
        self.workflows.waiting.add(TOKEN)
        self.run(BATCH, TOKEN, self.now)
        chance = Random(7)  # noqa: S311 - to be the same each time
        while self.shards.sent:
            batch_id, shard = self.shards.sent.pop(0)
            self.now += SECOND
            for _ in range(1 + (chance.random() < self.twice)):
                self.tend({"batch_id": batch_id, "shard": shard}, lambda: self.now)
        self.assemble(BATCH, lambda: self.now)
        return self.batches.get(BATCH)

    def _accept(self, request: JobRequest, caller: Caller, now: int, job_id: str = "") -> Acceptance:
        self.accepted += 1
        call = {"m": "small", "r": 9, "a": now, "o": "succeeded", "c": 1_200_000, "p": "yes"}
        head = a_head(
            **{"id": job_id, "status": Status.SUCCEEDED, "batch": caller.batch, "row": caller.row, "line": caller.line},
            **{"calls": {"1.1": call}, "usage": {"input_tokens": 1_000, "output_tokens": 300}, "output": "OUTPUT#1.1"},
        )
        self.heads[job_id] = head
        self.count(head, now)
        return Acceptance(head, repeated=False)

    def _look(self, job_id: str) -> Look | None:
        head = self.heads.get(job_id)
        return Look(head, {}, None) if head else None

    def _folding(self, fold: Fold) -> Callable[[Batch, Shard, int], None]:
        def folded(batch: Batch, shard: Shard, now: int) -> None:
            fold(batch, shard, now)
            if shard.number not in self.batches.get(batch.id).open:
                done = range(shard.first_row, shard.first_row + ROWS)
                self.heads = {key: head for key, head in self.heads.items() if head.row not in done}

        return folded


class _Jobs(Jobs):
    def __init__(self, crowd: Crowd) -> None:
        super().__init__(crowd.database, ())
        self._crowd = crowd

    def find(self, job_id: str) -> Head | None:
        return self._crowd.heads.get(job_id)

    def get(self, job_id: str) -> Head:
        head = self.find(job_id)
        if head is None:
            raise NotFound(job_id)
        return head


class _Answers:
    def __init__(self, text: str) -> None:
        self._answer = {"text": text}

    def plain_json(self, job_id: str, name: str, item: Any = None) -> None:
        return None

    def load(self, job_id: str, name: str, item: Any = None) -> Any:
        return self._answer


def _deliver(owner: str, tenant: str, expires_at: int, name: str, now: int, facts: dict[str, Any]) -> None:
    raise AssertionError(name)  # nobody asked for webhooks


def _never(batch: Batch, shard: Shard, now: int) -> None:
    raise AssertionError(batch.id)
