"""Columns of prose are read one after the other, and columns of tables beside each other."""

from pathlib import Path

from broker.documents.layout import read_lines, written
from broker.documents.sandbox import read

from tests.unit.documents.samples import Words, pdf

LEFT = [f"The keeper wrote line {number} here." for number in range(8)]
RIGHT = [f"And the lamp says line {number} too." for number in range(8)]
TABLE = [("Part", "Remarks of the keeper"), ("Lamp", "burns all night long"), ("Wick", "is short"), ("Oil", "is dear")]


def test_a_page_that_was_written_line_by_line_is_read_column_by_column(tmp_path: Path) -> None:
    words: list[Words] = []
    for number, (left, right) in enumerate(zip(LEFT, RIGHT, strict=True)):
        words += [(50, 700 - 14 * number, 11, left), (320, 700 - 14 * number, 11, right)]
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf(words))
    assert read(path).text == "\n".join(LEFT) + "\n\n" + "\n".join(RIGHT)


def pieces(
    left: list[str], right: list[str], shift: float = 0.0
) -> list[tuple[tuple[float, float, float, float], str]]:
    found = []
    for number, (one, two) in enumerate(zip(left, right, strict=True)):
        top = 100.0 + 30 * number
        found += [((50.0, top, 50 + 12.0 * len(one), top + 20), one)]
        found += [((600.0, top + shift, 600 + 12.0 * len(two), top + shift + 20), two)]
    return found


def test_a_scanned_page_is_read_column_by_column_below_what_reaches_over_both() -> None:
    title = ((50.0, 40.0, 1_000.0, 60.0), "A title of all that stands below it")
    last = ((60.0, 400.0, 990.0, 420.0), "And a line of which nobody knows whose it is")
    for shift in (0.0, 14.0):  # lines need not stand beside each other
        said = written(read_lines([last, *pieces(LEFT, RIGHT, shift), title]))
        assert [line for line in said.split("\n") if line] == [title[1], *LEFT, *RIGHT, last[1]]


def test_a_table_stays_a_table() -> None:
    rows = [*TABLE, *((f"Part {number}", "is kept below") for number in range(8))]
    said = written(read_lines(pieces([left for left, _ in rows], [right for _, right in rows])))
    assert said.startswith("| Part | Remarks of the keeper |\n| --- | --- |\n| Lamp | burns all night long |")


def test_nothing_is_read_where_nothing_is() -> None:
    assert read_lines([]) == []
