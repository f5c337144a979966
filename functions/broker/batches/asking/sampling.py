"""A few rows of a batch that is only asked about, and how many it has: a large file is read in parts."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from broker.batches.asking.request import BatchRequest
from broker.batches.asking.submitting import Found
from broker.batches.ports import RowBytes
from broker.batches.rows.converting import LONGEST_MARK, UTF8, converted, encoding_of
from broker.batches.rows.lines import LONGEST
from broker.batches.rows.sources import RowRequest, custom_id_of, request_of, unwrapped, value_of
from broker.errors import InvalidRequest

MOST_LOOKED_AT = 50
"""Rows: each is quoted as a request of its own, some milliseconds' work, and a call ends after 29 seconds."""

WHOLE_BYTES = 2_000_000
"""A file of no more is read whole, so that its rows are counted."""

PARTS, PART_BYTES = 8, 100_000
"""Of a larger one so many parts are read, the first of them its beginning, and the last its end."""


@dataclass(frozen=True, slots=True)
class SampleRow:
    """One row; `line` is its number in the file, None where only a part was read, of which nobody knows where it is."""

    line: int | None
    request: Callable[[], RowRequest]
    """Raises InvalidRequest."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows, spread over all there are."""

    rows: Sequence[SampleRow]
    count: int
    is_exact: bool
    """False where `count` is reckoned from the length of the rows that were read."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """Looks at rows."""

    rows: RowBytes

    def __call__(self, request: BatchRequest, found: Found | None, asked: dict[str, Any]) -> Sample:
        """Some rows of a request, or of the file that was found for it.

        Raises:
            InvalidRequest: the file has none, or cannot be read as what it is said to be.
        """
        if found is None:
            given = request.inline or ()
            return _of(list(enumerate(given, start=1)), len(given), asked)
        where, whole = found.source, found.bytes <= WHOLE_BYTES
        begins = b"".join(self.rows.pieces(where, 0, LONGEST_MARK))
        if asked["input"]["form"] == "csv" or asked["input"].get("encoding", encoding_of(begins)) not in UTF8:
            return self._converted(where, found.bytes, asked)
        if whole:
            lines = [(number, line) for number, line in enumerate(self.rows.lines(where), start=1) if line.strip()]
            return _of(lines, len(lines), asked)
        parts = [line for part in self._parts(where, found.bytes) for line in part] or self._first(where)
        if not parts:
            raise InvalidRequest("The file has no rows where it was looked at.", code="no_rows")
        count = max(1, round(found.bytes * len(parts) / sum(map(len, parts))))
        return _of([(None, line) for line in parts], count, asked, is_exact=False)

    def _converted(self, where: dict[str, Any], size: int, asked: dict[str, Any]) -> Sample:
        """Of a file in another form, whose beginning alone can be read by itself."""
        read, whole = min(size, WHOLE_BYTES), size <= WHOLE_BYTES
        lines = list(converted(self.rows.pieces(where, 0, read), asked["input"], is_whole=whole))
        lines = lines if whole else lines[:-1]
        if not lines:
            raise InvalidRequest("The file has no rows where it was looked at.", code="no_rows")
        rows = [(each["line"], each) for each in map(json.loads, lines)]
        chosen = [SampleRow(line, partial(_unwrapped, each, asked)) for line, each in _spread(rows)]
        return Sample(chosen, round(len(lines) * size / read), whole)

    def _parts(self, where: dict[str, Any], size: int) -> Iterator[list[bytes]]:
        """The whole lines of parts of the file."""
        step = (size - PART_BYTES) // (PARTS - 1)
        for part in range(PARTS):
            lines = list(self.rows.lines(where, part * step, PART_BYTES))
            lines = lines[1:] if part else lines  # it may begin, and end, in the middle of a row
            yield [line for line in lines if line.endswith(b"\n") and line.strip()]

    def _first(self, where: dict[str, Any]) -> list[bytes]:
        """The rows at the beginning, where those of the file are longer than a part: one at least is whole."""
        lines = self.rows.lines(where, 0, LONGEST)
        return [line for line in lines if line.endswith(b"\n") and line.strip()]


def _of(rows: Sequence[tuple[int | None, Any]], count: int, asked: dict[str, Any], *, is_exact: bool = True) -> Sample:
    chosen = [SampleRow(line, partial(_request, value, asked)) for line, value in _spread(rows)]
    return Sample(chosen, count, is_exact)


def _spread(rows: Sequence[Any]) -> Iterable[Any]:
    if len(rows) <= MOST_LOOKED_AT:
        return rows
    return (rows[place * len(rows) // MOST_LOOKED_AT] for place in range(MOST_LOOKED_AT))


def _unwrapped(row: dict[str, Any], asked: dict[str, Any]) -> RowRequest:
    return request_of(asked, *custom_id_of(unwrapped(row)))


def _request(value: Any, asked: dict[str, Any]) -> RowRequest:
    return request_of(asked, *custom_id_of(value_of(value) if isinstance(value, bytes) else value))
