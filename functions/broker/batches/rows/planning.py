"""Planning: a batch's rows laid out as shards, by one look at each of their bytes.

What is read is a stream, so memory does not grow with the file. A plan that has no time left says how far it came, and
the next goes on from there; one that is repeated from the same place writes the same shards.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from broker.batches.batch import Batch
from broker.batches.flow.slots import Slots
from broker.batches.ports import RowBytes
from broker.batches.rows.converting import CheckColumns, Convert
from broker.batches.rows.enqueuing import Enqueue
from broker.batches.rows.identities import Identities
from broker.batches.rows.lines import is_blank, split
from broker.batches.shard import MODELS, ROWS, Shard
from broker.batches.store import MOST_PUTS, Batches
from broker.clock import iso
from broker.errors import InvalidRequest, TooLarge

MOST_ROWS = 1_000_000
"""Of a batch: ten thousand shards, each an item and a message; what is larger is several batches."""

MOST_LINES = 10 * MOST_ROWS
"""With blank ones, which are gone through as well."""

MOST_BYTES = 5_000_000_000
"""Of what rows are read from: what one upload to S3 takes, and a stream that is gone through in minutes."""

LARGE_BYTES = 8_000_000
"""Of a file that is gone through in a second or two. What is larger takes one of its tenant's slots."""

LARGE_WRITTEN_BYTES = 16_000
"""The same of one that is written anew: each row of a CSV gets the names of its header, so it may come to the square of
its size."""

LARGE_ROWS = 10_000
"""The same of the rows of a batch."""

IDS = "ids"
"""In `Batch.rows_in` while a plan is not finished: where the ids are that have come (`Identities.keep`)."""

MARK = b"\xef\xbb\xbf"
"""A byte order mark, which some editors write before a text."""


class Most(NamedTuple):
    """How much a batch may have."""

    rows: int = MOST_ROWS
    lines: int = MOST_LINES
    bytes: int = MOST_BYTES


EVERY = Most()
"""Of every batch."""


@dataclass(slots=True)
class _Layout:
    """Shards as they come to be."""

    batch: Batch
    shards: int
    rows: int
    offset: int
    """Of the next line."""
    line: int
    ids: Identities
    most: Most
    begin: int = 0
    """Where the shard under way begins."""
    first_line: int = 1
    here: int = 0
    """Its rows up to now."""
    doubles: list[int] = field(default_factory=list)
    made: list[Shard] = field(default_factory=list)
    """Those that are to be written."""

    def __post_init__(self) -> None:
        self.begin, self.first_line = self.offset, self.line

    def add(self, length: int, data: bytes) -> None:
        """Take the next line."""
        self.offset += length
        if self.line > self.most.lines:
            raise TooLarge(f"The file has more than {self.most.lines:,} lines.", code="too_many_lines")
        self.line += 1
        if is_blank(data):
            return
        if self.ids.is_double(data):
            self.doubles.append(self.here)
        self.here += 1
        self.rows += 1
        if self.rows > self.most.rows:
            raise TooLarge(f"The batch has more than {self.most.rows:,} rows.", code="too_many_rows")
        if self.here == ROWS:
            self.close()

    def close(self) -> None:
        """End the shard under way, where it has rows."""
        if self.here:
            length = self.offset - self.begin
            place = self.batch.id, self.shards, self.here, self.begin, length, self.first_line
            self.made.append(Shard(*place, self.batch.expires_at, tuple(self.doubles)))
            self.shards += 1
        self.begin, self.first_line, self.here, self.doubles = self.offset, self.line, 0, []


