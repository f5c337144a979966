"""Rows that came in another form, as lines of our own (`rows.sources`): CSV, other encodings, and rows to retry.

It is one stream from object to object, in pieces, so that memory does not grow with the file; a repeat writes the same.
"""

import codecs
import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

from broker import json_text
from broker.batches.batch import Batch
from broker.batches.ports import RowBytes
from broker.batches.rows.lines import LONGEST
from broker.batches.rows.retrying import rows_to_retry
from broker.batches.rows.sources import CUSTOM_ID, wrapped
from broker.batches.store import Batches
from broker.errors import BrokerError, InvalidRequest, TooLarge
from broker.json_text import MAX_BODY_BYTES

MOST_BYTES = 1_000_000_000
"""Of a file that is converted: one function goes through it, and its repeat begins anew. JSONL in UTF-8, which is read
where it lies, may have more."""

CheckColumns = Callable[[dict[str, Any], Sequence[str]], None]
"""Of a prompt (`Batch.asked`), and the names of columns."""

ROWS_IN = "rows.jsonl"
"""The name of what is written."""

MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # it begins as UTF-16's does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""How texts begin whose encoding nobody said; the encoding takes the mark off. All others are UTF-8."""

LONGEST_MARK = 4

UTF8 = ("utf-8", "ascii", "utf-8-sig")


