"""The door for batches in memory, as a fresh process builds it."""

from dataclasses import dataclass, field
from typing import Any

from broker.batches.asking.estimating import EstimateBatch
from broker.batches.asking.request import BatchRequest
from broker.batches.asking.sampling import Sampling
from broker.batches.asking.submitting import Found, Submit
from broker.batches.batch import Batch
from broker.batches.flow.stopping import Stops
from broker.batches.rows.releasing import Release
from broker.batches.store import Batches
from broker.batches.viewing import ShowBatch
from broker.bulk.asking import AskForBulk
from broker.bulk.record import Bulks
from broker.delivery.delivering import Deliver
from broker.delivery.sending import Sent
from broker.errors import NotFound
from broker.files.keeping import Files
from broker.jobs.accepting import Caller
from broker.rest.batches import BatchDoor
from broker.rest.bulk import BulkDoor
from broker.steps.estimating import EstimateJob
from broker.tenants.registry import Tenant, Tenants

from tests.fakes.batches import FakeBatchWorkflows, FakeRowBytes, FakeShards, batch_room
from tests.fakes.circuits import FakeCircuits
from tests.fakes.queue import FakeDeliveries
from tests.fakes.world import INBOX, World


@dataclass(slots=True)
class FakeFinds:
    """See `broker.batches.asking.submitting.Finds`: what lies in the inbox, and files by tenant and id."""

    rows: FakeRowBytes
    files: dict[tuple[str, str], Found] = field(default_factory=dict)
    uploads: Files | None = None
    """Files that came by their own door, where there is one."""
    looked_at: list[str] = field(default_factory=list)

    def object(self, bucket: str, key: str) -> Found | None:
        """See `Finds.object`."""
        self.looked_at.append(key)
        data = self.rows.objects.get(key)
        return None if data is None else Found(bucket, key, "e", "v1", len(data))

    def file(self, tenant: str, file_id: str, now: int) -> Found:
        """See `Finds.file`."""
        if self.uploads:
            record = self.uploads.open(tenant, file_id, now, "input_file_id")
            self.rows.objects[record.key] = self.uploads.bucket.objects[record.key]  # type: ignore[attr-defined]
            return Found(record.bucket, record.key, "e", None, record.bytes)
        if (tenant, file_id) not in self.files:
            raise NotFound("There is no such file.", param="input_file_id")
        return self.files[tenant, file_id]

    def put(self, key: str, data: bytes) -> str:
        """Put an object into the inbox; gives its address."""
        self.rows.objects[key] = data
        return f"s3://{INBOX}/{key}"

    def put_file(self, tenant: str, file_id: str, data: bytes) -> str:
        """Upload a file; gives its id."""
        key = f"files/{tenant}/{file_id}"
        self.rows.objects[key] = data
        self.files[tenant, file_id] = Found("payloads", key, "e", None, len(data))
        return file_id


@dataclass
class BatchWorld:
    """What the door for batches touches."""

    world: World
    rows: FakeRowBytes = field(default_factory=FakeRowBytes)
    workflows: FakeBatchWorkflows = field(default_factory=FakeBatchWorkflows)
    shards: FakeShards = field(default_factory=FakeShards)
    links: dict[tuple[str, str], str] = field(default_factory=dict)
    erased: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    finds: FakeFinds = field(init=False)
    batch_price: int | None = None
    """Nano-dollars of a call, by the batch price of every provider."""

    def __post_init__(self) -> None:
        self.finds = FakeFinds(self.rows)

    def check_names(self, request: BatchRequest, caller: Caller, tenant: Tenant, now: int) -> None:
        """As `bootstrap.batch_door` does, of prompts alone."""
        if request.prompt:
            self.world.prompts().check(request.prompt.model_dump(exclude_none=True), now)

    def submit(self) -> Submit:
        """The use case."""
        world = self.world
        return Submit(
            Batches(world.database),
            Tenants(world.database).get,
            self.finds,
            self.rows,
            self.workflows,
            lambda url: world.check_webhook(url),
            self.check_names,
            INBOX,
            batch_room(world.database),
            lambda batch, error: self.lost.append(batch.id),
        )

    def redeliver(self, batch_id: str, now: int) -> list[str]:
        """Send its webhooks once more."""
        world = self.world
        send: Any = lambda *what: Sent(204, None, None, 1)  # noqa: E731
        return Deliver(world.database, world.jobs, FakeDeliveries(), send, lambda note, sent: None).redeliver(
            batch_id, now
        )

    def bulk(self) -> BulkDoor:
        """The use cases behind the routes of bulk operations."""
        bulks = Bulks(self.world.database)
        return BulkDoor(bulks, AskForBulk(bulks, Batches(self.world.database), self.shards))

    def door(self) -> BatchDoor:
        """The routes' use cases."""
        world = self.world
        batches = Batches(world.database)
        quote = EstimateJob(world.preparing(), FakeCircuits(), world.check_webhook)

        def link(batch: Batch, kind: str, now: int) -> str | None:
            return self.links.get((batch.id, kind))

        def erase(batch: Batch, now: int) -> None:
            self.erased.append(batch.id)

        price: Any = lambda model, tokens_in, tokens_out, now: self.batch_price  # noqa: E731
        estimate = EstimateBatch(self.submit(), Sampling(self.rows), quote, price, lambda: 10)
        return BatchDoor(
            *(batches, self.submit(), estimate, Stops(Release(batches, self.shards))),
            *(lambda base_url: ShowBatch(batches, base_url), link, erase, self.redeliver),
        )
