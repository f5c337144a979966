"""The children of a document: what came of each row of each of its stages."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from broker.batches.batch import Batch
from broker.batches.shard import PASSED_OVER, REJECTED, ROWS, RowEnd, row_job_id
from broker.batches.store import Batches
from broker.clock import usd
from broker.documents.steps import Ended
from broker.errors import NotFound
from broker.jobs.head import Head, Status
from broker.jobs.store import Jobs, Look, Payloads


@dataclass(frozen=True, slots=True)
class Child:
    """One row of a stage: what came of it, and what is shown of it."""

    stage: str
    part: int
    """From 1."""
    ended: Ended
    job_id: str | None = None
    """None where it did not become a job."""
    pages: str = ""
    attempts: int = 0

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Self:
        """Read what `facts` gave."""
        ended = {**facts["ended"], "missing": tuple(facts["ended"]["missing"])}
        return cls(**{**facts, "ended": Ended(**ended)})

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @property
    def shown(self) -> dict[str, Any]:
        """As the document's result has it."""
        error = self.ended.error
        return {
            "stage": self.stage,
            "part": self.part,
            "pages": self.pages or None,
            "job_id": self.job_id,
            "status": self.ended.status,
            "cost_usd": usd(self.ended.cost),
            "attempts": self.attempts,
            "error": {"type": error.get("type"), "code": error.get("code")} if error else None,
        }


@dataclass(frozen=True, slots=True)
class Children:
    """Reads what came of a document's rows."""

    batches: Batches
    jobs: Jobs
    payloads: Payloads

    def by_stage(self, batch: Batch) -> Iterator[list[Child]]:
        """The children of each stage that was laid out, in order; all of them have ended."""
        stages = sorted(batch.stages.items(), key=lambda pair: int(pair[1]["shard"]))
        for name, _ in stages:
            yield self.of_stage(batch, name)

    def of_stage(self, batch: Batch, name: str) -> list[Child]:
        """The children of one stage, in order."""
        stage = batch.stages[name]
        found: list[Child] = []
        first, rows = int(stage["shard"]), int(stage["rows"])
        for number in range(first, first - (-rows // ROWS)):
            found += self._of_shard(batch, name, number, len(found))
        return found

    def _of_shard(self, batch: Batch, stage: str, number: int, before: int) -> Iterator[Child]:
        shard = self.batches.shard(batch.id, number)
        apart: dict[int, Any] | None = None
        for place in range(shard.rows):
            end, part = shard.ends[place], before + place + 1
            if end.status == REJECTED:
                apart = self.batches.rows_apart(batch.id, number) if apart is None else apart
                yield Child(stage, part, Ended(REJECTED, error=apart.get(place, {}).get("error")))
            elif end.status == PASSED_OVER:
                yield Child(stage, part, Ended(PASSED_OVER))
            else:
                job_id = row_job_id(batch.id, batch.created_at, shard.first_row + place)
                yield self._of_job(stage, part, job_id, end)

    def _of_job(self, stage: str, part: int, job_id: str, end: RowEnd) -> Child:
        seen = self.jobs.look(job_id)
        if seen is None or (seen.head.status is Status.SUCCEEDED and seen.head.output is None):
            gone = NotFound("The job was kept no longer than it asked for.", code="job_gone")
            return Child(stage, part, Ended("expired", error=gone.facts(), cost=end.cost), job_id)
        head = seen.head
        pages = seen.notes.get("ASKED", {}).get("metadata", {}).get("document_pages", "")
        return Child(stage, part, self._ended(seen), job_id, pages, head.calls_made)

    def _ended(self, seen: Look) -> Ended:
        head = seen.head
        if head.status is not Status.SUCCEEDED:
            return Ended(head.status.value, error=head.error, cost=_cost(head))
        output = self.payloads.load(head.id, head.output, seen.output) if head.output else None
        if not isinstance(output, dict):
            error = {"type": "gone", "code": "erased", "message": "The answer was erased."}
            return Ended("expired", error=error, cost=_cost(head))
        said = str(output.get("text") or ""), output.get("json")
        missing = tuple(output.get("missing_pages", ()))
        return Ended("succeeded", *said, cost=_cost(head), layout=output.get("layout"), missing=missing)


def _cost(head: Head) -> int:
    """What it cost, with what calls may have cost that are not settled."""
    return head.spent + (head.reserved if head.open_calls else 0)
