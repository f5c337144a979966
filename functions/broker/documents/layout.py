"""From where words stand on a page: what is a heading, a paragraph, a table.

How tall a line's letters are tells headings; gaps between its words tell cells, and lines whose cells stand below each
other are a table. Lines come in reading order, from a PDF or from what was read in a picture.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from broker.documents import markdown

LARGER = 1.18
"""A heading's letters, by those of most of the page's text."""

LEVELS = ((1.75, 1), (1.35, 2), (LARGER, 3))
"""A heading's level by the size of its letters."""

GAP = 0.95
"""Between cells, by the height of the line: some three spaces."""

APART = 1.7
"""From line to line, by their height; what is further apart is a new paragraph."""

UNEVEN = 0.3
"""Of heights of lines that were read in a picture, by the middle one."""

LONGEST_CELL = 90
"""Characters, of the middle one: longer ones are columns of prose."""


FEWEST_LINES = 5
"""Of a column of prose."""

FILLED = 0.75
"""Of a column's width by a line of prose; and the share of its lines that are so long."""

MOST_OVER = 0.25
"""Of a page's lines that reach over both of its columns: titles, and what stands below pictures."""

MOST_EDGES = 100
"""Left edges that are tried for the right column's."""

FEWEST_CHARACTERS, FEWEST_WORDS = 20, 3
"""Of the middle line of a column of prose; what is shorter may be a table's."""


@dataclass(slots=True)
class Cell:
    """Words without a gap between them. Places are points from the left."""

    left: float
    right: float
    text: str


@dataclass(slots=True)
class Line:
    """One line of the page."""

    cells: list[Cell]
    bottom: float
    height: float

    @property
    def text(self) -> str:
        """As PDFium has it, with one space between the cells."""
        return " ".join(cell.text for cell in self.cells)


def written(lines: list[Line]) -> str:
    """The lines as Markdown: headings and tables marked, paragraphs apart."""
    sizes = Counter[float]()
    for line in lines:
        sizes[round(line.height, 1)] += len(line.text)
    usual = sizes.most_common(1)[0][0] if sizes else 0.0
    return markdown.neat("\n".join(_written(lines, usual)))


def _written(lines: list[Line], usual: float) -> Iterator[str]:
    at = 0
    before: Line | None = None
    while at < len(lines):
        if table := _table(lines, at):
            end, text = table
            yield f"\n{text}\n"
            before, at = None, end
            continue
        line = lines[at]
        at += 1
        level = _level(line, usual)
        if level:
            texts = [line.text]
            while at < len(lines) and abs(lines[at].height - line.height) < 0.1 and _is_next(lines[at - 1], lines[at]):
                texts.append(lines[at].text)
                at += 1
            yield f"\n{markdown.heading(' '.join(texts), level)}\n"
            before = None
            continue
        if before and not _is_next(before, line):
            yield ""
        yield line.text
        before = line


def _is_next(above: Line, below: Line) -> bool:
    """True where a line goes on right below another; not for a line higher up, which begins a column."""
    return -0.5 * above.height < above.bottom - below.bottom < APART * max(above.height, below.height)


def _level(line: Line, usual: float) -> int:
    text = line.text
    if not usual or len(text) > markdown.LONGEST_HEADING or not any(letter.isalpha() for letter in text):
        return 0
    return next((level for ratio, level in LEVELS if line.height >= ratio * usual), 0)


