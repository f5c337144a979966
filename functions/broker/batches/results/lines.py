"""The lines of files of results: in our own form, or in that of another API whose requests the rows were."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from broker.batches.batch import MESSAGES, Batch
from broker.batches.rows.sources import RowRequest
from broker.jobs.exporting import Export, line_of
from broker.jobs.reading import view
from broker.jobs.store import REQUEST, Look

if TYPE_CHECKING:
    from broker.doors.rows import RowForm, RowOf


class RowName(NamedTuple):
    """By which a client finds a row's result."""

    line: int | None
    custom_id: str | None
    job_id: str
    """Of the row's own job, whether there is one or not."""
    duplicate_of: int | None = None
    """The line of the row whose answer it takes."""


class Lines(Protocol):
    """A form of lines."""

    def answered(self, name: RowName, request: RowRequest, seen: Look) -> Iterator[bytes] | None:
        """The parts of the line of a row whose job has ended; None where its answer is not kept any more.

        Args:
            name: of the row.
            request: the row's.
            seen: the job, its own or that of the row whose answer it takes.
        """
        ...

    def failed(self, name: RowName, error: dict[str, Any]) -> bytes:
        """The line of a row that has no job."""
        ...


@dataclass(frozen=True, slots=True)
class OwnLines:
    """`{"line", "custom_id", "job" | "error", "duplicate_of"?}`."""

    export: Export

    def answered(self, name: RowName, request: RowRequest, seen: Look) -> Iterator[bytes] | None:
        """See `Lines.answered`; an answer that is not kept any more is told as such in the job."""
        return self.export(seen).line(_facts(name))

    def failed(self, name: RowName, error: dict[str, Any]) -> bytes:
        """See `Lines.failed`."""
        return line_of({**_facts(name), "error": error})


def _facts(name: RowName) -> dict[str, Any]:
    facts = {"line": name.line, "custom_id": name.custom_id}
    return facts if name.duplicate_of is None else {**facts, "duplicate_of": name.duplicate_of}


@dataclass(frozen=True, slots=True)
class OpenAiLines:
    """`{"id", "custom_id", "response", "error"}` (`doors.rows`)."""

    export: Export
    form: "RowForm"

    def answered(self, name: RowName, request: RowRequest, seen: Look) -> Iterator[bytes] | None:
        """See `Lines.answered`."""
        from broker.doors import rows

        (head, notes, item), payloads, url = seen, self.export.payloads, self.export.base_url
        if head.output is None:
            return iter([rows.ended_line(self.form, _row(name), view(head, notes, None, url))])
        given = request.given or {}
        if self.form.pieces_of and (plain := payloads.plain_json(head.id, head.output, item)):
            shown, mark = view(head, notes, {}, url), os.urandom(16).hex()
            return rows.answered_pieces(_row(name), shown, self.form.pieces_of(shown, plain, given), mark)
        output = payloads.load(head.id, head.output, item)
        if output is None:
            return None
        asked = request.body
        if not asked or "prompt" in asked:  # a stored prompt says more than the row that names it
            asked = payloads.load(head.id, REQUEST) or {}
        return iter([rows.answered_line(self.form, _row(name), view(head, notes, output, url), asked, given)])

    def failed(self, name: RowName, error: dict[str, Any]) -> bytes:
        """See `Lines.failed`."""
        from broker.doors import rows

        return rows.failed_line(_row(name), error)


@dataclass(frozen=True, slots=True)
class MessageLines:
    """`{"custom_id", "result"}` (`doors.message_batches`)."""

    export: Export

    def answered(self, name: RowName, request: RowRequest, seen: Look) -> Iterator[bytes] | None:
        """See `Lines.answered`."""
        from broker.doors.message_batches import ended_line

        head, notes, item = seen
        output = self.export.payloads.load(head.id, head.output, item) if head.output else None
        if head.output and output is None:
            return None
        return iter([ended_line(name.custom_id, view(head, notes, output, self.export.base_url))])

    def failed(self, name: RowName, error: dict[str, Any]) -> bytes:
        """See `Lines.failed`."""
        from broker.doors.message_batches import failed_line

        return failed_line(name.custom_id, name.job_id, error)


def _row(name: RowName) -> "RowOf":
    from broker.doors.rows import RowOf

    return RowOf(name.job_id, name.custom_id, name.line, name.duplicate_of)


def lines_of(batch: Batch, export: Export) -> Lines:
    """The form of a batch's results: that of its rows, and of who asked."""
    if MESSAGES in batch.asked:
        return MessageLines(export)
    if endpoint := batch.asked.get("endpoint"):
        from broker.doors.rows import FORMS  # of few batches

        return OpenAiLines(export, FORMS[endpoint])
    return OwnLines(export)
