"""Collecting a batch: its results as one file in the outbox, and the word that it is complete."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from broker.envelope import envelope
from broker.inbox.file_work import ENDINGS, FileWork, Outbox, batch_pk, event_id, lines_of
from broker.jobs.exporting import Export, job_gone, line_of
from broker.jobs.store import Jobs, Payloads
from broker.storage import ConditionFailed, Database, If, Item, Update


@dataclass(frozen=True, slots=True)
class Collect:
    """Writes the result of a batch whose lines have all ended.

    Its three steps are each safe to repeat, and the sweep repeats them until the last is done: write the file, mark the
    batch completed, tell of it.
    """

    database: Database
    jobs: Jobs
    payloads: Payloads
    outbox: Outbox
    base_url: str
    """Of the REST API, for the links of jobs."""
    tell: Callable[[str, dict[str, Any]], None]
    """Puts an event on the bus: detail-type and detail."""

    def __call__(self, batch_id: str, now: int) -> FileWork | None:
        """Collect; None where there is nothing to do.

        Raises:
            Exception: of the cloud; the message should come again.
        """
        batch = FileWork.load(self.database, batch_id)
        if batch is None or batch.due_at is None or not batch.is_ready:
            return None
        lines = lines_of(self.database, batch_id)
        if batch.state == "open":
            self.outbox.put(batch.result_key, self._result(lines))
            batch = self._complete(batch, now)
        counts = {ending: sum(line["status"] == ending for line in lines) for ending in ENDINGS}
        data = {
            "batch_id": batch.id,
            "key": batch.key,
            "result_key": batch.result_key,
            "total": batch.total,
            "counts": counts,
        }
        at = batch.completed_at or now
        self.tell("BatchCompleted", envelope(event_id(batch.id, "completed"), batch.id, batch.tenant, at, data))
        collected = Update("jobs", batch_pk(batch.id), "BATCH", remove=("due", "due_at"), when=(If("pk", "exists"),))
        self.database.write(collected)
        return batch

    def _complete(self, batch: FileWork, now: int) -> FileWork:
        facts = {"state": "completed", "completed_at": now}
        try:
            self.database.write(
                Update("jobs", batch_pk(batch.id), "BATCH", set=facts, when=(If("state", "=", "open"),))
            )
        except ConditionFailed:  # a collection at the same time wrote the same file and was first
            return FileWork.load(self.database, batch.id) or batch
        return replace(batch, state="completed", completed_at=now)

    def _result(self, lines: list[Item]) -> Iterator[bytes]:
        """The file's parts, made one by one: together they may be more than memory holds."""
        for line in lines:
            seen = self.jobs.look(line["job_id"])
            if seen is None:
                yield line_of({"error": job_gone()})
            else:
                yield from Export(self.payloads, self.base_url)(seen).line(None)
