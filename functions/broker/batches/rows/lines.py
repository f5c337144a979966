"""Lines of a stream of bytes, whatever its pieces are, with bounded memory."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from broker.json_text import MAX_BODY_BYTES

LONGEST = MAX_BODY_BYTES + 3
"""Bytes that are kept of a line: one that has a request of the most that is taken, and its end, is shorter."""


class Line(NamedTuple):
    """One line: its length in bytes, its end included, and what is kept of it."""

    length: int
    data: bytes


def is_blank(data: bytes) -> bool:
    """True for what is kept of a line where there is nothing in it: it is no row."""
    return len(data) < LONGEST and not data.strip()


def split(pieces: Iterable[bytes], longest: int = LONGEST) -> Iterator[Line]:
    """The lines of a stream, each with its end (LF; the last may have none).

    By bytes: `str.splitlines` would also break at separators that JSON allows inside of texts. Of a line that is longer
    than `longest` only the beginning is kept.
    """
    begun, length = bytearray(), 0
    for piece in pieces:
        start = 0
        while (end := piece.find(b"\n", start) + 1) > 0:
            if length:
                begun += piece[start : min(end, start + longest - len(begun))]
                yield Line(length + end - start, bytes(begun))
                begun.clear()
                length = 0
            else:
                yield Line(end - start, piece[start : min(end, start + longest)])
            start = end
        if start < len(piece):
            begun += piece[start : start + longest - len(begun)]
            length += len(piece) - start
    if length:
        yield Line(length, bytes(begun))
