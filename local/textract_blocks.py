"""What was read of a page, as Textract's blocks: lines and words, tables, and fields of forms."""

import re
import uuid
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from broker.documents.layout import Cell, Line, read_lines

Json = dict[str, Any]
Box = tuple[float, float, float, float]

FIELD = re.compile(r"([^:]{1,60}:)\s*(\S.*)")
SURE = 97.5


def blocks_of(
    pieces: list[tuple[Box, str]], size: tuple[int, int], wanted: frozenset[str], page: int | None = None
) -> list[Json]:
    """The blocks of a page.

    Args:
        pieces: of text, with where they stand in dots.
        size: of the picture.
        wanted: `TABLES`, `FORMS`.
        page: its number; None where the reply is of one page, and does not tell.
    """
    return list(_Page(size, page).blocks(read_lines(pieces), wanted))


class _Page:
    def __init__(self, size: tuple[int, int], page: int | None) -> None:
        self._size = size
        self._of: Json = {} if page is None else {"Page": page}

    def blocks(self, lines: list[Line], wanted: frozenset[str]) -> Iterator[Json]:
        yield self._block("PAGE")
        said = [(line, [self._words(cell, line) for cell in line.cells]) for line in lines]
        for line, cells in said:
            words = [word for cell in cells for word in cell]
            # The service's lines are what stands side by side without a gap.
            for cell, own in zip(line.cells, cells, strict=True):
                yield self._block("LINE", own, Text=cell.text, Geometry=self._place(cell, line))
            yield from words
        if "TABLES" in wanted:
            yield from self._tables([cells for _, cells in said])
        if "FORMS" in wanted:
            for line, cells in said:
                for cell, own in zip(line.cells, cells, strict=True):
                    yield from self._field(cell, own)

    def _tables(self, lines: list[list[list[Json]]]) -> Iterator[Json]:
        for columns, group in groupby(lines, key=len):
            rows = list(group)
            if columns < 2 or len(rows) < 2:
                continue
            cells = [
                self._block("CELL", words, RowIndex=row, ColumnIndex=column, RowSpan=1, ColumnSpan=1)
                for row, line in enumerate(rows, 1)
                for column, words in enumerate(line, 1)
            ]
            yield self._block("TABLE", cells)
            yield from cells

    def _field(self, cell: Cell, words: list[Json]) -> Iterator[Json]:
        found = FIELD.fullmatch(cell.text)
        if found is None:
            return
        count = len(found[1].split())
        value = self._block("KEY_VALUE_SET", words[count:], EntityTypes=["VALUE"])
        key = self._block("KEY_VALUE_SET", words[:count], EntityTypes=["KEY"])
        key["Relationships"].append({"Type": "VALUE", "Ids": [value["Id"]]})
        yield key
        yield value

    def _words(self, cell: Cell, line: Line) -> list[Json]:
        place = self._place(cell, line)
        return [self._block("WORD", Text=word, TextType="PRINTED", Geometry=place) for word in cell.text.split()]

    def _block(self, kind: str, inner: list[Json] | None = None, **more: Any) -> Json:
        block: Json = {"BlockType": kind, "Id": str(uuid.uuid4()), "Confidence": SURE, **self._of, **more}
        if inner:
            block["Relationships"] = [{"Type": "CHILD", "Ids": [each["Id"] for each in inner]}]
        return block

    def _place(self, cell: Cell, line: Line) -> Json:
        width, height = self._size
        top = -line.bottom - line.height
        box = {"Left": cell.left / width, "Top": top / height}
        return {"BoundingBox": box | {"Width": (cell.right - cell.left) / width, "Height": line.height / height}}
