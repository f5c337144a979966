"""Assembling: the results of all shards as the files that a batch leaves, in the order of its rows.

They go through as they come, so memory does not grow with them. Where an invocation has not enough time, the next goes
on with what was written. Each file has to have as many lines as were counted: of two that assemble at the same time,
one may find what the other has deleted, and then writes nothing.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from broker.batches.batch import Batch, is_document
from broker.batches.flow.slots import Slots
from broker.batches.ports import ResultKind, Results
from broker.batches.results.collecting import goes_to_outbox, in_one_file
from broker.batches.results.pieces import Source
from broker.batches.store import Batches
from broker.jobs.head import Status

LARGE_ROWS = 10_000
"""Of a batch whose results take one of its tenant's slots: a hundred shards' are read and written in some seconds."""

AT_ONCE_S = 1
"""Until files are gone on with for which an invocation had no more time."""

AWAITED_MS = 1_000_000
"""Longer than such an invocation may take."""

KEEP_S = 30 * 86_400
"""How long files of results are kept."""

RESULTS = ".results.jsonl"
"""What is added to the key of a file of the inbox for its results in the outbox."""

PURPOSE = "batch_output"
"""Of files of results, in OpenAI's words (API reference, "Files")."""

NAMES: dict[ResultKind, str] = {"output": "output_file_id", "errors": "error_file_id"}
"""By which a batch knows the files that it left."""


class Files(Protocol):
    """The files of tenants; their places and records are those of `files.keeping`."""

    def place(self, tenant: str, name: str, made_at: int, until: int) -> Any:
        """A place (`bucket`, `key`) for a file; the same for the same name and time."""
        ...

    def create(self, place: Any, filename: str, purpose: str, now: int) -> Any:
        """Make a file (`id`) of what was written at a place; a repeat gives the same file."""
        ...


class WriteFile(Protocol):
    """Writes objects of any size."""

    def __call__(
        self,
        bucket: str,
        key: str,
        source: Source,
        batch_id: str,
        so_far: dict[str, Any] | None = None,
        time_left: Callable[[], bool] = lambda: True,
    ) -> dict[str, Any] | None:
        """Write one over what was there, as a result of a batch; where making its pieces fails, nothing is written.

        Args:
            bucket: its name.
            key: of the object.
            source: what it is made of.
            batch_id: the batch.
            so_far: what a call for the same object gave whose time was over.
            time_left: False when the rest is to be left to another call.

        Returns:
            None where it is written, else what the next call goes on by: small, with the number of pieces `sent`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Assemble:
    """Puts the results of a batch together."""

    batches: Batches
    results: Results
    files: Files
    write: WriteFile
    outbox: str
    """The bucket that results of files go into."""

    @property
    def slots(self) -> Slots:
        """How many large batches of a tenant are written at a time."""
        return Slots(self.batches, "results")

    def __call__(
        self,
        batch_id: str,
        clock: Callable[[], int],
        time_left: Callable[[], bool] = lambda: True,
        *,
        may_wait: bool = False,
    ) -> dict[str, Any]:
        """Do it, if all rows have ended and it was not done; may be repeated, and may stop anywhere.

        Args:
            batch_id: the batch.
            clock: gives the milliseconds.
            time_left: False when what is left is to be written in another call.
            may_wait: of who comes again; it may be told to, before a large batch is written or on the way.

        Returns:
            Whether the batch is `written`. If not, it is to be tried again after `wait_s`; or, where that is left out,
            it is a document that has to be gone on with (`batches.documents`).

        Raises:
            Exception: of the cloud; it should be repeated.
        """
        if is_document(batch := self.batches.get(batch_id)):
            return {"written": batch.status.terminal}
        _, batch = self.batches.change(batch_id, lambda before: before.finalizing(clock()))
        is_large = may_wait and batch.rows > LARGE_ROWS
        if not batch.status.terminal and batch.is_done:
            if is_large and (wait_s := self.slots.claim(batch, clock())):
                return {"written": False, "wait_s": wait_s}
            output = self._write(batch, clock, time_left if may_wait else lambda: True)
            if output is None:
                return {"written": False, "wait_s": AT_ONCE_S}
            _, batch = self.batches.change(batch_id, lambda before: before.ended(output, clock()))
        if is_large:
            self.slots.give_back(batch, clock())
        if batch.output:  # of one that failed, what was collected stays as long as its record
            self.results.forget(batch.id, batch.shards)
        return {"written": True}

    def _write(self, batch: Batch, clock: Callable[[], int], time_left: Callable[[], bool]) -> dict[str, Any] | None:
        """Write its files, or go on with them.

        Returns:
            What the batch leaves; None where time was over before: how far they are is kept.
        """
        output: dict[str, Any] = {}
        for kind, source in self._sources(batch).items():
            place = None if goes_to_outbox(batch) else self._place(batch, kind, clock())
            bucket, key = (place.bucket, place.key) if place else (self.outbox, _key_of(batch))
            left = batch.writing.get(kind, {})
            if not left.get("whole") and time_left():
                more = self.write(bucket, key, source, batch.id, left or None, time_left)
                left = {"whole": True} if more is None else more
                batch = replace(batch, writing={**batch.writing, kind: left})
            if not left.get("whole"):
                self._keep(batch, clock())
                return None
            if place:
                made = self.files.create(place, f"{batch.id}_{kind}.jsonl", PURPOSE, clock())
                output[NAMES[kind]] = str(made.id)
            else:
                output["result_key"] = key
        return output

    def _keep(self, batch: Batch, now: int) -> None:
        """Keep how far its files are; the sweep looks at it only when whoever goes on with them must be dead."""

        def wrote(there: Batch) -> Batch:
            if there.status.terminal or not there.is_done:
                return there
            theirs = {
                kind: each for kind, each in there.writing.items() if _sent(each) > _sent(batch.writing.get(kind))
            }
            moved = replace(there, writing={**batch.writing, **theirs}).looked_at(now)
            return moved.awaited(now + AWAITED_MS)

        self.batches.change(batch.id, wrote)

    def _sources(self, batch: Batch) -> dict[ResultKind, Source]:
        """What each of its files is made of."""
        succeeded = batch.sums.counts.get(Status.SUCCEEDED.value, 0)
        lines: dict[ResultKind, int] = {"output": succeeded, "errors": batch.rows - succeeded}
        if in_one_file(batch):
            lines = {"output": batch.rows}
        found = {kind: Source(self.results, batch.id, batch.shards, kind, count) for kind, count in lines.items()}
        return {kind: source for kind, source in found.items() if source.lines or goes_to_outbox(batch)}

    def _place(self, batch: Batch, kind: ResultKind, now: int) -> Any:
        until = now // 1000 + batch.asked.get("output_keep_s", KEEP_S)
        return self.files.place(batch.tenant, f"{batch.id}/{kind}", batch.created_at, until)


def _sent(file: Mapping[str, Any] | None) -> float:
    """How far a file is: of two that write at the same time, the one that is further is gone on with."""
    return math.inf if file and file.get("whole") else int(file.get("sent", 0)) if file else 0


def _key_of(batch: Batch) -> str:
    """Of the file of results in the outbox."""
    return str(batch.asked["output"]["key"]) + RESULTS