@dataclass(frozen=True, slots=True)
class Plan:
    """Lays out a batch. It may stop anywhere and be repeated."""

    batches: Batches
    rows: RowBytes
    most: Most = EVERY
    refused: Callable[[Batch, dict[str, Any], int], None] = lambda batch, error, now: None
    """Told of a batch that failed, before it is kept; perhaps more than once."""
    check_columns: CheckColumns = lambda prompt, names: None
    """See `Convert`."""
    most_tokens: Callable[[str, int], int | None] = lambda tenant, now: None
    """See `Enqueue`."""

    @property
    def convert(self) -> Convert:
        """What makes lines of ours of rows in another form."""
        return Convert(self.batches, self.rows, self.most.bytes, self.check_columns)

    @property
    def slots(self) -> Slots:
        """How many large files of a tenant are gone through at a time."""
        return Slots(self.batches, "plan")

    def __call__(
        self, batch_id: str, clock: Callable[[], int], time_left: Callable[[], bool], *, may_wait: bool = False
    ) -> dict[str, Any]:
        """Plan, as far as there is time.

        Args:
            batch_id: the batch.
            clock: gives the milliseconds.
            time_left: False when the rest should go on in another invocation.
            may_wait: of who comes again; it may be told to, before a large file is gone through.

        Returns:
            What the workflow goes by: `more` where it is not all, perhaps with `wait_s`, the seconds before the next
            try; `is_over` where the batch has ended; `not_before`, a time to wait for; `seconds` that the batch has for
            its rows.

        Raises:
            Exception: of the cloud; the step should be repeated.
        """
        batch = self.batches.get(batch_id)
        if batch.is_planned or batch.status.terminal:
            return facts_of(batch, clock())
        is_large = False
        try:
            is_large = may_wait and self._is_large(batch)
            if is_large and (wait_s := self.slots.claim(batch, clock())):
                batch = self.batches.change(batch_id, lambda there: _stopped_unread(there, clock()))[1]
                return facts_of(batch, clock()) | ({} if batch.status.terminal else {"wait_s": wait_s})
            batch = self._plan(batch, clock, time_left)
        except InvalidRequest as error:
            facts = {**error.facts(), "param": error.param}
            self.refused(batch, facts, clock())
            _, batch = self.batches.change(batch_id, lambda now: now.failed(facts, clock()))
        if is_large and (batch.is_planned or batch.status.terminal):
            self.slots.give_back(batch, clock())
        return facts_of(batch, clock())

    def _is_large(self, batch: Batch) -> bool:
        if batch.rows_in is None and batch.source.get("kind") == "retry":
            return self.batches.get(batch.source["batch"], batch.tenant).rows > LARGE_ROWS
        is_written = batch.rows_in is None and self.convert.is_for(batch)
        return self.rows.size(batch.rows_in or batch.source) > (LARGE_WRITTEN_BYTES if is_written else LARGE_BYTES)

    def _plan(self, batch: Batch, clock: Callable[[], int], time_left: Callable[[], bool]) -> Batch:
        where = dict(batch.rows_in or self.convert(batch, self.most.rows) or batch.source)
        kept, wrapped = where.pop(IDS, None), bool(where.get("wrapped"))
        models = where.pop(MODELS, []) if "endpoint" in batch.asked else None
        if self.rows.size(where) > self.most.bytes:
            raise TooLarge(f"The file has more than {self.most.bytes:,} bytes.", code="file_too_large")
        start = batch.cursor.get("offset", 0)
        load = Identities.load
        ids = load(self.rows, kept, wrapped=wrapped, models=models) if kept else Identities(wrapped, models=models)
        layout = _Layout(batch, batch.shards, batch.rows, start, batch.cursor.get("line", 1), ids, self.most)
        for length, data in split(self.rows.pieces(where, start)):
            if layout.offset == 0 and not wrapped and (found := self.convert(batch, self.most.rows, data)):
                return self._plan(replace(batch, rows_in=found), clock, time_left)
            if layout.offset == 0 and data.startswith(MARK):
                layout.begin, data = len(MARK), data.removeprefix(MARK)
            layout.add(length, data)
            if len(layout.made) == MOST_PUTS:
                self._write(layout)
                if not time_left():
                    return self._pause(layout, where, clock())
        layout.close()
        if not layout.rows:
            raise InvalidRequest("The file is empty.", code="empty_file")
        self._write(layout)
        return self._note(layout, where, {}, clock(), is_last=True)

    def _write(self, layout: _Layout) -> None:
        self.batches.put_shards(layout.made)
        layout.made.clear()

    def _pause(self, layout: _Layout, where: dict[str, Any], now: int) -> Batch:
        cursor = {"offset": layout.offset, "line": layout.line}
        kept = layout.ids.keep(self.rows, layout.batch.id, layout.offset)
        return self._note(layout, where | {IDS: kept}, cursor, now, is_last=False)

    def _note(
        self, layout: _Layout, where: dict[str, Any], cursor: dict[str, int], now: int, *, is_last: bool
    ) -> Batch:
        if layout.ids.models:
            where = where | {MODELS: layout.ids.models}

        def decide(batch: Batch) -> Batch:
            if batch.is_planned or batch.status.terminal:
                return batch
            return replace(batch, rows_in=where).planned(layout.shards, layout.rows, cursor, is_last=is_last, now=now)

        if is_last:
            return Enqueue(self.batches, self.most_tokens)(layout.batch, layout.offset, decide, now)
        return self.batches.change(layout.batch.id, decide)[1]


def _stopped_unread(batch: Batch, now: int) -> Batch:
    """A batch that has no slot for its file: where it would begin no row any more, it ends, and nobody reads it."""
    if batch.ends_at <= now:
        batch = batch.stopped("expired", now)
    return batch.ended({}, now) if batch.stop and not batch.shards and not batch.stages else batch


def facts_of(batch: Batch, now: int) -> dict[str, Any]:
    """How a batch stands, as its workflow has to know it (`Plan`)."""
    over = batch.status.terminal
    begins = now if over or batch.has_stopped else batch.opens_at(now)
    facts = {"is_over": over, "more": not (over or batch.is_planned), "seconds": seconds(batch, begins)}
    return facts if begins <= now else facts | {"not_before": iso(begins)}


def seconds(batch: Batch, now: int) -> int:
    """Whole seconds, at least one, that a batch has left for its rows."""
    return max(1, -((now - batch.ends_at) // 1000))
