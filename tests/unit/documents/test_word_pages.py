"""Word's pages, lists and numbers as Word writes them, which says some things twice."""

from pathlib import Path

import pytest
from broker.documents.document import Document
from broker.documents.sandbox import read

from tests.unit.documents.samples import WORD, docx, paragraph

LAID = "<w:r><w:lastRenderedPageBreak/></w:r>"
SET = '<w:r><w:br w:type="page"/></w:r>'


def pages(folder: Path, body: str, numbering: str = "", styles: str = "") -> list[str]:
    parts, rows = {}, []
    if numbering:
        parts["word/numbering.xml"] = f'<w:numbering xmlns:w="{WORD}">{numbering}</w:numbering>'
        rows.append(("r8", "numbering", "numbering.xml"))
    if styles:
        parts["word/styles.xml"] = f'<w:styles xmlns:w="{WORD}">{styles}</w:styles>'
    path = folder / "a.docx"
    path.write_bytes(docx(body, parts, rows))
    found: Document = read(path)
    assert [page.number for page in found.pages] == list(range(1, len(found.pages) + 1)), found.error
    return [page.text for page in found.pages]


def section(kind: str = "") -> str:
    said = f'<w:type w:val="{kind}"/>' if kind else ""
    return f"<w:sectPr>{said}</w:sectPr>"


def ended(text: str, kind: str = "") -> str:
    """A paragraph that ends a section."""
    return f"<w:p><w:pPr>{section(kind)}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def laid(text: str, properties: str = "") -> str:
    """A paragraph at the top of a page that Word laid out."""
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:lastRenderedPageBreak/><w:t>{text}</w:t></w:r></w:p>"


@pytest.mark.parametrize(
    "body",
    [
        paragraph("One") + f"<w:p>{SET}</w:p>" + laid("Two"),
        paragraph("One", extra=SET) + laid("Two"),
        paragraph("One", extra=SET + LAID) + paragraph("Two"),
        paragraph("One") + laid("Two", "<w:pageBreakBefore/>"),
        ended("One") + laid("Two") + section(),
        ended("One") + paragraph("Two") + section("nextPage"),
        ended("One", "continuous") + paragraph("Two") + section("oddPage"),
    ],
    ids=["own paragraph", "at the end", "in one", "before", "section", "section alone", "odd page"],
)
def test_a_page_that_is_begun_and_laid_out_is_one(tmp_path, body):
    assert pages(tmp_path, body) == ["One", "Two"]


def test_two_pages_that_the_author_began_are_two(tmp_path):
    assert pages(tmp_path, paragraph("One") + f"<w:p>{SET}</w:p><w:p>{SET}</w:p>" + laid("Three")) == [
        "One",
        "",
        "Three",
    ]


def test_a_document_does_not_begin_with_an_empty_page(tmp_path):
    body = '<w:p><w:pPr><w:pStyle w:val="Heading1"/><w:pageBreakBefore/></w:pPr><w:r><w:t>One</w:t></w:r></w:p>'
    assert pages(tmp_path, body) == ["# One"]
    path = tmp_path / "a.docx"
    notes = f'<w:footnotes xmlns:w="{WORD}"><w:footnote w:id="1">{paragraph("n")}</w:footnote></w:footnotes>'
    path.write_bytes(docx(body, {"word/footnotes.xml": notes}, [("r9", "footnotes", "footnotes.xml")]))
    assert [page.text for page in read(path).pages] == ["# One"]  # notes are read before it, and no part of it


def test_a_continuous_section_begins_no_page(tmp_path):
    assert pages(tmp_path, ended("One") + paragraph("Two") + section("continuous")) == ["One\n\nTwo"]


def test_a_heading_that_ends_its_page_keeps_the_break(tmp_path):
    assert pages(tmp_path, paragraph("One", "Heading1", SET) + paragraph("Two")) == ["# One", "Two"]


def test_a_table_goes_on_on_the_next_page(tmp_path):
    row = "<w:tr><w:tc>{}</w:tc><w:tc>{}</w:tc></w:tr>"
    body = "<w:tbl>" + row.format(paragraph("a"), paragraph("b")) + row.format(laid("c"), laid("d")) + "</w:tbl>"
    body += paragraph("After")
    # Word marks the top of the page in each cell.
    assert pages(tmp_path, body) == ["| a | b |\n| --- | --- |", "| c | d |\n| --- | --- |\n\nAfter"]


def level(number: int, text: str, kind: str = "decimal", style: str = "") -> str:
    linked = f'<w:pStyle w:val="{style}"/>' if style else ""
    return (
        f'<w:lvl w:ilvl="{number}"><w:start w:val="1"/><w:numFmt w:val="{kind}"/>{linked}<w:lvlText w:val="{text}"/>'
        "</w:lvl>"
    )


def numbered(*levels: str) -> str:
    return (
        f'<w:abstractNum w:abstractNumId="1">{"".join(levels)}</w:abstractNum>'
        '<w:num w:numId="7"><w:abstractNumId w:val="1"/></w:num>'
    )


def style(name: str, shown: str, properties: str = "", based: str = "") -> str:
    on = f'<w:basedOn w:val="{based}"/>' if based else ""
    return f'<w:style w:styleId="{name}"><w:name w:val="{shown}"/>{on}<w:pPr>{properties}</w:pPr></w:style>'


LISTED = '<w:numPr><w:numId w:val="7"/></w:numPr>'


def test_lists_by_style_are_lists(tmp_path):
    styles = style("ListNumber", "List Number", LISTED) + style("Mine", "Mine", based="ListNumber")
    body = paragraph("first", "ListNumber") + paragraph("second", "Mine") + paragraph("prose")
    assert pages(tmp_path, body, numbered(level(0, "%1.")), styles) == ["1. first\n2. second\n\nprose"]


def test_numbered_headings_keep_their_numbers(tmp_path):
    styles = style("H1", "heading 1", LISTED) + style(
        "H2", "heading 2", '<w:numPr><w:ilvl w:val="1"/><w:numId w:val="7"/></w:numPr>'
    )
    levels = numbered(level(0, "%1.", style="H1"), level(1, "%1.%2", style="H2"))
    body = paragraph("A", "H1") + paragraph("B", "H2") + paragraph("C", "H2") + paragraph("D", "H1")
    body += paragraph("E", "H2")
    assert pages(tmp_path, body, levels, styles) == ["# 1. A\n\n## 1.1 B\n\n## 1.2 C\n\n# 2. D\n\n## 2.1 E"]


def test_styles_that_go_round_and_lists_that_are_nowhere_end(tmp_path):
    styles = style("A", "a", LISTED, "B") + style("B", "b", "", "A")
    assert pages(tmp_path, paragraph("x", "A") + paragraph("y", "B"), "", styles) == ["- x\n- y"]
