"""The blocks of Amazon Textract's replies, read as text, fields and tables.

Source: Amazon Textract Developer Guide, "Text detection and document analysis response objects". A block names others
by their ids; a reply's pages may cut between them, so they are gathered first.
"""

from collections.abc import Iterator
from typing import Any

from broker.providers.aws.client import Json
from broker.providers.aws.service import bad, count, rows, score, text, words

KEPT = frozenset({"WORD", "SELECTION_ELEMENT", "KEY_VALUE_SET", "TABLE", "CELL"})
"""Beside lines."""
MOST_PAGES = 3_000
"""Of a document (Amazon Textract Developer Guide, "Set quotas in Amazon Textract")."""

ASIDE = frozenset({"Geometry", "TextType", "RowSpan", "ColumnSpan", "Query"})
"""Of a block."""

MARKS = {"SELECTED": "[x]", "NOT_SELECTED": "[ ]"}


class Blocks:
    """All blocks of one document."""

    def __init__(self) -> None:
        self._lines: dict[int, list[Json]] = {}
        self._blocks: dict[str, Json] = {}

    def take(self, blocks: list[Json]) -> None:
        """Add some, in the service's order, which is that of reading.

        Raises:
            BadOutput: one has no type, or a line no text.
        """
        for block in blocks:
            kind = text(block.get("BlockType"), "kind of block")
            if kind == "LINE":
                text(block.get("Text"), "line")
                self._lines.setdefault(_page(block), []).append(_lean(block))
            elif kind in KEPT:
                self._blocks[text(block.get("Id"), "block")] = _lean(block)

    def text(self) -> str:
        """Lines, and between pages an empty one."""
        return "\n\n".join("\n".join(line["Text"] for line in lines) for _, lines in sorted(self._lines.items()))

    def fields(self) -> list[Json]:
        """What forms hold: `[{"key", "value", "score"}]`."""
        return [self._field(key) for key in self._keys()]

    def tables(self) -> list[list[list[str]]]:
        """Tables as rows of cells; a cell that spans several stands in the first."""
        return [self._table(each) for each in self._of("TABLE")]

    def layout(self, pages: int) -> list[Json]:
        """Each page in reading order: `[{"page", "items": [{"text"} | {"table"} | {"key", "value", "score"}]}]`.

        Tables and fields stand where the first of their lines does, and these lines nowhere else; what has none comes
        behind all others. A field whose words all stand in a table is told by that alone.
        """
        owners: dict[str, str] = {}
        made: dict[str, tuple[int, Json]] = {}
        for table in self._of("TABLE"):
            made[table["Id"]] = _page(table), {"table": self._table(table)}
            cells = self._related(table, "CHILD")
            owners |= {word: table["Id"] for cell in cells for word in self._inner(cell)}
        for key in self._keys():
            parts = [key, *self._related(key, "VALUE")]
            inside = {word for part in parts for word in self._inner(part)}
            if inside and inside <= owners.keys():
                continue
            made[key["Id"]] = _page(key), self._field(key)
            owners |= {word: key["Id"] for word in inside if word not in owners}
        found: dict[int, list[Json]] = {page: [] for page in range(1, min(pages, MOST_PAGES) + 1)}
        for page, lines in sorted(self._lines.items()):
            for line in lines:
                of = [owners.get(word) for word in self._inner(line)]
                for owner in dict.fromkeys(of):
                    if owner in made:
                        found.setdefault(page, []).append(made.pop(owner)[1])
                if not of or None in of:
                    found.setdefault(page, []).append({"text": line["Text"]})
        for page, item in made.values():
            found.setdefault(page, []).append(item)
        return [{"page": page, "items": items} for page, items in sorted(found.items())]

    def _keys(self) -> list[Json]:
        return [each for each in self._of("KEY_VALUE_SET") if "KEY" in words(each.get("EntityTypes"), "types")]

    def _field(self, key: Json) -> Json:
        return {
            "key": self._words(key),
            "value": " ".join(filter(None, (self._words(value) for value in self._related(key, "VALUE")))),
            "score": score(key.get("Confidence"), 100),
        }

    def _inner(self, block: Json) -> list[str]:
        """Ids of the words, and marks, in a block."""
        return [each["Id"] for each in self._related(block, "CHILD")]

    def _table(self, table: Json) -> list[list[str]]:
        cells = [each for each in self._related(table, "CHILD") if each.get("BlockType") == "CELL"]
        places = [(count(each.get("RowIndex"), "row"), count(each.get("ColumnIndex"), "column")) for each in cells]
        height, width = (max((place[axis] for place in places), default=0) for axis in (0, 1))
        # Each place has a cell: a table that is much larger than its cells is none.
        if any(0 in place for place in places) or height * width > 4 * len(cells):
            bad("The service's reply has a table with cells out of place.")
        made = [[""] * width for _ in range(height)]
        for (row, column), cell in zip(places, cells, strict=True):
            made[row - 1][column - 1] = self._words(cell)
        return made

    def _of(self, kind: str) -> Iterator[Json]:
        return (each for each in self._blocks.values() if each["BlockType"] == kind)

    def _related(self, block: Json, kind: str) -> list[Json]:
        found: list[Any] = []
        for relation in rows(block.get("Relationships") or [], "relationships"):
            if relation.get("Type") == kind:
                found += [self._blocks[each] for each in words(relation.get("Ids"), "ids") if each in self._blocks]
        return found

    def _words(self, block: Json) -> str:
        inner = self._related(block, "CHILD")
        said = (each.get("Text") or MARKS.get(str(each.get("SelectionStatus"))) for each in inner)
        return " ".join(text(each, "word") for each in said if each is not None)


def _lean(block: Json) -> Json:
    """Without its place on the page, which is most of it: a document has tens of thousands."""
    return {name: value for name, value in block.items() if name not in ASIDE}


def _page(block: Json) -> int:
    """Of a reply about one page, the blocks may leave out which."""
    return count(block.get("Page", 1), "page")