class _Text(NamedTuple):
    """A line of a text, with its end; of one that is too long only the beginning."""

    text: str
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Convert:
    """Converts what a plan cannot read as it lies."""

    batches: Batches
    rows: RowBytes
    most_bytes: int
    """That may come of it: each row of a CSV has the names of its header once more."""
    check_columns: CheckColumns = lambda prompt, names: None
    """Raises where no row of a CSV could be a prompt's variables."""

    def __call__(self, batch: Batch, most_rows: int, begins: bytes | None = None) -> dict[str, Any] | None:
        """Convert the rows of a batch; gives where they are then, None where they can be read as they lie.

        Args:
            batch: the batch.
            most_rows: that it may have.
            begins: how its file begins, where that was seen: an encoding that nobody told of shows there.

        Raises:
            InvalidRequest: the file as a whole cannot be read as what it is said to be.
            NotFound: it was deleted.
        """
        if batch.source.get("kind") == "retry":
            first = self.batches.get(batch.source["batch"], batch.tenant)
            return self._write(batch, rows_to_retry(self.batches, self.rows, first))
        given = batch.asked.get("input", {})
        if not self.is_for(batch) and (given.get("encoding") or encoding_of(begins or b"")) in UTF8:
            return None
        if self.rows.size(batch.source) > MOST_BYTES:
            message = f"A file of this form or encoding has {MOST_BYTES:,} bytes at most."
            raise TooLarge(message, code="file_too_large")

        def check(names: Sequence[str]) -> None:
            if prompt := batch.asked.get("prompt"):
                self.check_columns(prompt, [name for name in names if name != CUSTOM_ID])

        return self._write(batch, _bounded(converted(self.rows.pieces(batch.source), given, check=check), most_rows))

    def is_for(self, batch: Batch) -> bool:
        """True where what the batch says of its file is enough to know that it has to be converted."""
        given = batch.asked.get("input", {})
        return given.get("form") == "csv" or given.get("encoding", UTF8[0]) not in UTF8

    def _write(self, batch: Batch, lines: Iterable[bytes]) -> dict[str, Any]:
        return {**self.rows.write(batch.id, ROWS_IN, self._within(lines)), "wrapped": True}

    def _within(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        left = self.most_bytes
        for line in lines:
            left -= len(line)
            if left < 0:
                message = f"The rows have more than {self.most_bytes:,} bytes, with the names of their values."
                raise TooLarge(message, code="file_too_large")
            yield line


def encoding_of(begins: bytes) -> str:
    """Of a text by how it begins."""
    return next((name for mark, name in MARKS if begins.startswith(mark)), UTF8[0])


def converted(
    pieces: Iterable[bytes],
    given: dict[str, Any],
    *,
    is_whole: bool = True,
    check: Callable[[Sequence[str]], None] = lambda names: None,
) -> Iterator[bytes]:
    """Lines of ours of the bytes of a file.

    Args:
        pieces: the bytes.
        given: how they are written (`Batch.asked["input"]`).
        is_whole: False of a file's beginning, whose last row may be cut off.
        check: looks at the names of the columns of a CSV.

    Raises:
        InvalidRequest: they cannot be read so.
    """
    lines = _lines(_decoded(pieces, given.get("encoding"), is_whole))
    return _of_csv(lines, given, check) if given.get("form") == "csv" else _of_jsonl(lines)


def _bounded(lines: Iterable[bytes], most: int) -> Iterator[bytes]:
    for number, line in enumerate(lines, start=1):
        if number > most:
            raise TooLarge(f"The batch has more than {most:,} rows.", code="too_many_rows")
        yield line


def _decoded(pieces: Iterable[bytes], encoding: str | None, is_whole: bool) -> Iterator[str]:
    """The text of a stream of bytes; where nobody said its encoding, by its mark."""
    given, begun = iter(pieces), b""
    while len(begun) < LONGEST_MARK and (piece := next(given, b"")):
        begun += piece
    encoding = encoding or encoding_of(begun)
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for piece in chain([begun], given):
            yield decoder.decode(piece)
        yield decoder.decode(b"", final=is_whole)
    except UnicodeError:
        message = f"The file is not in the encoding {encoding}."
        raise InvalidRequest(message, code="invalid_encoding", param="format.encoding") from None


def _lines(texts: Iterable[str]) -> Iterator[_Text]:
    """The lines of a text that comes in pieces; what is too long is cut, so that memory stays bounded."""
    begun: list[str] = []
    kept, is_first = 0, True
    for text in texts:
        if is_first and text:
            text, is_first = text.removeprefix(json_text.MARK), False
        *ended, rest = text.split("\n")
        for part in ended:
            yield _joined(begun, kept, f"{part}\n")
            begun, kept = [], 0
        if rest and kept <= MAX_BODY_BYTES:
            begun.append(rest)
        kept += len(rest)
    if kept:
        yield _joined(begun, kept, "")


def _joined(begun: list[str], kept: int, rest: str) -> _Text:
    if kept + len(rest) > MAX_BODY_BYTES + 2:
        return _Text("".join([*begun, rest])[:MAX_BODY_BYTES], is_cut=True)
    return _Text("".join([*begun, rest]))


def _of_jsonl(lines: Iterable[_Text]) -> Iterator[bytes]:
    for number, line in enumerate(lines, start=1):
        if line.is_cut:
            yield _error(number, _too_large())
        elif line.text.strip():
            try:
                yield _line(number, json_text.read(line.text))
            except InvalidRequest as error:
                yield _error(number, error)


def _of_csv(lines: Iterable[_Text], given: dict[str, Any], check: Callable[[Sequence[str]], None]) -> Iterator[bytes]:
    """A line of ours for each row, whose names are those of the header; a row with an empty line alone is none."""
    csv.field_size_limit(MAX_BODY_BYTES)
    row = _Row()
    reader = csv.reader(_whole(lines, row), delimiter=given.get("separator", ","), strict=True)
    names: list[str] | None = given.get("header")
    if names is not None:
        check(names)
    while True:
        line, row.chars = reader.line_num + 1, 0
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if names is None:
                raise _bad_header("its quoting is broken") from None
            yield _error(line, InvalidRequest(f"The row is not CSV by RFC 4180: {error}.", code="invalid_csv"))
            continue
        if not values:
            continue
        if names is None:
            names = _header(values)
            check(names)
        elif len(values) != len(names):
            message = f"The row has {len(values)} values, and the header {len(names)} names."
            yield _error(line, InvalidRequest(message, code="invalid_csv"))
        else:
            yield _line(line, _named(names, values))


def _named(names: Sequence[str], values: Sequence[str]) -> dict[str, str]:
    """A row by its columns; where its cell for the id is empty, it has none, as one whose table has no such column."""
    found = dict(zip(names, values, strict=True))
    if not found.get(CUSTOM_ID, CUSTOM_ID).strip():
        del found[CUSTOM_ID]
    return found


@dataclass(slots=True)
class _Row:
    """The row that is being read: a quotation mark that is never closed makes one of all lines behind it."""

    chars: int = 0


def _whole(lines: Iterable[_Text], row: _Row) -> Iterator[str]:
    for line in lines:
        row.chars += len(line.text)
        if line.is_cut or row.chars > MAX_BODY_BYTES + 2:
            message = f"A row has more than {MAX_BODY_BYTES:,} characters: it is no CSV, or a quote is not closed."
            raise InvalidRequest(message, code="invalid_csv", param="format.type")
        yield line.text


def _header(values: list[str]) -> list[str]:
    names = [value.strip() for value in values]
    if not all(names):
        raise _bad_header("a name is empty")
    if len(set(names)) < len(names):
        raise _bad_header("a name stands there twice")
    return names


def _bad_header(why: str) -> InvalidRequest:
    return InvalidRequest(f"The first line is no header: {why}.", code="invalid_header", param="format.header")


def _line(number: int, body: Any) -> bytes:
    line = wrapped(number, body=body)
    return line if len(line) < LONGEST else _error(number, _too_large())


def _too_large() -> TooLarge:
    return TooLarge(f"The body has more than {MAX_BODY_BYTES} bytes.", code="body_too_large")


def _error(number: int, error: BrokerError) -> bytes:
    return wrapped(number, error=error.facts())
