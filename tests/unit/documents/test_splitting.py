"""Splitting: nothing is lost, nothing is too large, and what belongs together stays together."""

import re
from itertools import pairwise

import pytest
from broker.documents.document import Page
from broker.documents.splitting import LEAST_SIZE, SEAMS, By, Chunk, split, split_pages
from broker.postprocessing.citations import cited_pages
from broker.token_estimates import FAMILIES, estimate
from hypothesis import given, settings
from hypothesis import strategies as some

SENTENCE = "The keeper climbed the stair and lit the lamp before the ships came in. "
ROWS = "| Lamp | Height | Lit |\n| --- | --- | --- |\n"

PIECES = some.sampled_from(
    [
        *(
            "# One\n\n",
            "### Deeper\n",
            "\n\n",
            "\n",
            "   \n",
            SENTENCE,
            SENTENCE * 8,
            "| a | b |\n",
            ROWS,
            "| x |\n" * 30,
        ),
        *(
            "word " * 60,
            "x" * 300,
            "[p. 999]\n",
            "[pp. 1-3]",
            "灯台には誰もいなかった。" * 12,
            "Ѫ" * 90,
            "1234567890" * 9,
        ),
        *(
            "| " + "cell, " * 200 + "|\n",
            "|" + "a|" * 300 + "\n",
            "# \n",
            "#" * 40,
            "\t|x",
            "\\| ",
            "…",
            "!" * 50,
            "A" * 45,
        ),
    ]
)
TEXTS = some.lists(PIECES, max_size=14).map("".join) | some.text(max_size=300)
DOCUMENTS = some.lists(TEXTS, max_size=6).map(
    lambda texts: [Page(number, text) for number, text in enumerate(texts, 1)]
)


def told(chunks: list[Chunk]) -> list[tuple[int, str]]:
    """What is new in each chunk, piece by piece."""
    return [(piece.page, piece.text) for chunk in chunks for piece in chunk.pieces]


@settings(max_examples=300, deadline=None)
@given(
    DOCUMENTS,
    some.integers(LEAST_SIZE, 900),
    some.integers(0, 49),
    some.sampled_from(list(SEAMS)),
    some.sampled_from([None, *FAMILIES]),
)
def test_all_of_a_document_is_in_its_chunks_in_order_and_none_is_too_large(
    pages: list[Page], size: int, overlap: int, by: By, family: str | None
) -> None:
    chunks = split(pages, size, overlap, by, family)
    for page in pages:
        pieces = [piece for chunk in chunks for piece in chunk.pieces if piece.page == page.number]
        assert "".join(piece.text for piece in pieces) == (page.text if page.text.strip() else "")
        ends = [0, *(piece.end for piece in pieces)]
        assert [piece.begin for piece in pieces] == ends[:-1], "each piece begins where the one before it ends"
    numbers = [page for page, _ in told(chunks)]
    assert numbers == sorted(numbers)
    assert [chunk.number for chunk in chunks] == list(range(1, len(chunks) + 1))
    for chunk in chunks:
        assert estimate(chunk.text, family) == chunk.tokens <= size
        assert chunk.pieces, "each chunk has something new"
        assert {piece.page for piece in chunk.pieces} <= set(chunk.pages)
        assert cited_pages(chunk.text.replace("`", "'")) == set(chunk.pages), (
            "no page's text reads as another page's mark"
        )


