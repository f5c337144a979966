"""Converting: rows that came in another form than JSON lines in UTF-8, as lines that tell where each stood before.

    CSV, or lines in another encoding ──► stream of text ──► {"line": 7, "body": …} (`batches.sources`) ──► an object
    rows of a batch to retry          ──►

What cannot be told apart any more, such as quotes that never end or bytes of no encoding, fails the batch as a whole,
with the line; what is wrong with one row alone is said of that row.
"""

import csv
import json
from collections.abc import Iterator
from io import BufferedReader, RawIOBase, TextIOWrapper
from typing import Any

from broker import json_text
from broker.batches.batch import Batch
from broker.batches.ports import RowBytes
from broker.batches.retrying import rows_to_retry
from broker.batches.store import Batches
from broker.errors import BrokerError, InvalidRequest, TooLarge
from broker.jobs.fields import MAX_BODY_BYTES

MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
"""Byte order marks, and the encodings that read them. The longer ones come first, for they begin as the shorter."""

UTF_8 = ("utf-8", "utf_8", "utf8", "utf-8-sig", "utf_8_sig", "ascii", "us-ascii")
"""Encodings whose lines are read where they lie."""

MOST_COLUMNS = 1_000

READ_BYTES = 1 << 16


def converted(batch: Batch, batches: Batches, rows: RowBytes) -> Iterator[bytes] | None:
    """The rows of a batch in lines of our own; None where they are read as they lie.

    Raises:
        InvalidRequest: while they are gone through: they cannot be read as what they are said to be.
        NotFound: they were deleted.
    """
    if batch.source.get("kind") == "retry":
        return rows_to_retry(batches, rows, batches.get(batch.source["batch"], batch.tenant))
    form = batch.asked.get("input", {})
    encoding = form.get("encoding") or _marked(rows, batch.source)
    if form.get("form") == "csv":
        return _of_csv(rows, batch.source, encoding, form)
    if encoding.lower() in UTF_8:
        return None
    return _of_lines(rows, batch.source, encoding)


def _marked(rows: RowBytes, where: dict[str, Any]) -> str:
    begin = b"".join(rows.pieces(where, 0, min(4, rows.size(where))))
    return next((name for mark, name in MARKS if begin.startswith(mark)), "utf-8-sig")


class _Stream(RawIOBase):
    """Pieces of bytes as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """See `io.RawIOBase.readinto`."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = piece
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def _texts(rows: RowBytes, where: dict[str, Any], encoding: str, newline: str) -> Iterator[str]:
    """The lines of a file as texts, each with its end."""
    name = "utf-8-sig" if encoding.lower() in UTF_8 else encoding
    try:
        text = TextIOWrapper(BufferedReader(_Stream(rows.pieces(where)), READ_BYTES), name, newline=newline)
        number = 0
        while line := text.readline(MAX_BODY_BYTES + 1):
            number += 1
            if len(line) > MAX_BODY_BYTES:
                message = f"Line {number} has more than {MAX_BODY_BYTES} characters."
                raise TooLarge(message, code="line_too_long", param=f"line {number}")
            yield line
    except UnicodeError:
        raise InvalidRequest(f"The file is not {encoding}.", code="invalid_encoding", param="format.encoding") from None
    except LookupError:
        message = f"There is no encoding {encoding!r}."
        raise InvalidRequest(message, code="invalid_encoding", param="format.encoding") from None


def _of_lines(rows: RowBytes, where: dict[str, Any], encoding: str) -> Iterator[bytes]:
    for number, line in enumerate(_texts(rows, where, encoding, "\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json_text.read(line)
        except InvalidRequest as error:
            yield _wrong(number, error)
        else:
            yield _told(number, value)


def _of_csv(rows: RowBytes, where: dict[str, Any], encoding: str, form: dict[str, Any]) -> Iterator[bytes]:
    """Rows by RFC 4180: values may be quoted, and then have separators and line ends in them."""
    csv.field_size_limit(MAX_BODY_BYTES)
    reader = csv.reader(_texts(rows, where, encoding, ""), delimiter=form.get("separator") or ",")
    found = _values(reader)
    names = form.get("header") or next(found, (0, []))[1]
    if not names:
        raise InvalidRequest("The file is empty.", code="empty_file")
    check_header(names)
    for number, values in found:
        if len(values) != len(names):
            message = f"The row has {len(values)} values, and the header {len(names)}."
            yield _wrong(number, InvalidRequest(message, code="invalid_row"))
            continue
        body = dict(zip(names, values, strict=True))
        if body.get("custom_id") == "":
            del body["custom_id"]
        yield _told(number, body)


def _values(reader: Any) -> Iterator[tuple[int, list[str]]]:
    """Rows with the numbers of their first lines; blank lines are none."""
    while True:
        number = reader.line_num + 1
        try:
            values = next(reader, None)
        except csv.Error:
            message = f"The row that begins in line {number} cannot be read: its quotes do not end, or are misplaced."
            raise InvalidRequest(message, code="invalid_csv", param=f"line {number}") from None
        if values is None:
            return
        if any(each.strip() for each in values) or len(values) > 1:
            yield number, values


def check_header(names: list[str]) -> None:
    """Check the names of columns.

    Raises:
        InvalidRequest: one is empty, or stands there twice, or they are too many.
    """
    if len(names) > MOST_COLUMNS:
        raise InvalidRequest(f"The header has more than {MOST_COLUMNS} names.", code="invalid_header", param="header")
    seen: set[str] = set()
    for place, name in enumerate(names, start=1):
        if not name.strip():
            raise InvalidRequest(f"Column {place} has no name.", code="invalid_header", param=f"header.{place}")
        if name in seen:
            message = f"Column {place} has the name of an earlier one."
            raise InvalidRequest(message, code="invalid_header", param=f"header.{place}")
        seen.add(name)


def _told(number: int, body: Any) -> bytes:
    line = _line({"line": number, "body": body})
    if len(line) > MAX_BODY_BYTES:
        message = f"The body has more than {MAX_BODY_BYTES} bytes."
        return _wrong(number, TooLarge(message, code="body_too_large"))
    return line


def _wrong(number: int, error: BrokerError) -> bytes:
    return _line({"line": number, "error": error.facts()})


def _line(value: dict[str, Any]) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    except UnicodeEncodeError:  # half of a surrogate pair, which whoever checks the request refuses
        return json.dumps(value, separators=(",", ":")).encode() + b"\n"