def _table(lines: list[Line], at: int) -> tuple[int, str] | None:
    """A table that begins at a line: where it ends, and its text; None where there is none."""
    rows, end = _rows(lines, at)
    if len(rows) < 2 or (len(rows) < 3 and max(len(row.cells) for row in rows) < 3):
        return None
    columns = _columns(cell for row in rows for cell in row.cells)
    lengths = sorted(len(cell.text) for row in rows for cell in row.cells)
    if len(columns) < 2 or lengths[len(lengths) // 2] > LONGEST_CELL:
        return None
    sides = [[cell for row in rows for cell in row.cells if left <= cell.left <= right] for left, right in columns]
    if all(_is_prose(side) for side in sides):
        return end, "\n\n".join("\n".join(cell.text for cell in side) for side in sides)
    found = [_row(row, columns) for row in rows]
    if sum(sum(1 for cell in row if cell) > 1 for row in found) < 0.7 * len(found):
        return None
    return end, markdown.table(found)


def _rows(lines: list[Line], at: int) -> tuple[list[Line], int]:
    """The lines with several cells, and where they end.

    A line of one cell right below, which does not begin in the first column, goes on with the cell above.
    """
    rows: list[Line] = []
    end = at
    while end < len(lines):
        line = lines[end]
        if len(line.cells) == 1:
            second = min((row.cells[1].left for row in rows), default=0.0)
            if not rows or line.cells[0].left < second - GAP * line.height or not _is_next(lines[end - 1], line):
                break
            rows[-1] = Line([*rows[-1].cells, *line.cells], rows[-1].bottom, rows[-1].height)
        else:
            rows.append(line)
        end += 1
    return rows, end


def _columns(cells: Iterable[Cell]) -> list[tuple[float, float]]:
    """Where the columns are: cells that overlap are in one."""
    columns: list[tuple[float, float]] = []
    for cell in sorted(cells, key=lambda each: each.left):
        if columns and cell.left < columns[-1][1]:
            columns[-1] = (columns[-1][0], max(columns[-1][1], cell.right))
        else:
            columns.append((cell.left, cell.right))
    return columns


def _is_prose(cells: list[Cell]) -> bool:
    """True for a column whose lines are sentences: most are as wide as it is."""
    if len(cells) < FEWEST_LINES:
        return False
    width = max(cell.right for cell in cells) - min(cell.left for cell in cells)
    texts = sorted((cell.text for cell in cells), key=len)
    middle = texts[len(texts) // 2]
    wide = sum(cell.right - cell.left >= FILLED * width for cell in cells)
    return wide >= FILLED * len(cells) and len(middle) >= FEWEST_CHARACTERS and len(middle.split()) >= FEWEST_WORDS


def _row(line: Line, columns: list[tuple[float, float]]) -> list[str]:
    texts = [""] * len(columns)
    for cell in line.cells:
        place = next(number for number, (left, right) in enumerate(columns) if left <= cell.left <= right)
        texts[place] = f"{texts[place]} {cell.text}".strip()
    return texts


Box = tuple[float, float, float, float]
"""Left, top, right, bottom; from the top left of a picture."""


Piece = tuple[Box, str]


def read_lines(pieces: Iterable[Piece]) -> list[Line]:
    """Pieces of text that were read in a picture as lines from top to bottom, their cells from the left.

    Of two columns of prose the left one comes first, as far as nothing reaches over both.
    """
    kept = list(pieces)
    gutter = _gutter(kept)
    if gutter is None:
        return _evened(_below_each_other(kept))
    lines: list[Line] = []
    sides: tuple[list[Piece], list[Piece]] = ([], [])
    for piece in sorted(kept, key=lambda piece: piece[0][1] + piece[0][3]):
        (left, _, right, _), _ = piece
        if left < gutter < right:
            lines += [line for side in sides for line in _below_each_other(side)] + _below_each_other([piece])
            sides = ([], [])
        else:
            sides[left >= gutter].append(piece)
    lines += [line for side in sides for line in _below_each_other(side)]
    return _evened(lines)


def _gutter(pieces: list[Piece]) -> float | None:
    """Where two columns of prose part: between the left edges of the right one and the right edges of the left one."""
    width = max((right for (_, _, right, _), _ in pieces), default=0.0) or 1.0
    edges: dict[int, float] = {}  # so many that a page of thousands of words takes no square of time
    for (edge, _, _, _), _ in pieces:
        place = int(edge / width * MOST_EDGES)
        edges[place] = min(edge, edges.get(place, edge))
    for _, edge in sorted(edges.items()):
        gutter = edge - 1
        left = [Cell(box[0], box[2], text) for box, text in pieces if box[2] <= gutter]
        right = [Cell(box[0], box[2], text) for box, text in pieces if box[0] >= gutter]
        over = len(pieces) - len(left) - len(right)
        if over <= MOST_OVER * len(pieces) and _is_prose(left) and _is_prose(right):
            return gutter
    return None


def _below_each_other(pieces: list[Piece]) -> list[Line]:
    lines: list[Line] = []
    tops: list[float] = []
    for (left, top, right, bottom), text in sorted(pieces, key=lambda piece: piece[0][1] + piece[0][3]):
        middle = (top + bottom) / 2
        if lines and tops[-1] < middle < -lines[-1].bottom:
            lines[-1].cells.append(Cell(left, right, text))
            lines[-1].cells.sort(key=lambda cell: cell.left)
        else:
            lines.append(Line([Cell(left, right, text)], -bottom, bottom - top))  # upwards, as in PDF
            tops.append(top)
    return lines


def _evened(lines: list[Line]) -> list[Line]:
    """Make heights that are nearly the middle one the same: a box is as high as its tallest letter."""
    heights = sorted(line.height for line in lines)
    usual = heights[len(heights) // 2] if heights else 0.0
    for line in lines:
        if abs(line.height - usual) < UNEVEN * usual:
            line.height = usual
    return lines