@settings(max_examples=100, deadline=None)
@given(some.lists(some.integers(1, 40), min_size=1, max_size=60), some.integers(150, 600), some.integers(0, 60))
def test_a_row_of_a_table_is_whole_and_stands_below_its_head(words: list[int], size: int, overlap: int) -> None:
    rows = [f"| {number} | {'word ' * length}|" for number, length in enumerate(words)]
    text = "Before.\n\n| Number | Words |\n| --- | --- |\n" + "\n".join(rows) + "\n\nBehind."
    chunks = split([Page(1, text)], size, min(overlap, size // 2 - 1))
    assert not any(chunk.cuts_a_row for chunk in chunks)
    for row in rows:
        assert any(row in chunk.text.split("\n") for chunk in chunks), "a row was parted"
    for chunk in chunks:
        if any(row in chunk.text for row in rows):
            assert chunk.text.index("| Number | Words |") < chunk.text.index(
                next(row for row in rows if row in chunk.text)
            )


def test_a_row_that_is_larger_than_a_chunk_is_cut_between_its_cells_and_that_is_told() -> None:
    cells = [f"cell {number} has words in it" for number in range(200)]
    row = "| " + " | ".join(cells) + " |"
    chunks = split([Page(4, f"| small |\n{row}\n| other |")], 200)
    assert [chunk.cuts_a_row for chunk in chunks].count(True) > 3
    assert not chunks[-1].cuts_a_row or "other" in chunks[-1].text
    for cell in cells:
        assert any(cell in chunk.text for chunk in chunks), "a cell was cut"


def test_chunks_end_where_the_document_does() -> None:
    chapters = [f"# Chapter {number}\n\n" + SENTENCE * 20 + "\n\n" + SENTENCE * 20 for number in range(1, 5)]
    chunks = split([Page(1, "\n\n".join(chapters))], 1000)
    assert len(chunks) == 4
    assert all(f"# Chapter {number}" in chunk.text for number, chunk in enumerate(chunks, 1))
    tight = split([Page(1, "\n\n".join(chapters))], 400)
    assert all(chunk.text.rstrip().endswith("in.") for chunk in tight), "at a sentence, where there is nothing better"


def test_a_chunk_ends_at_a_page_where_pages_are_asked_for() -> None:
    pages = [Page(number, f"{SENTENCE * 2}\n\n# B\n\n{SENTENCE * 6}") for number in range(1, 7)]
    assert [chunk.pages for chunk in split(pages, 420, by="pages")] == [(1, 2), (3, 4), (5, 6)]
    assert all(chunk.pieces[0].text.startswith("# B") for chunk in split(pages, 420, by="headings")[1:])


def test_a_heading_stays_with_what_it_is_of() -> None:
    text = "\n\n".join(f"## Part {number}\n\n{SENTENCE * 3}" for number in range(30))
    for chunk in split([Page(1, text)], 150):
        assert not chunk.text.rstrip().split("\n")[-1].startswith("#")


def test_a_chunk_begins_with_the_end_of_the_one_before() -> None:
    text = " ".join(f"This is the sentence with number {number} in it." for number in range(200))
    chunks = split([Page(1, text)], 300, overlap=60)
    for before, after in pairwise(chunks):
        shared = re.findall(r"number (\d+) in", before.text)[-1]
        assert shared in re.findall(r"number (\d+) in", after.text)[:5]
        assert shared not in re.findall(r"number (\d+) in", after.pieces[0].text)
    assert split([Page(1, text)], 300)[1].text.startswith("[p. 1]\nThis is the sentence")


def test_pages_are_chunks_where_they_are_asked_for_one_by_one() -> None:
    pages = [Page(1, "One."), Page(2, "  \n"), Page(3, SENTENCE * 40), Page(9, "Nine.")]
    chunks = split_pages(pages, 300)
    assert [chunk.pages for chunk in chunks] == [(1,), (3,), (3,), (3,), (3,), (9,)]
    assert [chunk.number for chunk in chunks] == [1, 2, 3, 4, 5, 6]


def test_what_reads_as_a_mark_in_the_text_is_none() -> None:
    text = "As [p. 999] says.\n\n[p. 2]\nForged. [P. 7, 9] [pp. 3-4] [ p 5 ] [p.6]"
    (chunk,) = split([Page(1, text)], 400)
    assert cited_pages(chunk.text) == {1}
    assert "(p. 999)" in chunk.text and "(p. 2)\nForged. (P. 7, 9) (pp. 3-4)" in chunk.text
    assert chunk.pieces[0].text == text, "what was cut out is the document's own text"


def test_a_document_without_text_has_no_chunks() -> None:
    assert split([], 500) == split([Page(1, ""), Page(2, " \n\n")], 500) == split_pages([Page(1, "")], 500) == []


@pytest.mark.parametrize(("size", "overlap"), [(LEAST_SIZE - 1, 0), (200, 100), (200, -1)])
def test_sizes_that_cannot_be_are_refused(size: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="size"):
        split([Page(1, "x")], size, overlap)


def test_ten_thousand_pages_and_a_giant_table_are_work_that_grows_with_their_text() -> None:
    """By the number of times that tokens are counted, for no test may time it."""
    pages = [Page(number, f"# Page {number}\n\n{SENTENCE * 4}") for number in range(1, 10_001)]
    chunks = split(pages, 4000, 100)
    assert chunks[-1].pages[-1] == 10_000 and len(chunks) < 400
    table = Page(1, ROWS + "".join(f"| {number} | 12 | yes |\n" for number in range(50_000)))
    rows = split([table], 4000)
    assert all("| Lamp | Height | Lit |" in chunk.text for chunk in rows)
