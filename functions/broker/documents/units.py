"""What a page's text is made of, for who splits it: headings, rows of tables, paragraphs, sentences, words.

Units follow each other without a gap: white space behind one belongs to it. Each has the seam that stands before it, by
how well a text may be parted there.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from broker.documents.document import Page

Count = Callable[[str], int]
"""Tokens of a text."""

CUT, WORD, SENTENCE, ROW, PARAGRAPH, PAGE = range(6)
HEADING = 11
"""Seams, the weakest first: in a word; before a word, sentence, row, paragraph, page; before a heading of level 1, and
one less for each level below."""

FINE = 8
"""A paragraph that takes more than one of so many parts of a chunk is several units: its sentences."""

_LINES = re.compile(r"[^\n]*\n|[^\n]+\Z")
_HEADING = re.compile(r"(#{1,6})[ \t]+\S")
_RULER = re.compile(r"\s*\|(?:[ \t]*:?-+:?[ \t]*\|)+\s*\Z")
_SENTENCES = re.compile(r"[.!?…][\"'\u201d\u2019)\]]{0,3}\s+(?=\S)|[。\uff01\uff1f](?=\S)|\n(?=\S)")
_WORDS = re.compile(r"\s(?=\S)")
"""Behind which a sentence, and a word, ends."""
_CELLS = re.compile(r"(?<!\\)\|[ \t]*(?=\S)")
"""Behind which a cell ends."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A passage that stays whole: characters `begin` to `end` of its page's text."""

    page: int
    """The page's number."""
    begin: int
    end: int
    text: str
    seam: int
    """Before it."""
    tokens: int = 0
    head: str = ""
    """Of a row: the head of its table, which stands further up."""
    cuts_a_row: bool = False
    """True for a part of a row that is larger than a unit may be."""


@dataclass(frozen=True, slots=True)
class _Line:
    begin: int
    end: int
    text: str
    gap: bool
    """True where empty lines follow; they are its own."""

    @property
    def is_row(self) -> bool:
        return self.text.lstrip().startswith("|")

    @property
    def level(self) -> int:
        """Of a heading; 0 for what is none."""
        found = _HEADING.match(self.text)
        return len(found[1]) if found else 0


def units_of(page: Page, most: int, count: Count) -> Iterator[Unit]:
    """The units of a page, none with more than `most` tokens; none of a page without text."""
    before = PAGE
    for block in _blocks(page):
        if before == PAGE:
            seam = max(block.seam, PAGE)
        elif before > PAGE and block.seam < PAGE:
            seam = WORD  # a heading stays with what it is of
        else:
            seam = block.seam
        before = block.seam if block.seam > PAGE else CUT
        yield from _small(replace(block, seam=seam), most, count)


def _blocks(page: Page) -> Iterator[Unit]:
    """Headings, rows (the first with the ruler below it), and paragraphs."""
    lines = list(_lines(page.text))
    place, head, in_table = 0, "", False
    while place < len(lines):
        first = last = lines[place]
        place += 1
        if first.level:
            seam, in_table = HEADING + 1 - first.level, False
        elif first.is_row:
            seam = ROW if in_table else PARAGRAPH
            if not in_table:
                head = ""
            if not in_table and not first.gap and place < len(lines) and _RULER.match(lines[place].text):
                last = lines[place]
                place += 1
                head = page.text[first.begin : last.end].rstrip() + "\n"
            in_table = not last.gap
        else:
            seam, in_table = PARAGRAPH, False
            while place < len(lines) and not (last.gap or lines[place].is_row or lines[place].level):
                last = lines[place]
                place += 1
        text = page.text[first.begin : last.end]
        yield Unit(page.number, first.begin, last.end, text, seam, 0, head if seam == ROW else "")


def _lines(text: str) -> Iterator[_Line]:
    """The lines that are not empty, each with the empty ones behind it; the first also with those before it."""
    begin = end = 0
    held: str | None = None
    gap = False
    for found in _LINES.finditer(text):
        if found[0].strip():
            if held is not None:
                yield _Line(begin, end, held, gap)
                begin = end
            held, gap = found[0], False
        else:
            gap = True
        end = found.end()
    if held is not None:
        yield _Line(begin, end, held, gap)


def _small(unit: Unit, most: int, count: Count) -> Iterator[Unit]:
    """A block as units: whole where it is small, or a row that fits."""
    tokens = count(unit.text)
    is_row = unit.text.lstrip().startswith("|")
    if tokens <= (most if is_row or unit.seam > PAGE else most // FINE):
        yield replace(unit, tokens=tokens)
    elif is_row:
        parts = _parted(replace(unit, cuts_a_row=True, head=""), _CELLS, WORD)
        yield from _gathered(parts, most, count)
    else:
        yield from _gathered(_parted(unit, _SENTENCES, SENTENCE), most, count)


def _gathered(parts: Iterator[Unit], most: int, count: Count) -> Iterator[Unit]:
    """Units that are small enough; others are parted at their words, and these where nothing else is left."""
    for part in parts:
        tokens = count(part.text)
        if tokens <= most:
            yield replace(part, tokens=tokens)
        elif found := _middle(part):
            yield from _gathered(_cut(part, found, WORD), most, count)
        else:
            yield from _gathered(_cut(part, part.begin + len(part.text) // 2, CUT), most, count)


def _parted(unit: Unit, ends: re.Pattern[str], seam: int) -> Iterator[Unit]:
    begin, strength = 0, unit.seam
    for found in ends.finditer(unit.text):
        yield _part(unit, begin, found.end(), strength)
        begin, strength = found.end(), seam
    yield _part(unit, begin, len(unit.text), strength)


def _middle(unit: Unit) -> int | None:
    """Where to halve a text: at the end of a word, in its middle third; None where there is none."""
    third = len(unit.text) // 3
    half = _WORDS.search(unit.text, len(unit.text) // 2, 2 * third) or _WORDS.search(unit.text, third, 2 * third)
    return unit.begin + half.end() if half and 0 < half.end() < len(unit.text) else None


def _cut(unit: Unit, at: int, seam: int) -> Iterator[Unit]:
    yield _part(unit, 0, at - unit.begin, unit.seam)
    yield _part(unit, at - unit.begin, len(unit.text), seam)


def _part(unit: Unit, begin: int, end: int, seam: int) -> Unit:
    return replace(unit, begin=unit.begin + begin, end=unit.begin + end, text=unit.text[begin:end], seam=seam)
