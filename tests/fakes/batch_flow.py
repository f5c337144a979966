"""Batches in memory from their rows to their results: all of `broker.batches`, as fresh processes build it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from broker.batches.batch import Batch
from broker.batches.flow.looking import LookAtBatch
from broker.batches.flow.stopping import Stops
from broker.batches.flow.telling import Tell, TellSoon
from broker.batches.results.assembling import Assemble
from broker.batches.results.collecting import Collect
from broker.batches.results.erasing import EraseBatch, EraseShard
from broker.batches.results.folding import Fold
from broker.batches.results.pieces import Place, Source
from broker.batches.rows.counting import Count
from broker.batches.rows.duplicates import Duplicates
from broker.batches.shard import Shard
from broker.delivery.publishing import HeadChange, Publish
from broker.delivery.starting import StartDelivery
from broker.jobs.erasing import erase
from broker.jobs.exporting import Export
from broker.jobs.head import Head, Status
from broker.jobs.transitions import Outcome, claim, finish
from broker.storage import Item

from tests.fakes.batch_rows import Rows
from tests.fakes.batches import FakeResults
from tests.fakes.bus import FakeBus
from tests.fakes.queue import FakeDeliveries
from tests.fakes.world import BASE_URL, SECOND


@dataclass(frozen=True, slots=True)
class FakePlace:
    """See `broker.files.keeping.Place`."""

    id: str
    bucket: str
    key: str


@dataclass(slots=True)
class FakeResultFiles:
    """See `broker.batches.results.assembling.Files` and `WriteFile`: what was written, by bucket and key."""

    objects: dict[tuple[str, str], bytes] = field(default_factory=dict)
    created: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By id, the name of the file and its key."""
    deleted: list[str] = field(default_factory=list)
    piece_bytes: int = 1 << 20
    sent: int = 0
    """Pieces that were sent."""
    under_way: dict[str, dict[int, bytes]] = field(default_factory=dict)
    uploaded: dict[tuple[str, str], str] = field(default_factory=dict)

    def place(self, tenant: str, name: str, made_at: int, until: int) -> FakePlace:
        """See `Files.place`."""
        return FakePlace(f"file-{name.replace('/', '-')}", "payloads", f"files/{tenant}/{name}")

    def create(self, place: FakePlace, filename: str, purpose: str, now: int) -> FakePlace:
        """See `Files.create`."""
        if ("payloads", place.key) not in self.objects:
            raise LookupError("nothing lies there")
        self.created[place.id] = (filename, place.key)
        return place

    def __call__(
        self,
        bucket: str,
        key: str,
        source: Source,
        batch_id: str,
        so_far: dict[str, Any] | None = None,
        time_left: Callable[[], bool] = lambda: True,
    ) -> dict[str, Any] | None:
        """See `WriteFile`."""
        if so_far and self.uploaded.get((bucket, key)) == so_far["id"]:
            return None
        if so_far is None or so_far["id"] not in self.under_way:
            so_far = {"id": f"upload-{len(self.under_way)}", "sent": 0, "following": {}}
            self.under_way[so_far["id"]] = {}
        parts, sent = self.under_way[so_far["id"]], so_far["sent"]
        for piece in source.pieces(lambda number: self.piece_bytes, sent, Place.of(so_far["following"])):
            parts[sent] = piece.data
            sent += 1
            self.sent += 1
            if not time_left():
                return {"id": so_far["id"], "sent": sent, "following": piece.following._asdict()}
        self.objects[bucket, key] = b"".join(parts[number] for number in range(sent))
        self.uploaded[bucket, key] = so_far["id"]
        return None

    def discard(self, batch: Batch) -> None:
        """Delete the files of a batch's results."""
        for name, file_id in batch.output.items():
            if name.endswith("_file_id"):
                self.deleted.append(file_id)


