"""Batches of OpenAI's clients in memory: the REST door over HTTP, and all that makes rows jobs and results."""

import json
from dataclasses import dataclass, field
from typing import Any

import openai
from broker.batches.results.assembling import Assemble
from broker.batches.results.pieces import Source
from broker.clock import now_ms
from broker.errors import BrokerError
from broker.jobs.store import REQUEST
from openai.types import Batch

from tests.fakes.batch_flow import Flow
from tests.fakes.batch_rows import jsonl
from tests.fakes.file_bucket import a_file_door
from tests.fakes.queue import FakeQueue
from tests.fakes.world import a_model
from tests.unit.doors.case import Answer, Json, a_door, end, says
from tests.unit.rest_door import Door

CHAT: Any = "/v1/chat/completions"
RESPONSES: Any = "/v1/responses"
EMBEDDINGS: Any = "/v1/embeddings"


def row(custom_id: Any, text: str = "Hello", url: str = CHAT, **body: Any) -> Json:
    """A row of a chat."""
    said = {"model": "small", "messages": [{"role": "user", "content": text}]} | body
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": said}


@dataclass
class Broker(Flow):
    """What becomes of batches that came by a door."""

    door: Door = field(default_factory=a_door)
    answer: Answer = field(default_factory=says)

    def __post_init__(self) -> None:
        self.world = self.door.world
        self.world.queue = FakeQueue()
        self.rows, self.shards, self.workflows = (
            self.door.batches.rows,
            self.door.batches.shards,
            self.door.batches.workflows,
        )
        super().__post_init__()
        self.world.register(a_model("small", capabilities=["json", "tools"]))
        self.now = now_ms()

    def end_all(self, batch_id: str = "batch_1", *_: Any) -> int:
        """End all jobs that have not ended, as they are answered."""
        heads = [head for head in self.jobs(batch_id) if not head.status.terminal]
        for head in heads:
            end(self.world, head, self.answer(self.world.payloads.load(head.id, REQUEST) or {}))
        return len(heads)

    def assemble(self, batch_id: str = "batch_1") -> None:
        """Put its results together, as files of the tenant."""
        files = a_file_door(self.world.database, self.door.bucket).files

        def write(
            bucket: str, key: str, source: Source, batch_id: str, so_far: Any = None, time_left: Any = None
        ) -> None:
            self.door.bucket.objects[key] = b"".join(piece.data for piece in source.pieces(lambda number: 1 << 20))

        Assemble(self.batches, self.results, files, write, "outbox")(batch_id, lambda: self.now)

    def run_all(self, batch_id: str) -> None:
        """All of a batch, as its workflow has it done."""
        self.plan(batch_id)
        self.run(batch_id)
        self.tend_all()
        self.finish(batch_id)

    def content(self, file_id: str | None) -> list[Json]:
        """The lines of a file of the tenant."""
        assert file_id
        return [json.loads(line) for line in self.door.bucket.objects[f"files/acme/{file_id}"].splitlines()]


def upload(client: openai.OpenAI, *rows: Any) -> str:
    """Upload a file of rows; gives its id."""
    return client.files.create(file=("rows.jsonl", jsonl(*rows)), purpose="batch").id


def create(client: openai.OpenAI, *rows: Any, endpoint: Any = CHAT, **more: Any) -> Batch:
    """A batch of a file of rows."""
    file_id = upload(client, *rows)
    return client.batches.create(input_file_id=file_id, endpoint=endpoint, completion_window="24h", **more)


def by_text(answers: dict[str, Json | BrokerError]) -> Answer:
    """Answers by the last word of what was asked; all else is answered as usual."""

    def answer(request: Json) -> Json | BrokerError | None:
        text = str(request["input"].get("messages", [{"content": ""}])[-1]["content"])
        return answers.get(text.split()[-1] if text else "", {"text": f"You said: {text}", "finish_reason": "stop"})

    return answer
