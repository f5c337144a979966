"""Where the words of a PDF's page stand: PDFium gives its text in reading order, and each letter's place."""

import ctypes
import re
from collections.abc import Iterator
from typing import Any

from broker.documents.layout import GAP, Cell, Line, written

WORD = re.compile(r"\S+")

SAME_LINE = 0.2
"""Between two bottoms, by the height of the line."""

MOST_WORDS = 20_000
"""Of a page whose places are looked at; a page with more is given as it is."""


def laid_out(text_page: Any, raw: str) -> str:
    """The text of a page with its headings and tables marked as Markdown, paragraphs apart.

    Args:
        text_page: PDFium's, open.
        raw: all of its characters, as PDFium gives them.
    """
    if any(ord(letter) > 0xFFFF for letter in raw) or len(WORD.findall(raw)) > MOST_WORDS:
        return raw  # places are counted in UTF-16
    lines: list[Line] = []
    for line in _lines(text_page, raw):
        if lines and _goes_on(lines[-1], line):
            lines[-1].cells += line.cells
        else:
            lines.append(line)
    return written(lines)


def _goes_on(before: Line, line: Line) -> bool:
    """True for what stands further right on the same line: PDFium breaks some rows of tables."""
    return (
        abs(before.bottom - line.bottom) < SAME_LINE * before.height
        and line.cells[0].left > before.cells[-1].right + GAP * before.height
    )


def _lines(text_page: Any, raw: str) -> Iterator[Line]:
    """The lines with their cells, by the places of the words' first and last letters."""
    import pypdfium2.raw as pdfium

    box = pdfium.FS_RECTF()
    given = ctypes.byref(box)
    page = text_page.raw
    place = 0
    for text in raw.split("\n"):
        cells: list[Cell] = []
        bottom = height = 0.0
        for word in WORD.finditer(text):
            if not pdfium.FPDFText_GetLooseCharBox(page, place + word.start(), given):
                continue
            left, right = box.left, box.right
            if not cells:
                bottom, height = box.bottom, box.top - box.bottom
            if word.end() - word.start() > 1 and pdfium.FPDFText_GetLooseCharBox(page, place + word.end() - 1, given):
                right = box.right
            if cells and -0.5 * height < left - cells[-1].right <= GAP * height:
                cells[-1].right = max(right, cells[-1].right)
                cells[-1].text += text[_end(text, word.start()) : word.end()]
            elif cells and left - cells[-1].right <= GAP * height:
                cells[-1].text += " " + word.group()  # further left: written out of order, so no cell of its own
            else:
                cells.append(Cell(left, right, word.group()))
        if cells:
            yield Line(cells, bottom, height)
        place += len(text) + 1


def _end(text: str, start: int) -> int:
    """Where the word before ends: what lies between them is kept."""
    at = start
    while at and text[at - 1].isspace():
        at -= 1
    return at
