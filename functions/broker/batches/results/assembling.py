"""Assembling: the results of all shards as the files that a batch leaves, in the order of its rows.

They go through as they come, so memory does not grow with them. Each file has to have as many lines as were counted: of
two that assemble at the same time, one may find what the other has deleted, and then writes nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from broker.batches.batch import Batch, is_document
from broker.batches.flow.slots import Slots
from broker.batches.ports import ResultKind, Results
from broker.batches.results.collecting import goes_to_outbox, in_one_file
from broker.batches.store import Batches
from broker.errors import Unavailable
from broker.jobs.head import Status

LARGE_ROWS = 10_000
"""Of a batch whose results take one of its tenant's slots: a hundred shards' are read and written in some seconds."""

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

    def __call__(self, bucket: str, key: str, parts: Iterable[bytes], batch_id: str) -> None:
        """Write one over what was there, as a result of a batch; where making its parts fails, nothing is written."""
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

    def __call__(self, batch_id: str, clock: Callable[[], int], *, may_wait: bool = False) -> dict[str, Any]:
        """Do it, if all rows have ended and it was not done; may be repeated, and may stop anywhere.

        Args:
            batch_id: the batch.
            clock: gives the milliseconds.
            may_wait: of who comes again; it may be told to, before a large batch is written.

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
            output = self._in_outbox(batch) if goes_to_outbox(batch) else self._as_files(batch, clock())
            _, batch = self.batches.change(batch_id, lambda before: before.ended(output, clock()))
        if is_large:
            self.slots.give_back(batch, clock())
        if batch.output:  # of one that failed, what was collected stays as long as its record
            self.results.forget(batch.id, batch.shards)
        return {"written": True}

    def _in_outbox(self, batch: Batch) -> dict[str, Any]:
        key = batch.asked["output"]["key"] + RESULTS
        self.write(self.outbox, key, self._lines(batch, "output", batch.rows), batch.id)
        return {"result_key": key}

    def _as_files(self, batch: Batch, now: int) -> dict[str, Any]:
        succeeded = batch.sums.counts.get(Status.SUCCEEDED.value, 0)
        lines: dict[ResultKind, int] = {"output": succeeded, "errors": batch.rows - succeeded}
        if in_one_file(batch):
            lines = {"output": batch.rows}
        return {NAMES[kind]: self._file(batch, kind, count, now) for kind, count in lines.items() if count}

    def _file(self, batch: Batch, kind: ResultKind, count: int, now: int) -> str:
        until = now // 1000 + batch.asked.get("output_keep_s", KEEP_S)
        place = self.files.place(batch.tenant, f"{batch.id}/{kind}", batch.created_at, until)
        self.write(place.bucket, place.key, self._lines(batch, kind, count), batch.id)
        return str(self.files.create(place, f"{batch.id}_{kind}.jsonl", PURPOSE, now).id)

    def _lines(self, batch: Batch, kind: ResultKind, count: int) -> Iterator[bytes]:
        """What a file is made of.

        Raises:
            Unavailable: it has not as many lines as it should have.
        """
        found = 0
        for part in self.results.parts(batch.id, batch.shards, kind):
            found += part.count(b"\n")
            yield part
        if found != count:
            message = f"Of {count} results of a kind there were {found}."
            raise Unavailable(message, code="results_missing")
