"""Documents as batches: each stage of a recipe is some more rows, and when these have ended the next is asked for.

    document ──► reading ──► planning.next_step ──► rows of a stage ──► shards, jobs, counts, as of any batch
                                   ▲      │                                            │
                                   │      └──► result ──► outbox, end of the batch     │
                                   └──────────── what came of each row ◄───────────────┘

A row's number follows from its stage and its place there, and with it the id of its job: a stage that is asked for
twice makes no second job. Of two who plan the same stage, the one whose rows are named in the batch first is followed
by the other, whatever these say.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from broker.batches.batch import BEGUN_MS, BY_MEMBER, DOCUMENT, KEEP_S, Batch, is_document
from broker.batches.documents.children import Child, Children
from broker.batches.documents.earlier import Earlier, Kept, names_of
from broker.batches.documents.pages import KNOWN, LoadsPages, Pages, Pin
from broker.batches.documents.recipes import Recipes
from broker.batches.ports import BatchWorkflows, Results, RowBytes
from broker.batches.rows.planning import Plan, facts_of
from broker.batches.rows.sources import wrapped
from broker.batches.shard import ROWS
from broker.batches.store import Batches
from broker.clock import usd, uuid7_hex
from broker.documents.planning import Fit, next_step, with_file, with_scan
from broker.documents.reading import Reading
from broker.documents.recipe import Recipe
from broker.documents.steps import Final, Request, Stage


class Readings(Kept, LoadsPages, Protocol):
    """What was read of documents, until their batches end."""

    def load(self, batch_id: str) -> dict[str, Any] | None:
        """What was read, with `reading` (`documents.reading.Reading.facts`); None where it is not there."""
        ...

    def load_scan(self, batch_id: str, number: int) -> str:
        """A picture of a page, PNG in base64.

        Raises:
            NotFound: it is not there.
        """
        ...

    def forget(self, batch_id: str, scans: int = 0, gathered: int = 0, ended: Iterable[str] = ()) -> None:
        """Delete what was read, so many pictures and PDFs of pages, and what came of stages; may be repeated."""
        ...


class Outbox(Protocol):
    """The bucket that results go into."""

    def put(self, key: str, parts: Iterable[bytes], batch_id: str) -> None:
        """Write an object from its parts, over what was there before, as the result of a batch."""
        ...


@dataclass(frozen=True, slots=True)
class SubmitDocument:
    """Keeps a document's batch and starts its workflow; what a crash leaves between the two, the sweep starts."""

    batches: Batches
    workflows: BatchWorkflows
    fit_of: Callable[[str, int], tuple[int | None, str | None]]
    """Window and family of a model that a recipe names; None where that is not known before."""

    def __call__(
        self,
        batch_id: str,
        tenant: str,
        principal: str,
        recipe: Recipe,
        source: dict[str, Any],
        now: int,
        member: Mapping[str, Any] | None = None,
    ) -> Batch:
        """Take it; again changes nothing.

        Args:
            batch_id: the same for the same document.
            tenant: whose it is.
            principal: who brought it.
            recipe: the version that it goes by.
            source: the object: `bucket`, `key`, `etag`, `version`.
            now: milliseconds.
            member: as what who brought it asks (`permissions.who.Member.kept`).
        """
        window, family = self.fit_of(str(recipe.request.get("model", "auto")), now)
        about = {"recipe": recipe.id, "version": recipe.version, "size": recipe.size_for(window), "family": family}
        asked: dict[str, Any] = {
            DOCUMENT: {name: value for name, value in about.items() if value is not None},
            "output": {"kind": "outbox", "key": source["key"]},
        }
        if member:
            asked[BY_MEMBER] = dict(member)
        if recipe.max_cost is not None:
            asked["max_cost"] = recipe.max_cost
        if recipe.window is not None:
            asked["window"] = dict(recipe.window)
        if recipe.webhook is not None:
            asked["webhook"] = dict(recipe.webhook)
        if recipe.guardrails:
            asked["policies"] = list(recipe.guardrails)
        batch = Batch(
            id=batch_id,
            tenant=tenant,
            principal=principal,
            created_at=now,
            expires_at=now // 1000 + KEEP_S,
            ends_at=now + recipe.deadline_s * 1000,
            source={"kind": DOCUMENT, **source},
            asked=asked,
            due_at=now + BEGUN_MS,
        )
        kept = batch if self.batches.create(batch) else self.batches.get(batch_id)
        if not kept.status.terminal:
            self.workflows.start(batch_id)
        return kept


