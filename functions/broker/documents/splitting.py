"""Splits a document into chunks of so many tokens, where its structure lets it be split.

    pages ──► units (headings, rows of tables, paragraphs, sentences, words) ──► chunks

Units are the document's text without a gap, so each character of it is in some chunk, in order. A chunk ends where the
structure has its strongest seam, if it is at least half full there; only where there is none does it end at a
sentence, and only a sentence that is larger than a chunk is cut. A row of a table is never cut, unless it is larger
than a chunk by itself: then it is cut between its cells, and the chunk says so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from broker.documents.document import Page
from broker.documents.units import HEADING, PAGE, PARAGRAPH, SENTENCE, Count, Unit, units_of
from broker.postprocessing.citations import page_mark, without_page_marks
from broker.token_estimates import estimate

By = Literal["headings", "pages", "paragraphs", "sentences"]

SEAMS: dict[By, int] = {"headings": HEADING, "pages": PAGE, "paragraphs": PARAGRAPH, "sentences": SENTENCE}
"""The seam that chunks end at by preference; what is stronger counts as much."""

LEAST_SIZE = 100
"""Tokens of a chunk: with fewer, marks of pages and heads of tables would leave no room for text."""

MARK_TOKENS = 14
"""Of the mark of a page with the breaks around it, at most, in any family."""

BEHIND = 2
"""A chunk that ends at a seam is at least one of so many parts full."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage of a page: characters `begin` to `end` of its text."""

    page: int
    """The page's number."""
    begin: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a document that a model is given at once."""

    number: int
    """From 1, in the order of the document."""
    text: str
    """As a model sees it: each page after its mark, `[p. 12]`; nothing in the document's own text reads as one."""
    pages: tuple[int, ...]
    """The pages that it has something of, with its overlap."""
    pieces: tuple[Piece, ...]
    """What is new in it, by page."""
    tokens: int
    """Of `text`, as the family counts."""
    cuts_a_row: bool = False
    """True where a row of a table was larger than a chunk, and a part of it is here."""


def split(
    pages: Sequence[Page], size: int, overlap: int = 0, by: By = "headings", family: str | None = None
) -> list[Chunk]:
    """The chunks of a document, in order; none of a document without text.

    Args:
        pages: in reading order, with numbers that are theirs alone.
        size: tokens of a chunk at most, with its overlap and all marks; `LEAST_SIZE` or more.
        overlap: tokens of the end of a chunk that the next begins with, at most; less than half the size. It begins
            with a whole unit: a sentence, a row, a paragraph.
        by: the seam that chunks end at by preference.
        family: whose tokens (`token_estimates.family_of`).

    Raises:
        ValueError: a size or an overlap that is none.
    """
    if size < LEAST_SIZE or not 0 <= overlap < size // 2:
        raise ValueError("size is too small, or overlap too large")
    count = partial(estimate, family=family)
    units = [unit for page in pages for unit in units_of(page, size - MARK_TOKENS, count)]
    return list(_chunks(units, size, overlap, SEAMS[by], count))


def split_pages(pages: Sequence[Page], size: int, family: str | None = None) -> list[Chunk]:
    """A chunk for each page that has text, and several of a page that is larger than the size.

    Raises:
        ValueError: a size that is none.
    """
    chunks = [chunk for page in pages for chunk in split([page], size, 0, "headings", family)]
    return [
        Chunk(number, each.text, each.pages, each.pieces, each.tokens, each.cuts_a_row)
        for number, each in enumerate(chunks, 1)
    ]


def _chunks(units: list[Unit], size: int, overlap: int, seam: int, count: Count) -> Iterator[Chunk]:
    first = number = 0
    while first < len(units):
        number += 1
        begin = _overlap_from(units, first, overlap)
        head = _head(units[begin], size, count)
        end = _seam(units, first, _fits(units, begin, first, size - (count(head) if head else 0)), seam)
        begin, end, text, tokens = _written_within(units, (begin, first, end), head, size, count)
        shown, new = units[begin:end], units[first:end]
        numbers = tuple(dict.fromkeys(unit.page for unit in shown))
        cut = any(unit.cuts_a_row for unit in new)
        yield Chunk(number, text, numbers, tuple(_pieces(new)), tokens, cut)
        first = end


def _written_within(
    units: list[Unit], place: tuple[int, int, int], head: str, size: int, count: Count
) -> tuple[int, int, str, int]:
    """Begin, end, text and tokens of a chunk. Units may take more together than one by one, so the last may not fit."""
    begin, first, end = place
    tries = [(begin, end, head), *((first, each, head) for each in range(end, first, -1)), (first, first + 1, "")]
    for begin, end, above in tries:
        text = _written(units[begin:end], above)
        tokens = count(text)
        if tokens <= size:
            break
    return begin, end, text, tokens


def _overlap_from(units: list[Unit], first: int, overlap: int) -> int:
    begin, left = first, overlap
    while begin > 0 and left > 0:
        left -= units[begin - 1].tokens
        if left < 0:
            break
        begin -= 1
    return begin


def _fits(units: list[Unit], begin: int, first: int, size: int) -> int:
    """Behind the last unit that fits by the sum of its parts, with one new one at least."""
    left, page, end = size, None, begin
    while end < len(units):
        left -= units[end].tokens + (MARK_TOKENS if units[end].page != page else 0)
        if left < 0 and end > first:
            break
        page = units[end].page
        end += 1
    return end


def _seam(units: list[Unit], first: int, after: int, seam: int) -> int:
    """Where to end, at or before a place: at the strongest seam there is behind the first half; the last of equals."""
    if after >= len(units):
        return after
    taken, total, best, found = 0, sum(unit.tokens for unit in units[first:after]), after, -1
    for place in range(first, after):
        taken += units[place].tokens
        strength = min(units[place + 1].seam, seam)
        if strength >= found and taken * BEHIND >= total:
            best, found = place + 1, strength
    return best


def _head(first: Unit, size: int, count: Count) -> str:
    """The head of the table in the midst of which a chunk begins, where it takes no more than a quarter of it."""
    return first.head if first.head and count(first.head) * 4 <= size else ""


def _written(units: list[Unit], head: str) -> str:
    """The text of units, each page after its mark. What reads as a mark in a page's own text is changed."""
    parts = []
    for piece in _pieces(units):
        text = without_page_marks(head + piece.text).strip("\n")
        parts.append(f"{page_mark(piece.page)}\n{text}")
        head = ""
    return "\n\n".join(parts)


def _pieces(units: list[Unit]) -> Iterator[Piece]:
    start = 0
    for place, unit in enumerate(units):
        last = place + 1 == len(units)
        if last or units[place + 1].page != unit.page:
            run = units[start : place + 1]
            yield Piece(unit.page, run[0].begin, unit.end, "".join(each.text for each in run))
            start = place + 1
