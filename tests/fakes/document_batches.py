"""Documents in memory from what was read of them on: each stage is planned, run, answered, counted and folded."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from broker.batches.batch import Batch
from broker.batches.documents.children import Children
from broker.batches.documents.covering import Covering
from broker.batches.documents.recipes import Recipes
from broker.batches.documents.submitting import PlanDocument, SubmitDocument
from broker.batches.results.collecting import Collect
from broker.batches.rows.planning import Plan
from broker.batches.shard import RowEnd, Shard
from broker.batches.viewing import ShowBatch
from broker.cloud.media import pin_pages
from broker.documents.reading import Reading
from broker.jobs.exporting import Export
from broker.jobs.head import Head, Status
from broker.jobs.transitions import Outcome, finish
from broker.registry.applying import apply
from broker.registry.document import parse_registry

from tests.fakes.batch_rows import Rows
from tests.fakes.batches import FakeResults
from tests.fakes.files import FakeOutbox, FakeReadings
from tests.fakes.world import BASE_URL, NOW, a_model

DOCUMENT_ID = "batch_1"
KEY = "acme/sums/report.pdf"

Said = str | dict[str, Any] | Status
"""What a model says: a text, an object, or how its job ends otherwise."""


class Output(dict[str, Any]):
    """All that a model gives, as its job keeps it."""


@dataclass
class Documents(Rows):
    """The use cases of documents and all they touch."""

    readings: FakeReadings = field(default_factory=FakeReadings)
    outbox: FakeOutbox = field(default_factory=FakeOutbox)
    results: FakeResults = field(default_factory=FakeResults)
    says: Callable[[Head, str], Said] = lambda head, text: "Fine."
    """Answers a child, of which it gets the head and all that the model reads."""
    cost: int = 10
    children_jobs: Any = None
    """What reads the jobs of children; the world's unless a test looks at it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.fold = self._fold
        self.world.register(a_model("reader", tasks=["extract_text"], context_window=1_000_000))

    def register(self, *recipes: dict[str, Any], prompts: list[dict[str, Any]] | None = None, **more: Any) -> None:
        """Register recipes, and the prompts that they name."""
        asks = prompts or [
            {"id": "ask", "user": "Sum up: {{document}}"},
            {"id": "join", "user": "Put together: {{answers}}"},
        ]
        document = parse_registry({"prompts": asks, "recipes": list(recipes), **more})
        apply(self.world.registry(), document, by="tests", now=NOW)

    def submit(self, reading: Reading, recipe_id: str = "sums", batch_id: str = DOCUMENT_ID) -> Batch:
        """Take a document that was read."""
        offered = Recipes(self.world.database).find(recipe_id, self.now)
        assert offered is not None
        self.readings.kept[batch_id] = json.loads(json.dumps({"text": "", "error": None, "reading": reading.facts()}))
        source = {"bucket": "inbox", "key": KEY, "etag": "e", "version": "v1"}
        take = SubmitDocument(self.batches, self.workflows, lambda model, now: (None, None))
        return take(batch_id, "acme", "s3:inbox", offered.recipe, source, self.now)

    def plan_document(
        self, batch_id: str = DOCUMENT_ID, time_left: Callable[[], bool] = lambda: True
    ) -> dict[str, Any]:
        """Go on with a document, as a fresh process does."""
        plan = Plan(self.batches, self.rows, self.most)
        children = Children(self.batches, self.children_jobs or self.world.jobs, self.world.payloads)
        recipes = Recipes(self.world.database)
        use_case = PlanDocument(
            *(self.batches, self.rows, plan, children, self.readings, recipes, self.outbox, self.results),
            partial(pin_pages, self.world.payloads),
            Covering(self.worst, self.world.preparing().check_covers),
        )
        try:
            return use_case(batch_id, lambda: self.now, time_left)
        finally:
            for key in self.results.forgotten:
                self.rows.objects.pop(key, None)

    def live(self, batch_id: str = DOCUMENT_ID) -> dict[str, Any]:
        """Run a document to its end; gives its result."""
        while not self.plan_document(batch_id)["is_over"]:
            self.stage(batch_id)
        return self.result(batch_id)

    def stage(self, batch_id: str = DOCUMENT_ID) -> None:
        """Run the stage that is planned: each of its rows becomes a job, and each job ends."""
        self.run(batch_id)
        self.tend_all()
        self.answer(batch_id)

    def answer(self, batch_id: str = DOCUMENT_ID) -> None:
        """End all jobs of a document that have not, and tell of all, as the stream does until it was heard."""
        for head in self.jobs(batch_id):
            if not head.status.terminal:
                head = self.end(head)
            shard = self.batches.end_row(batch_id, head.row or 0, RowEnd(head.status.value, self.cost))
            if shard and shard.is_turning:
                self.shards.send(batch_id, head.tenant, [shard.number])
        self.tend_all()

    def end(self, head: Head) -> Head:
        """End one job."""
        said = self.says(head, self.text_of(head))
        status = said if isinstance(said, Status) else Status.SUCCEEDED
        output = None
        if not isinstance(said, Status):
            output = "OUTPUT#1.1"
            document = {"text": said} if isinstance(said, str) else {"text": json.dumps(said), "json": said}
            document = dict(said) if isinstance(said, Output) else document
            self.world.payloads.save(head, output, document)
        error = None if output else {"type": "x", "code": "no_model", "message": "No."}
        outcome = Outcome(status, output=output, error=error)
        return self.world.jobs.change(head.id, lambda now_is: finish(now_is, outcome, now=self.now))

    def text_of(self, head: Head) -> str:
        """All that a child's model reads."""
        given = self.world.prompt(head.id)
        return "\n".join(str(message["content"]) for message in given.get("messages", ()))

    def shown(self, batch_id: str = DOCUMENT_ID) -> dict[str, Any]:
        """The document as the API shows it."""
        return ShowBatch(self.batches, BASE_URL)(self.batch(batch_id), self.now)

    def result(self, batch_id: str = DOCUMENT_ID) -> dict[str, Any]:
        """What is in the outbox."""
        found: dict[str, Any] = json.loads(self.outbox.objects[self.batch(batch_id).output["result_key"]])
        return found

    def _fold(self, batch: Batch, shard: Shard, now: int) -> None:
        world = self.world
        collect = Collect(self.batches, world.jobs.look, Export(world.payloads, BASE_URL), self.results, self.rows)
        if shard.is_over and shard.number in batch.open:
            ended = collect(batch, shard, now)
            self.release(batch.id, lambda now_is: now_is.fold(shard.number, ended.sums, now), now)
