"""Collecting a shard: the results of its rows as they stand in the files, row after row, and what they came to.

What a row is called stands in the batch's rows alone, so the shard's part of them is read once more. It may be gone by
now; then results have what jobs know, for nothing that was paid for is lost.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from broker.batches.batch import MESSAGES, Batch
from broker.batches.ports import ResultKind, Results, RowBytes
from broker.batches.results.lines import RowName, lines_of
from broker.batches.rows.sources import Content, RowRequest, contents_of
from broker.batches.shard import PASSED_OVER, REJECTED, RowEnd, Shard, row_job_id
from broker.batches.store import Batches
from broker.errors import BrokerError, NotFound
from broker.jobs.exporting import Export, job_gone
from broker.jobs.head import Head, Status
from broker.jobs.store import Look
from broker.storage import Item

SETTLED_MS = 1_200_000
"""After so long an ended job's calls are taken at their worst price if nobody knows yet what they cost. A lease is
shorter, and with it the sweep settles what a crash left."""


class Unsettled(Exception):
    """What a job that has ended has cost is not known yet; collect its shard a little later."""


PASSED: Mapping[str | None, dict[str, Any]] = {
    "cancelled": {
        "type": "canceled",
        "code": "batch_cancelled",
        "message": "The batch was canceled before this row had begun.",
        "param": None,
    },
    "expired": {
        "type": "expired",
        "code": "batch_expired",
        "message": "The batch's time was over before this row had begun.",
        "param": None,
    },
    "capped": {
        "type": "budget_exceeded",
        "code": "batch_capped",
        "message": "What the batch may cost (max_cost_usd) did not cover this row.",
        "param": None,
    },
    None: {
        "type": "internal_error",
        "code": "batch_failed",
        "message": "The batch failed before this row had begun.",
        "param": None,
    },
}
"""What is said of a row that was not begun, by why its batch stopped."""


@dataclass(frozen=True, slots=True)
class Collect:
    """Writes the results of a shard whose rows have all ended; a repeat writes the same."""

    batches: Batches
    look: Callable[[str], Look | None]
    """Gives a job as of now (`jobs.store.Jobs.look`)."""
    export: Export
    results: Results
    rows: RowBytes

    def __call__(self, batch: Batch, shard: Shard, now: int) -> Shard:
        """Collect; gives the shard with what its rows have cost in the end.

        Raises:
            Unsettled: of a job it is not known yet what it cost.
        """
        rows = _Rows(self, batch, shard, now)
        self.results.keep(batch.id, shard.number, "output", rows.outputs())
        self.results.keep(batch.id, shard.number, "errors", rows.errors)
        return replace(shard, ends=rows.ends)


class _Rows:
    """The rows of one shard, one after the other: outputs go as they come, for they may be more than memory holds."""

    def __init__(self, of: Collect, batch: Batch, shard: Shard, now: int) -> None:
        self._of, self._batch, self._shard, self._now = of, batch, shard, now
        self._apart = of.batches.rows_apart(batch.id, shard.number)
        self._in_one = in_one_file(batch)
        self._lines = lines_of(batch, of.export)
        self.errors: list[bytes] = []
        """Lines of the file of errors. They are small: what failed has no answer."""
        self.ends = dict(shard.ends)

    def outputs(self) -> Iterator[bytes]:
        """The parts of the other; those of the errors and the ends of all rows are there after them."""
        for place, content in enumerate(self._contents()):
            kind, parts = self._row(place, content)
            if kind == "output":
                yield from parts
            else:
                self.errors.append(b"".join(parts))

    def _contents(self) -> Iterator[Content | None]:
        """What stands in the rows, one by one, for a row may be large; None of each where that was deleted."""
        read = 0
        try:
            for content in contents_of(self._batch, self._shard, self._of.rows):
                yield content
                read += 1
        except NotFound:
            pass
        yield from [None] * (self._shard.rows - read)

    def _row(self, place: int, content: Content | None) -> tuple[ResultKind, Iterator[bytes]]:
        end, item = self.ends[place], self._apart.get(place, {})
        row, error = self._shard.first_row + place, item.get("error")
        line, custom_id = (content.line, content.custom_id) if content else (None, None)
        name = RowName(line, custom_id, self._job_id(row), item["line"] if "first" in item else None)
        if "first" in item:
            row = item["first"]
            error = self._error_of_first(row) if end.status == REJECTED else None
        if end.status == PASSED_OVER:
            error = PASSED[self._batch.stop]
        seen = None if error else self._job(row, place, is_own="first" not in item)
        if seen and "first" not in item and not name.custom_id:
            name = name._replace(custom_id=seen.notes.get("ASKED", {}).get("custom_id"))
        request = content.request if content else RowRequest(None)
        parts = self._lines.answered(name, request, seen) if seen else None
        if parts is None:
            if end.status == Status.SUCCEEDED:  # counted as what stands in the files
                self.ends[place] = replace(self.ends[place], status=Status.EXPIRED.value)
            return self._kind(is_good=False), iter([self._lines.failed(name, error or job_gone())])
        return self._kind(is_good=end.status == Status.SUCCEEDED), parts

    def _kind(self, *, is_good: bool) -> ResultKind:
        return "output" if is_good or self._in_one else "errors"

    def _job_id(self, row: int) -> str:
        return row_job_id(self._batch.id, self._batch.created_at, row)

    def _job(self, row: int, place: int, *, is_own: bool) -> Look | None:
        seen = self._of.look(self._job_id(row))
        if seen and is_own:
            self.ends[place] = self._settled(seen.head)
        return seen

    def _settled(self, head: Head) -> RowEnd:
        """How it ended, with what calls cost that were settled since."""
        end = RowEnd.of(head)
        if not head.open_calls:
            return end
        if self._now - (head.ended_at or self._now) < SETTLED_MS:
            raise Unsettled
        return replace(end, cost=end.cost + head.reserved)

    def _error_of_first(self, row: int) -> dict[str, Any]:
        item: Item = self._of.batches.row_apart(self._batch.id, row) or {}
        error: dict[str, Any] = item.get("error") or BrokerError("The row was rejected.").facts()
        return error


def in_one_file(batch: Batch) -> bool:
    """True where all results of a batch go into one file, and not its errors into another."""
    return goes_to_outbox(batch) or MESSAGES in batch.asked


def goes_to_outbox(batch: Batch) -> bool:
    """True where that file is an object of the outbox."""
    return bool(batch.asked.get("output", {}).get("kind") == "outbox")