@dataclass(frozen=True, slots=True)
class PlanDocument:
    """Asks for a document's next stage, or writes its result. May stop anywhere and be repeated."""

    batches: Batches
    rows: RowBytes
    plan: Plan
    children: Children
    readings: Readings
    recipes: Recipes
    outbox: Outbox
    results: Results
    pin: Pin
    uncovered: Callable[[Batch, Stage, int], dict[str, str] | None] = lambda batch, stage, now: None
    """Why a stage is not begun that the tenant's budget does not cover (`covering.Covering`)."""

    def __call__(
        self, batch_id: str, clock: Callable[[], int], time_left: Callable[[], bool], *, may_wait: bool = False
    ) -> dict[str, Any]:
        """Go on with a document, as far as there is something to be done.

        Returns:
            As `planning.Plan`: `is_over` where it has ended, else there are rows to be run.

        Raises:
            Exception: of the cloud; the step should be repeated.
        """
        batch = self.batches.get(batch_id)
        if batch.status.terminal or (batch.is_planned and not batch.is_done):
            return facts_of(batch, clock())
        if batch.is_planned or not batch.stages:
            batch = self._go_on(batch, clock)
            if batch.status.terminal:
                return facts_of(batch, clock())
        return self.plan(batch_id, clock, time_left, may_wait=may_wait)

    def _go_on(self, batch: Batch, clock: Callable[[], int]) -> Batch:
        about = batch.asked[DOCUMENT]
        recipe = self.recipes.version(about["recipe"], int(about["version"]))
        facts = self.readings.load(batch.id)
        if facts is None:
            error = {"type": "gone", "code": "document_gone", "message": "What was read of the document is gone."}
            return self._end(batch, recipe, None, Final(error=error), list(self.children.by_stage(batch)), clock())
        earlier = Earlier.of(batch, self.children, self.readings)
        reading = Reading.of(facts["reading"])
        fit = Fit(int(about["size"]), about.get("family"))
        ended = [[child.ended for child in stage] for stage in earlier.stages]
        step = next_step(reading, recipe, fit, ended, stopped=batch.stop)
        if isinstance(step, Stage) and (refusal := self.uncovered(batch, step, clock())):
            step = Final(error=refusal)
        if isinstance(step, Final):
            stages = list(self.children.by_stage(batch)) if earlier.again else earlier.stages
            return self._end(batch, recipe, reading, step, stages, clock())
        earlier.keep(batch, self.readings)
        return self._begin(batch, step)

    @property
    def _pages(self) -> Pages:
        return Pages(self.readings, self.pin)

    def _begin(self, batch: Batch, stage: Stage) -> Batch:
        """Name the rows of another stage in the batch, each plan its own: what was named first is what is run."""
        name = f"{stage.name}-{uuid7_hex(0)[-12:]}.jsonl"
        where = {**self.rows.write(batch.id, name, self._lines(batch, stage)), "wrapped": True}
        before, after = self.batches.change(
            batch.id, lambda now_is: now_is.with_stage(stage.name, len(stage.requests), where)
        )
        superseded = [before.rows_in or {}] if after.rows_in == where else [where]
        self.results.forget_rows(batch.id, superseded)  # they hold the document's words
        return after

    def _lines(self, batch: Batch, stage: Stage) -> Iterator[bytes]:
        first = batch.shards * ROWS
        for place, request in enumerate(stage.requests):
            if request.gathered is not None:
                asked = with_file(request, self._pages.give(batch, request.gathered, first + place))
                yield wrapped(place + 1, body=asked.body, known={KNOWN: len(request.pages)})
            else:
                yield wrapped(place + 1, body=self._with_scan(batch.id, request).body)

    def _with_scan(self, batch_id: str, request: Request) -> Request:
        if request.scan is None:
            return request
        return with_scan(request, self.readings.load_scan(batch_id, request.scan), "image/png")

    def _end(
        self,
        batch: Batch,
        recipe: Recipe,
        reading: Reading | None,
        final: Final,
        stages: list[list[Child]],
        now: int,
    ) -> Batch:
        """Write the result, and end the batch: what was answered is kept, however it ends."""
        key = batch.source["key"] + recipe.suffix
        shown = result(recipe, reading, final, stages) | {"batch_id": batch.id, "key": batch.source["key"]}
        self.outbox.put(key, [json.dumps(shown, ensure_ascii=False).encode() + b"\n"], batch.id)
        output = {"kind": "outbox", "result_key": key}

        def decide(now_is: Batch) -> Batch:
            if now_is.status.terminal:
                return now_is
            if final.error and now_is.stop is None:
                return replace(now_is, output=output).failed({**final.error, "param": None}, now)
            return now_is.ended(output, now)

        after = self.batches.change(batch.id, decide)[1]
        if reading and stages:
            self._pages.take_back(batch, reading, stages[0])
        pictures = (reading.scans, len(reading.gathered)) if reading else (0, 0)
        self.readings.forget(batch.id, *pictures, ended=names_of(batch))
        self.results.forget(batch.id, batch.shards)
        self.results.forget_rows(batch.id, [batch.rows_in or {}])
        return after


@dataclass(frozen=True, slots=True)
class PlanBatch:
    """Plans whatever a batch is of: rows that are there, or the stages of a document."""

    batches: Batches
    rows: Callable[[], Plan]
    document: Callable[[], PlanDocument]

    def __call__(
        self, batch_id: str, clock: Callable[[], int], time_left: Callable[[], bool], *, may_wait: bool = False
    ) -> dict[str, Any]:
        """See `planning.Plan`."""
        plan = self.document if is_document(self.batches.get(batch_id)) else self.rows
        return plan()(batch_id, clock, time_left, may_wait=may_wait)


def result(recipe: Recipe, reading: Reading | None, final: Final, stages: list[list[Child]]) -> dict[str, Any]:
    """The result of a document, as it stands in the outbox."""
    children = [child for stage in stages for child in stage]
    return {
        "object": "document",
        "recipe": {"id": recipe.id, "version": recipe.version},
        "way": recipe.way,
        "answer": final.answer,
        "error": final.error,
        "parts": final.parts,
        "citations": final.citations,
        "conflicts": final.conflicts,
        "notes": final.notes,
        "kind": reading.kind if reading else None,
        "pages": len(reading.pages) if reading else None,
        "files": list(reading.files) if reading else [],
        "unread": [dict(each) for each in reading.unread] if reading else [],
        "usage": {"cost_usd": usd(sum(child.ended.cost for child in children))},
        "children": [child.shown for child in children],
    }
