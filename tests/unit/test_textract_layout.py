"""What Textract finds on pages, in reading order and once: lines, tables, fields of forms; and as a page's text."""

from typing import Any

import pytest
from broker.documents.document import Page
from broker.documents.forms import pages_of
from broker.documents.splitting import split
from broker.providers.aws.textract_blocks import Blocks


def words(page: int, **said: str) -> list[dict[str, Any]]:
    return [{"BlockType": "WORD", "Id": name, "Text": text, "Page": page} for name, text in said.items()]


def block(kind: str, name: str, page: int, *inner: str, **more: Any) -> dict[str, Any]:
    related = [{"Type": "CHILD", "Ids": list(inner)}] if inner else []
    related += [{"Type": "VALUE", "Ids": [more.pop("value")]}] if "value" in more else []
    return {"BlockType": kind, "Id": name, "Page": page, "Relationships": related, **more}


def line(name: str, page: int, text: str, *inner: str) -> dict[str, Any]:
    return block("LINE", name, page, *inner, Text=text)


def cell(name: str, page: int, row: int, column: int, *inner: str) -> dict[str, Any]:
    return block("CELL", name, page, *inner, RowIndex=row, ColumnIndex=column)


def table(page: int, *rows: tuple[str, str], at: str = "") -> list[dict[str, Any]]:
    """A table of two columns, each of whose cells is a word."""
    made: list[dict[str, Any]] = []
    for row, texts in enumerate(rows, 1):
        named = {f"w{at}{page}-{row}-{column}": text for column, text in enumerate(texts, 1)}
        made += words(page, **named)
        made += [line(f"l{at}{page}-{row}", page, " ".join(texts), *named)]
        made += [cell(f"c{name}", page, row, column, name) for column, name in enumerate(named, 1)]
    cells = [each["Id"] for each in made if each["BlockType"] == "CELL"]
    return [*made, block("TABLE", f"t{at}{page}", page, *cells)]


def field(page: int, name: str, key: str, value: str, score: float = 95.0) -> list[dict[str, Any]]:
    said = words(page, **{f"k{name}": key, f"v{name}": value})
    return [
        *said,
        line(f"f{name}", page, f"{key} {value}", f"k{name}", f"v{name}"),
        block("KEY_VALUE_SET", f"V{name}", page, f"v{name}", EntityTypes=["VALUE"]),
        block(
            *("KEY_VALUE_SET", f"K{name}", page, f"k{name}"), EntityTypes=["KEY"], value=f"V{name}", Confidence=score
        ),
    ]


def read(*blocks: dict[str, Any], pages: int = 1) -> dict[int, str]:
    found = Blocks()
    found.take(list(blocks))
    return pages_of(found.layout(pages))


def test_what_a_page_holds_is_told_once_and_where_it_stands() -> None:
    said = read(
        line("a", 1, "Register of lamps"),
        *table(1, ("Part", "Price"), ("Lamp | big", "12")),
        line("b", 1, "Below the table"),
        *field(1, "n", "Name:", "Ann"),
        *field(1, "s", "Signed", "[x]"),
        line("c", 1, "The end"),
    )
    assert said[1] == (
        "Register of lamps\n\n| Part | Price |\n| --- | --- |\n| Lamp \\| big | 12 |\n\nBelow the table\n\n"
        "Name: Ann\nSigned: [x]\n\nThe end"
    )


def test_each_page_has_its_own_and_one_without_anything_keeps_its_number() -> None:
    said = read(line("a", 1, "One"), *table(3, ("A", "B"), ("1", "2")), pages=4)
    assert said == {1: "One", 2: "", 3: "| A | B |\n| --- | --- |\n| 1 | 2 |", 4: ""}


def test_a_field_that_stands_in_a_table_is_not_told_again() -> None:
    blocks = table(1, ("Name", "Ann"))
    key = block("KEY_VALUE_SET", "K", 1, "w1-1-1", EntityTypes=["KEY"], value="V", Confidence=90.0)
    value = block("KEY_VALUE_SET", "V", 1, "w1-1-2", EntityTypes=["VALUE"])
    assert read(*blocks, key, value)[1].count("Ann") == 1


def test_how_sure_it_is_stands_behind_a_field_where_the_merge_goes_by_that() -> None:
    found = Blocks()
    found.take(field(1, "n", "Total", "12", score=61.0))
    assert pages_of(found.layout(1), with_scores=True) == {1: "Total: 12 (confidence 0.61)"}
    assert pages_of(found.layout(1)) == {1: "Total: 12"}


def test_a_reply_with_an_absurd_number_of_pages_makes_no_more_of_them_than_there_may_be() -> None:
    assert len(Blocks().layout(10**12)) == 3_000


def test_the_splitter_cuts_no_row_of_a_table_that_was_found_and_repeats_its_head() -> None:
    rows = [(f"Part{number}", f"{number}.00") for number in range(200)]
    text = read(*table(1, ("Part", "Price"), *rows))[1]
    chunks = split([Page(7, text)], 300)
    assert len(chunks) > 3
    seen = [row for chunk in chunks for row in chunk.text.splitlines() if row.startswith("| Part")]
    assert [each for each in seen if each != "| Part | Price |"] == [f"| {name} | {price} |" for name, price in rows]
    assert all(chunk.text.count("| Part | Price |") == 1 and chunk.pages == (7,) for chunk in chunks)


def test_letters_that_are_none_and_marks_of_pages_in_what_was_read_stay_what_they_are() -> None:
    """A scan that shows `[p. 99]` makes no page of itself: the splitter changes it, as in any text."""
    text = read(line("a", 1, "[p. 99]\u0000\ud800"))[1]
    assert "[p. 99]" not in split([Page(1, text)], 300)[0].text and text.encode()


@pytest.mark.parametrize("before", range(1, 40, 3))
def test_a_table_that_is_smaller_than_half_a_part_stays_whole_wherever_it_stands(before: int) -> None:
    lines = [line(f"a{number}", 1, "The keeper climbed the stair and lit the lamp.") for number in range(before)]
    rows = [(f"Part{number}", f"{number}.00") for number in range(6)]
    after = [line(f"b{number}", 1, "Nobody saw it from the shore.") for number in range(20)]
    text = read(*lines, *table(1, ("Part", "Price"), *rows), *after)[1]
    chunks = split([Page(1, text)], 400)
    (whole,) = [chunk for chunk in chunks if "| Part | Price |" in chunk.text]
    assert all(f"| {name} | {price} |" in whole.text for name, price in rows)
