"""Batches in memory from their rows on: what plans, runs and tends, each as a fresh process builds it."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from broker.batches.batch import KEEP_S, LOOK_MS, Batch
from broker.batches.flow.steering import Expire, GiveUp, Run
from broker.batches.rows.duplicates import Duplicates
from broker.batches.rows.planning import EVERY, Most, Plan
from broker.batches.rows.releasing import Release
from broker.batches.rows.running import RunRows, asks_for
from broker.batches.rows.tending import Tend
from broker.batches.rows.tries import LINE_S
from broker.batches.shard import Shard, place_of_row
from broker.batches.store import Batches
from broker.errors import NotFound
from broker.jobs.accepting import as_asked
from broker.jobs.head import Head
from broker.jobs.request import JobRequest, stored_form
from broker.tenants.registry import Tenants

from tests.fakes.batches import FakeBatchWorkflows, FakeRowBytes, FakeShards
from tests.fakes.world import HOUR, NOW, SECOND, World, a_model

TOKEN = "token-1"  # of a workflow


def chat(text: str, **more: Any) -> dict[str, Any]:
    """The body of a small job."""
    return {"input": {"text": text}, **more}


def jsonl(*rows: Any) -> bytes:
    """A file of rows; texts and bytes stand as they are."""
    lines = [
        row if isinstance(row, bytes) else (row if isinstance(row, str) else json.dumps(row)).encode() for row in rows
    ]
    return b"\n".join(lines) + b"\n"


@dataclass
class Rows:
    """The use cases and all they touch."""

    world: World = field(default_factory=World)
    rows: FakeRowBytes = field(default_factory=FakeRowBytes)
    shards: FakeShards = field(default_factory=FakeShards)
    workflows: FakeBatchWorkflows = field(default_factory=FakeBatchWorkflows)
    failed: list[tuple[int, str]] = field(default_factory=list)
    line_s: float = LINE_S
    most: Most = EVERY
    now: int = NOW
    fold: Callable[[Batch, Shard, int], object] = lambda batch, shard, now: None
    tell: Callable[[Batch, Shard | None, int], object] = lambda batch, shard, now: None

    def __post_init__(self) -> None:
        self.world.register(a_model("small"))
        self.world.tenant()

    @property
    def batches(self) -> Batches:
        """The records."""
        return Batches(self.world.database)

    @property
    def release(self) -> Release:
        """Releasing shards."""
        return Release(self.batches, self.shards)

    def put(self, data: bytes, batch_id: str = "batch_1", tenant: str = "acme", **changes: Any) -> str:
        """A batch of a file; gives its id."""
        key = f"{tenant}/{batch_id}.jsonl"
        self.rows.objects[key] = data
        source = {"kind": "object", "bucket": "inbox", "key": key, "etag": "e", "version": "v1"}
        known: dict[str, Any] = {"ends_at": NOW + 24 * HOUR, "source": source, "due_at": NOW + LOOK_MS}
        kept = NOW // SECOND + KEEP_S
        self.batches.create(Batch(batch_id, tenant, "key:1", NOW, kept, **{**known, **changes}))
        return batch_id

    def plan(self, batch_id: str = "batch_1", time_left: Callable[[], bool] = lambda: True) -> dict[str, Any]:
        """Plan a batch, as far as there is time."""
        plan = Plan(self.batches, self.rows, self.most, check_columns=self.check_columns, most_tokens=self.most_tokens)
        return plan(batch_id, lambda: self.now, time_left)

    def most_tokens(self, tenant: str, now: int) -> int | None:
        """By the tenant's entry."""
        return Tenants(self.world.database).get(tenant, now).enqueued_batch_tokens

    def check_columns(self, prompt: dict[str, Any], names: Sequence[str]) -> None:
        """Hold the columns of a CSV against a prompt, as `bootstrap.batching` does."""
        with suppress(NotFound):
            self.world.prompts().check_columns(prompt, names, self.now)

    def run(self, batch_id: str = "batch_1", token: str = TOKEN) -> None:
        """Let its rows run, for a workflow that waits."""
        self.workflows.waiting.add(token)
        Run(self.release, self.shards)(batch_id, token, self.now)

    def expire(self, batch_id: str = "batch_1") -> dict[str, Any]:
        """The end of its time."""
        return Expire(self.release)(batch_id, self.now)

    def give_up(self, batch_id: str = "batch_1") -> None:
        """The end of a batch that cannot be finished."""
        GiveUp(self.batches)(batch_id, self.now)

    def tend(self, message: dict[str, Any], time_left: Callable[[], bool] = lambda: True) -> None:
        """Tend a shard."""
        world = self.world
        run_rows = RunRows(
            *(self.batches, Duplicates(world.database, self.batches), self.rows),
            *(world.jobs, world.accepting(), self.shards),
            lambda batch_id, row, error: self.failed.append((row, type(error).__name__)),
            self.line_s,
            self.worst,
        )
        tend = Tend(self.batches, run_rows, self.fold, self.workflows, self.tell)
        tend(message, lambda: self.now, time_left)

    def worst(self, request: JobRequest, batch: Batch, now: int, known: Mapping[str, Any]) -> int:
        """What a row may cost."""
        asked = as_asked(stored_form(request), asks_for(batch, known))
        return self.world.preparing().quote(batch.tenant, asked, now)[1]

    def tend_all(self) -> int:
        """Tend whatever was sent, and what is sent by that; gives the seconds that messages waited."""
        waited = 0
        while self.shards.sent or self.shards.later:
            if self.shards.sent:
                batch_id, shard = self.shards.sent.pop(0)
                self.tend({"batch_id": batch_id, "shard": shard})
                continue
            message, delay_s = self.shards.later.pop(0)
            waited += delay_s
            self.now += delay_s * SECOND
            self.tend(message)
        return waited

    def batch(self, batch_id: str = "batch_1") -> Batch:
        """The record."""
        return self.batches.get(batch_id)

    def all_shards(self, batch_id: str = "batch_1") -> list[Shard]:
        """Those that are laid out."""
        return [self.batches.shard(batch_id, number) for number in range(self.batch(batch_id).shards)]

    def jobs(self, batch_id: str = "batch_1") -> list[Head]:
        """The jobs of a batch, by row, as the table has them."""
        heads = [Head.from_item(after) for _, after in self.world.database.stream]
        latest = {head.id: head for head in heads if head.batch == batch_id}
        return sorted(latest.values(), key=lambda head: head.row or 0)

    def asked(self, head: Head) -> str:
        """The text that a job was made of."""
        return str(self.world.prompt(head.id)["text"])

    def errors(self, batch_id: str = "batch_1") -> dict[int, str]:
        """Codes of the errors of rows that became no jobs, by row."""
        shards = self.all_shards(batch_id)
        return {
            shard.first_row + place: item["error"]["code"]
            for shard in shards
            for place, item in self.batches.rows_apart(batch_id, shard.number).items()
            if "error" in item
        }

    def ends(self, batch_id: str = "batch_1") -> dict[int, str]:
        """How rows have ended, by row."""
        return {
            shard.first_row + place: end.status
            for shard in self.all_shards(batch_id)
            for place, end in sorted(shard.ends.items())
        }

    def shard_of(self, row: int, batch_id: str = "batch_1") -> Shard:
        """The shard of a row."""
        return self.batches.shard(batch_id, place_of_row(row)[0])
