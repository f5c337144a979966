"""Collecting a batch: its results as one file in the outbox, and the word that it is complete."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from broker.envelope import envelope
from broker.errors import NotFound
from broker.inbox.file_work import ENDINGS, REJECTED, FileWork, Outbox, batch_pk, event_id, lines_of
from broker.jobs.reading import view
from broker.jobs.store import Jobs, Payloads
from broker.storage import ConditionFailed, Database, If, Item, Update


class _Large(NamedTuple):
    """An answer that is not read, for it is JSON as it lies, and what stands in its place in its row meanwhile."""

    place: bytes
    json: bytes


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
            self.outbox.put(batch.result_key, self._result(batch, lines))
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

    def _result(self, batch: FileWork, lines: list[Item]) -> Iterator[bytes]:
        """The file's parts, made one by one: together they may be more than memory holds."""
        for line in lines:
            ended, large = self._ended(line)
            named = {"line": line["line"], "custom_id": line.get("custom_id")}
            shown = named | ended if batch.kind == "lines" else ended.get("job", ended)
            row = json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
            if large is None:
                yield row
            else:
                before, _, after = row.partition(large.place)
                yield from (before, large.json, after)

    def _ended(self, line: Item) -> "tuple[dict[str, Any], _Large | None]":
        """What became of a line; and its answer apart, where that is large."""
        if line["status"] == REJECTED:
            return {"error": line["error"]}, None
        try:
            head = self.jobs.get(line["job_id"])
        except NotFound:
            # Its `ttl_seconds` were over before the slowest of the batch had ended.
            gone = NotFound("The job was kept no longer than it asked for.", code="job_gone")
            return {"error": {**gone.facts(), "param": None}}, None
        notes, item = self.jobs.around(head)
        output, large = None, None
        if head.output and (plain := self.payloads.plain_json(head.id, head.output, item)):
            output = os.urandom(16).hex()
            large = _Large(f'"{output}"'.encode(), plain)
        elif head.output:
            output = self.payloads.load(head.id, head.output, item)
        shown = view(head, notes, output, self.base_url)
        return {"custom_id": notes.get("ASKED", {}).get("custom_id"), "job": shown}, large