@dataclass
class Flow(Rows):
    """The use cases and all they touch."""

    results: FakeResults = field(default_factory=FakeResults)
    files: FakeResultFiles = field(default_factory=FakeResultFiles)
    bus: FakeBus = field(default_factory=FakeBus)
    deliveries: FakeDeliveries = field(default_factory=FakeDeliveries)
    seen: int = 0
    """Changes of heads that the stream has told of."""
    latest: dict[str, Head] = field(default_factory=dict)
    """The heads by the changes that were looked through."""
    looked: int = 0
    """So many of them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.fold = self._fold
        self.tell = lambda batch, shard, now: self.telling(batch, shard, now)

    def _fold(self, batch: Batch, shard: Shard, now: int) -> None:
        self.folding(batch, shard, now)

    @property
    def telling(self) -> Tell:
        """Telling of batches."""
        start = StartDelivery(self.world.database, self.deliveries)
        return Tell(self.batches, self.bus.put_one, start, BASE_URL)

    @property
    def folding(self) -> Fold:
        """Folding shards."""
        world, batches = self.world, self.batches
        export = Export(world.payloads, BASE_URL)
        collect = Collect(batches, world.jobs.look, export, self.results, self.rows)
        duplicates = Duplicates(world.database, batches)
        return Fold(batches, world.jobs, duplicates, collect, self.erase_shard, self.release, self.shards, self.telling)

    @property
    def erase_shard(self) -> EraseShard:
        """Erasing the jobs of a shard."""
        world = self.world

        def erase_job(head: Head) -> None:
            erase(world.jobs, world.payloads, lambda job_id: None, lambda *turn: None, head)

        return EraseShard(world.jobs, erase_job, self.release)

    @property
    def count(self) -> Count:
        """Counting rows."""
        return Count(self.batches, self.shards)

    @property
    def stops(self) -> Stops:
        """Stopping batches."""
        return Stops(self.release)

    @property
    def look(self) -> LookAtBatch:
        """The sweep's look."""
        return LookAtBatch(self.batches, self.release, self.shards, self.workflows, self.telling)

    def erase(self, batch_id: str = "batch_1") -> None:
        """Erase a batch."""
        discard = self.files.discard
        EraseBatch(self.world.database, self.release, self.results, discard)(self.batch(batch_id), self.now)

    def assemble(self, batch_id: str = "batch_1") -> None:
        """Put its results together."""
        Assemble(self.batches, self.results, self.files, self.files, "outbox")(batch_id, lambda: self.now)

    def begin(self, data: bytes, **changes: Any) -> None:
        """Have a batch of a file run as far as its rows are jobs."""
        self.put(data, **changes)
        self.plan()
        self.run()
        self.tend_all()

    def jobs(self, batch_id: str = "batch_1") -> list[Head]:
        """The jobs of a batch, by row, as the table has them."""
        stream = self.world.database.stream
        self.latest |= {head.id: head for _, after in stream[self.looked :] if (head := Head.from_item(after))}
        self.looked = len(stream)
        return sorted((head for head in self.latest.values() if head.batch == batch_id), key=lambda head: head.row or 0)

    def claimed(self, head: Head) -> Head:
        """A queued job that runs."""
        return self.world.jobs.change(head.id, lambda now: claim(now, now=self.now, lease_ms=SECOND, by="m"))

    def end(self, head: Head, status: Status = Status.SUCCEEDED, text: str = "Fine.", cost: int = 3) -> Head:
        """End a job, with a call that cost something."""
        output = None
        if status is Status.SUCCEEDED:
            output = "OUTPUT#1.1"
            self.world.payloads.save(head, output, {"text": text})
        call = {"m": "small", "r": cost, "a": self.now, "o": "succeeded", "c": cost, "p": "yes"}
        outcome = Outcome(status, output=output, usage={"input_tokens": 2, "output_tokens": 1})

        def ended(before: Head) -> Head:
            return finish(before.next(calls={"1.1": call}), outcome, now=self.now)

        return self.world.jobs.change(head.id, ended)

    def end_all(self, batch_id: str = "batch_1", status: Status = Status.SUCCEEDED) -> int:
        """End all jobs that have not ended; gives how many."""
        heads = [head for head in self.jobs(batch_id) if not head.status.terminal]
        for head in heads:
            self.end(head, status, f"Answer to {self.asked(head)}")
        return len(heads)

    def publish(self, changes: list[tuple[Item | None, Item]] | None = None) -> str | None:
        """What the stream sets off: by what is new in it, or by some changes once more."""
        told = changes if changes is not None else self.world.database.stream[self.seen :]
        self.seen = len(self.world.database.stream) if changes is None else self.seen
        heads = [HeadChange(f"s-{place}", None, Head.from_item(after)) for place, (_, after) in enumerate(told)]
        ended = [change for change in heads if change.after.status.terminal]
        world = self.world
        publish = Publish(
            world.database, world.jobs, FakeBus(), FakeDeliveries(), BASE_URL, lambda head: None, self.count
        )
        return publish(ended, self.now)

    def finish(self, batch_id: str = "batch_1") -> None:
        """End all that is open until the batch is done, and have its end written and told, as its workflow does."""
        goes_on = True
        while goes_on:
            goes_on = self.end_all(batch_id) > 0
            self.publish()
            self.tend_all()
        self.close(batch_id)

    def close(self, batch_id: str = "batch_1") -> None:
        """The last steps of the workflow."""
        self.assemble(batch_id)
        TellSoon(self.batches, self.shards)(batch_id)
        self.tend_all()

    def lines(self, kind: str = "output", batch_id: str = "batch_1") -> list[dict[str, Any]]:
        """The lines of a file of its results."""
        found = self.files.objects.get(("payloads", f"files/acme/{batch_id}/{kind}"), b"")
        return [json.loads(line) for line in found.splitlines()]

    def told(self, kind: str) -> list[dict[str, Any]]:
        """The data of events of a type."""
        return [detail["data"] for each, detail in self._events() if each == kind]

    def _events(self) -> Iterator[tuple[str, dict[str, Any]]]:
        yield from self.bus.events
