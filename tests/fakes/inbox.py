"""The door for files in memory: what splits, counts and collects, each as a fresh process builds it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from broker.batches.documents.recipes import Recipes
from broker.batches.documents.submitting import SubmitDocument
from broker.batches.rows.tries import LINE_S
from broker.batches.store import Batches
from broker.delivery.publishing import HeadChange, Publish
from broker.documents.document import Document
from broker.inbox.collecting import Collect
from broker.inbox.counting import Count
from broker.inbox.file_work import FileWork
from broker.inbox.lines import TakeLines
from broker.inbox.reading import ReadDocument
from broker.inbox.recipes import RECIPE, ReadForRecipe, TakeDocument
from broker.inbox.splitting import Split, Taken
from broker.jobs.head import Head, Status
from broker.jobs.transitions import Outcome, finish
from broker.tenants.applications import Applications
from broker.tenants.registry import Tenants

from tests.fakes.batches import FakeBatchWorkflows, batch_room
from tests.fakes.bus import FakeBus
from tests.fakes.files import FakeCollects, FakeInbox, FakeOutbox, FakeReadings
from tests.fakes.queue import FakeDeliveries
from tests.fakes.world import BASE_URL, NOW, World, a_model

PROMPT = {"pk": "PROMPT#summarize", "sk": "LATEST", "user": "Summarize:\n{{document}}"}


def chat(text: str) -> dict[str, Any]:
    """The body of a small job."""
    return {"input": {"text": text}}


def jsonl(*bodies: Any) -> str:
    """A file of lines; texts stand as they are."""
    return "\n".join(body if isinstance(body, str) else json.dumps(body) for body in bodies)


@dataclass
class Files:
    """The use cases and all they touch."""

    world: World = field(default_factory=World)
    inbox: FakeInbox = field(default_factory=FakeInbox)
    outbox: FakeOutbox = field(default_factory=FakeOutbox)
    collects: FakeCollects = field(default_factory=FakeCollects)
    readings: FakeReadings = field(default_factory=FakeReadings)
    bus: FakeBus = field(default_factory=FakeBus)
    workflows: FakeBatchWorkflows = field(default_factory=FakeBatchWorkflows)
    failed: list[tuple[int, str]] = field(default_factory=list)
    line_s: float = LINE_S

    def __post_init__(self) -> None:
        self.world.register(a_model("small"), PROMPT)
        self.world.tenant()

    @property
    def documents(self) -> TakeDocument:
        """Takes documents for which there are recipes."""
        submit = SubmitDocument(Batches(self.world.database), self.workflows, lambda model, now: (None, None))
        database = self.world.database
        room, member_of = batch_room(database), Applications(database).member
        return TakeDocument(Recipes(database), self.readings, submit, room, member_of)

    @property
    def count(self) -> Count:
        """Counts lines."""
        return Count(self.world.database, self.collects)

    def split(self, event: dict[str, Any], now: int = NOW) -> Taken | None:
        """Take a file."""
        world, tenant_of = self.world, Tenants(self.world.database).get
        accept, tell, failed = world.accepting(), self.bus.put_one, self.failed
        split = Split(
            *(
                world.database,
                self.inbox,
                self.outbox,
                tenant_of,
                accept,
                self.count,
                tell,
                self.collects,
                self.readings,
                self.documents,
                TakeLines(Batches(world.database), self.workflows, batch_room(world.database)),
            ),
            lambda batch_id, line, error: failed.append((line, type(error).__name__)),
            self.line_s,
            Applications(world.database).member,
        )
        return split(event, lambda: now)

    def go_on(self, now: int = NOW) -> int:
        """Take what was left to later messages, and what those leave; gives the seconds that it waited."""
        waited = 0
        while self.collects.later:
            event, delay_s = self.collects.later.pop(0)
            waited += delay_s
            self.split(event, now + waited * 1000)
        return waited

    def read(self, answer: Callable[[Path, str], Document]) -> None:
        """Read the documents that are asked for, as another function does."""
        use_case = ReadDocument(self.inbox, self.readings, answer, self.collects.again)
        while self.readings.asked:
            event, _ = self.readings.asked.pop(0)
            use_case(event)

    def read_for_recipe(self, answer: Callable[..., Document]) -> None:
        """Read the documents that are asked for, for their recipes."""
        use_case = ReadForRecipe(self.inbox, self.readings, answer, self.collects.again)
        while self.readings.asked:
            event, _ = self.readings.asked.pop(0)
            assert RECIPE in event
            use_case(event)

    def taken(self, key: str, data: bytes | str, now: int = NOW) -> Taken:
        """Put a file and take it."""
        taken = self.split(self.inbox.put(key, data), now)
        assert taken is not None
        return taken

    def collect(self, batch_id: str, now: int = NOW) -> FileWork | None:
        """Collect a batch."""
        world = self.world
        return Collect(world.database, world.jobs, world.payloads, self.outbox, BASE_URL, self.bus.put_one)(
            batch_id, now
        )

    def batch(self, batch_id: str) -> FileWork:
        """The record."""
        found = FileWork.load(self.world.database, batch_id)
        assert found is not None
        return found

    def jobs(self, batch_id: str) -> list[Head]:
        """The jobs of a batch, by line; as the table has them, whatever the batch knows."""
        heads = {after["pk"]: Head.from_item(after) for _, after in self.world.database.stream}
        return sorted((head for head in heads.values() if head.batch == batch_id), key=lambda head: head.line or 0)

    def end(self, head: Head, status: Status = Status.SUCCEEDED, text: str = "Fine.") -> HeadChange:
        """End a job; gives the change that the stream tells of."""
        self.world.payloads.save(head, "OUTPUT#1.1", {"text": text})
        output = "OUTPUT#1.1" if status is Status.SUCCEEDED else None
        ended = self.world.jobs.change(head.id, lambda now: finish(now, Outcome(status, output=output), now=NOW + 9))
        return HeadChange(f"s-{head.id}", head, ended)

    def publish(self, *changes: HeadChange) -> str | None:
        """What the stream sets off."""
        world = self.world
        publish = Publish(
            world.database, world.jobs, FakeBus(), FakeDeliveries(), BASE_URL, lambda head: None, self.count
        )
        return publish(changes, NOW)

    def finish(self, batch_id: str) -> None:
        """End all jobs of a batch, and tell of it."""
        self.publish(*(self.end(head) for head in self.jobs(batch_id) if not head.status.terminal))

    def rows(self, key: str) -> list[dict[str, Any]]:
        """The lines of a file in the outbox."""
        return [json.loads(line) for line in self.outbox.objects[key].splitlines()]
