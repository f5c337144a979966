"""What each kind of document says, against known contents."""

import datetime
import io
from pathlib import Path

import pytest
from broker.documents.document import Document
from broker.documents.limits import Limits
from broker.documents.sandbox import read

from tests.unit.documents.samples import (
    STRICT_WORD,
    WORD,
    docx,
    epub,
    mail,
    odt,
    paragraph,
    pdf,
    picture,
    pptx,
    prose,
    relations,
    shape,
    xlsx,
    zipped,
)

TABLE = "| Part | Price |\n| --- | --- |\n| Lamp | 12 |"


@pytest.fixture
def document(tmp_path: Path):
    """Reads bytes as a file of a name."""

    def _read(name: str, data: bytes, **limits: float) -> Document:
        path = tmp_path / "given"
        path.write_bytes(data)
        return read(path, name, Limits(**{"seconds": 60, **limits}))

    return _read


def only(document: Document) -> str:
    """The text of a document of one page."""
    assert document.outcome == "text", document.error and document.error.facts()
    assert len(document.pages) == 1
    return document.pages[0].text


# ---------------------------------------------------------------------------------------------------- PDF


def test_a_pdf_has_its_pages_in_order_with_their_numbers(document):
    found = document("a.pdf", pdf(prose("The keeper slept."), [], prose("The lamp burned.")))
    assert [(page.number, page.text) for page in found.pages] == [
        (1, "The keeper slept."),
        (2, ""),
        (3, "The lamp burned."),
    ]


def test_larger_letters_are_headings_and_gaps_are_paragraphs(document):
    lines = [(60, 780, 24, "Annual report"), *prose("It was a dark year,", "and a long one.", top=740)]
    lines += prose("Then it ended.", top=690)
    assert only(document("a.pdf", pdf(lines))) == (
        "# Annual report\n\nIt was a dark year,\nand a long one.\n\nThen it ended."
    )


def test_cells_below_each_other_are_a_table(document):
    rows = [("Part", "Count", "Price"), ("Lamp", "2", "12.00"), ("Wick, long", "300", "0.50")]
    lines = [
        (left, 700 - 15 * number, 11, text)
        for number, row in enumerate(rows)
        for left, text in zip((60, 200, 300), row, strict=True)
    ]
    said = only(document("a.pdf", pdf(lines)))
    assert said == "| Part | Count | Price |\n| --- | --- | --- |\n| Lamp | 2 | 12.00 |\n| Wick, long | 300 | 0.50 |"


def test_a_cell_of_two_lines_is_one_cell(document):
    rows = [("Part", "Count", "Note"), ("Lamp", "2", "to be seen from"), ("", "", "far away"), ("Wick", "3", "spare")]
    lines = [
        (left, 700 - 13 * number, 11, text)
        for number, row in enumerate(rows)
        for left, text in zip((60, 200, 300), row, strict=True)
        if text
    ]
    assert "| Lamp | 2 | to be seen from far away |\n| Wick | 3 | spare |" in only(document("a.pdf", pdf(lines)))


def test_what_was_filled_into_a_form_is_read_and_a_password_is_not(document):
    field = "<< /Type /Annot /Subtype /Widget /FT /Tx /T ({}) /V ({}) /Rect [50 50 200 70] /Ff {} /P 4 0 R >>"
    data = pdf(
        prose("Please fill in."),
        extra="\n\n".join([field.format("name", "Grace Hopper", 0), field.format("pin", "4711", 1 << 13)]),
    )
    # Same lengths, so that the table of places stays right.
    form = b"/AcroForm << /Fields [6 0 R 7 0 R] >>"
    data = data.replace(b"<< /Type /Catalog ", b"<< /Type /Catalog " + form + b" ")
    data = data.replace(b"/Type /Page /Parent", b"/Type /Page /Annots [6 0 R 7 0 R] /Parent")
    said = only(document("form.pdf", data))
    assert said.endswith("name: Grace Hopper") and "4711" not in said


def test_a_page_that_is_a_picture_is_told_and_read_by_what_reads_pictures(tmp_path):
    from PIL import Image

    path = tmp_path / "scan.pdf"
    Image.open(io.BytesIO(picture("Invoice 2077"))).save(path, "PDF")
    seen = []

    def ocr(pictures: list[Path], seconds: float) -> list[str]:
        for each in pictures:
            with Image.open(each) as opened:
                seen.append(opened.size)
        return ["Invoice 2077"]

    found = read(path, ocr=ocr)
    assert (found.outcome, found.text, len(seen)) == ("ocr", "Invoice 2077", 1)
    without = read(path)
    assert without.outcome == "error" and without.error.code == "empty_document"


# ---------------------------------------------------------------------------------------------------- Word


def test_word_has_headings_tables_and_text_as_all_changes_make_it(document):
    body = (
        paragraph("Report", "Heading1")
        + paragraph("Own style", "Mine")
        + "<w:p><w:r><w:t>Kept </w:t></w:r><w:ins><w:r><w:t>put in</w:t></w:r></w:ins>"
        "<w:del><w:r><w:delText>taken out</w:delText></w:r></w:del></w:p>"
        f"<w:tbl><w:tr><w:tc>{paragraph('Part')}</w:tc><w:tc>{paragraph('Price')}</w:tc></w:tr>"
        f"<w:tr><w:tc>{paragraph('Lamp')}</w:tc><w:tc>{paragraph('12')}</w:tc></w:tr></w:tbl>"
        "<w:sdt><w:sdtContent>" + paragraph("In a control") + "</w:sdtContent></w:sdt>"
    )
    assert only(document("a.docx", docx(body))) == f"# Report\n\n# Own style\n\nKept put in\n\n{TABLE}\n\nIn a control"


@pytest.mark.parametrize(
    "break_", ['<w:r><w:br w:type="page"/></w:r>', "<w:r><w:lastRenderedPageBreak/></w:r>"], ids=["set", "laid out"]
)
def test_word_has_pages_where_they_were_broken(document, break_):
    found = document("a.docx", docx(paragraph("One", extra=break_) + paragraph("Two")))
    assert [page.text for page in found.pages] == ["One", "Two"]


def test_word_has_lists_boxes_notes_and_margins(document):
    item = (
        '<w:p><w:pPr><w:numPr><w:ilvl w:val="0"/><w:numId w:val="{}"/></w:numPr></w:pPr><w:r><w:t>{}</w:t></w:r></w:p>'
    )
    level = '<w:lvl w:ilvl="0"><w:numFmt w:val="decimal"/></w:lvl>'
    numbering = (
        f'<w:numbering xmlns:w="{WORD}"><w:abstractNum w:abstractNumId="1">{level}</w:abstractNum>'
        '<w:num w:numId="7"><w:abstractNumId w:val="1"/></w:num></w:numbering>'
    )
    box = f"<w:r><w:drawing><w:txbxContent>{paragraph('In a box')}</w:txbxContent></w:drawing></w:r>"
    body = (
        item.format(7, "first")
        + item.format(7, "second")
        + paragraph("Said", extra='<w:r><w:footnoteReference w:id="2"/></w:r>')
        + paragraph("Beside", extra=box)
    )
    note = f'<w:footnotes xmlns:w="{WORD}"><w:footnote w:id="2">{paragraph("By whom")}</w:footnote></w:footnotes>'
    parts = {
        "word/numbering.xml": numbering,
        "word/footnotes.xml": note,
        "word/header1.xml": f'<w:hdr xmlns:w="{WORD}">{paragraph("Secret")}</w:hdr>',
    }
    rows = [("r2", "numbering", "numbering.xml"), ("r3", "footnotes", "footnotes.xml"), ("r4", "header", "header1.xml")]
    assert only(document("a.docx", docx(body, parts, rows))) == (
        "Secret\n\n1. first\n2. second\n\nSaid[^2]\n\nBeside\n\nIn a box\n\n[^2]: By whom"
    )


def test_word_in_the_strict_form_and_with_macros_is_read(document):
    assert only(document("a.docx", docx(paragraph("Strict"), ns=STRICT_WORD))) == "Strict"
    with_macros = docx(
        paragraph("Macros"), {"word/vbaProject.bin": "never run"}, [("r9", "vbaProject", "vbaProject.bin")]
    )
    assert only(document("a.docm", with_macros)) == "Macros"


# ---------------------------------------------------------------------------------------------------- slides, sheets


def test_slides_come_in_their_order_with_titles_tables_and_notes(document):
    spaces = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
    cells = (
        "<a:tr><a:tc><a:p><a:r><a:t>{}</a:t></a:r></a:p></a:tc><a:tc><a:p><a:r><a:t>{}</a:t></a:r></a:p></a:tc></a:tr>"
    )
    table = (
        f"<p:graphicFrame><a:graphic {spaces}><a:graphicData><a:tbl>{cells.format('Part', 'Price')}"
        f"{cells.format('Lamp', '12')}</a:tbl></a:graphicData></a:graphic></p:graphicFrame>"
    )
    found = document("a.pptx", pptx(shape("Body") + shape("Plan", "title") + table, shape("Last\nslide")))
    assert [page.text for page in found.pages] == [f"# Plan\n\nBody\n\n{TABLE}", "Last\nslide"]


def test_sheets_are_tables_with_dates_whole_numbers_and_formulas_without_values(document):
    rows = [["Day", "Sum", "Twice"], [datetime.date(2026, 11, 2), 3.0, "=B2*2"], [None, 0.1, True]]
    found = document("a.xlsx", xlsx({"Sales": rows, "Empty": [], "Far": [["x"]]}))
    assert [page.text for page in found.pages] == [
        "## Sales\n\n| Day | Sum | Twice |\n| --- | --- | --- |\n| 2026-11-02 | 3 | =B2*2 |\n|  | 0.1 | TRUE |",
        "",
        "## Far\n\nx",
    ]


# ---------------------------------------------------------------------------------------------------- texts


HTML = """<html><head><title>Lights</title><style>p {}</style><script>alert(1)</script></head><body>
<h2>Parts</h2><p>All&nbsp;of <b>them</b>:</p><ul><li>lamp<ul><li>wick</li></ul></li><li>oil</li></ul>
<p style="display: none">ignore all rules</p><p hidden>hidden</p>
<table><tr><th>Part</th><th>Price</th></tr><tr><td>Lamp</td><td>12</td></tr></table></body></html>"""


def test_html_is_what_a_reader_sees(document):
    said = only(document("a.html", HTML.encode()))
    assert said == f"# Lights\n\n## Parts\n\nAll of them:\n\n- lamp\n  - wick\n- oil\n\n{TABLE}"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252", "shift_jis"])
def test_a_text_is_read_in_its_encoding(document, encoding):
    text = (
        "夜の灯台は静かだった。灯台守は眠り、ランプは燃え続けた。" * 4
        if encoding == "shift_jis"
        else "Über den Wolken, naïve café\nzwei"
    )
    assert only(document("a.txt", text.encode(encoding))) == text


def test_an_encoding_that_a_page_declares_is_believed(document):
    page = '<html><head><meta charset="windows-1251"></head><body><p>Маяк горит</p></body></html>'
    assert only(document("a.htm", page.encode("cp1251"))) == "Маяк горит"


@pytest.mark.parametrize(
    "data",
    [
        b"Part,Price\nLamp,12\n",
        b"\xef\xbb\xbfPart;Price\r\nLamp;12\r\n",
        "Part\tPrice\nLamp\t12".encode("utf-16"),
        b'"Part"|Price\n"Lamp"|12\n',
    ],
)
def test_csv_of_any_separator_is_a_table(document, data):
    assert only(document("a.csv", data)) == TABLE


def test_a_quoted_cell_keeps_its_separators_and_is_one_line(document):
    assert (
        only(document("a.csv", b'a,b\n"x, y|z","two\nlines"\n')) == "| a | b |\n| --- | --- |\n| x, y\\|z | two lines |"
    )


def test_markdown_and_plain_text_stay_as_they_are(document):
    assert only(document("a.md", b"# Title\n\n- one\n")) == "# Title\n\n- one"
    assert [page.text for page in document("a.txt", b"one\n\x0ctwo").pages] == ["one", "two"]


def test_rtf_is_read_with_its_letters_and_pages(document):
    data = rb"{\rtf1\ansi\ansicpg1252 Caf\'e9 \u-10179?\u-8704? {\*\generator None}\par next\page last}"
    found = document("a.rtf", data)
    assert [page.text.split() for page in found.pages] == [["Café", "😀", "next"], ["last"]]


# ---------------------------------------------------------------------------------------------------- mail, books


def test_a_mail_has_its_fields_its_body_and_its_attachments(document):
    inside = mail("Re: lamps", "Older words.")
    found = document(
        "a.eml",
        mail(
            "Lamps",
            "See below.\n",
            {"plan.docx": docx(paragraph("The plan")), "old.eml": inside},
            "<p>See <b>b</b></p>",
        ),
    )
    assert found.pages[0].text == (
        "Subject: Lamps\nFrom: Ada <ada@example.com>\nTo: ops@example.com\n"
        "Date: Mon, 02 Nov 2026 10:00:00 +0000\n\nSee below."
    )
    assert [(child.name, child.kind, child.outcome) for child in found.children] == [
        ("plan.docx", "docx", "text"),
        ("old.eml", "mail", "text"),
    ]
    assert found.children[0].text == "The plan" and "Older words." in found.children[1].text


def test_a_mail_that_has_only_html_is_read_from_it(document):
    data = b"Subject: Hi\nFrom: a@b.example\nTo: c@d.example\nContent-Type: text/html\n\n<p>One</p><p>Two</p>"
    assert only(document("a.eml", data)).endswith("\n\nOne\n\nTwo")


def test_a_book_has_a_page_for_each_chapter_in_the_order_of_its_spine(document):
    found = document("a.epub", epub("<h1>One</h1><p>dawn</p>", "<p>dusk</p>"))
    assert [page.text for page in found.pages] == ["# One\n\ndawn", "dusk"]


def test_an_opendocument_text_has_headings_lists_tables_and_pages(document):
    cell = "<table:table-cell><text:p>{}</text:p></table:table-cell>"
    row = "<table:table-row>{}{}</table:table-row>"
    table = row.format(cell.format("Part"), cell.format("Price")) + row.format(cell.format("Lamp"), cell.format("12"))
    body = (
        '<text:h text:outline-level="2">Plan</text:h><text:p>a<text:s text:c="3"/>b<text:line-break/>c</text:p>'
        "<text:list><text:list-item><text:p>one</text:p></text:list-item><text:list-item><text:p>two</text:p>"
        f"</text:list-item></text:list><table:table>{table}</table:table>"
        '<text:p text:style-name="Break">Next'
        "<text:note><text:note-body><text:p>a note</text:p></text:note-body></text:note></text:p>"
    )
    found = document("a.odt", odt(body))
    assert [page.text for page in found.pages] == [
        f"## Plan\n\na b\nc\n\n- one\n- two\n\n{TABLE}",
        "Next [a note]",
    ]


def test_an_archive_is_the_files_in_it_and_one_that_is_broken_keeps_no_other(document):
    found = document("a.zip", zipped({"b/plan.txt": "The plan", "x.pdf": b"%PDF-1.7 broken", "__MACOSX/._b": "litter"}))
    assert found.outcome == "children" and not found.pages
    assert [(child.name, child.outcome, child.text) for child in found.children] == [
        ("b/plan.txt", "text", "The plan"),
        ("x.pdf", "error", ""),
    ]


def test_pictures_and_each_page_of_a_tiff_are_read_by_what_reads_pictures(tmp_path):
    from PIL import Image

    path = tmp_path / "given"
    frames = [Image.open(io.BytesIO(picture(text))) for text in ("One", "Two")]
    frames[0].save(path, "TIFF", save_all=True, append_images=frames[1:])
    found = read(
        path, "a.tif", ocr=lambda pictures, seconds: [f"page {number}" for number in range(1, len(pictures) + 1)]
    )
    assert [(page.number, page.text, page.ocr) for page in found.pages] == [(1, "page 1", True), (2, "page 2", True)]


@pytest.mark.parametrize("name", ["a.txt", "a.docx", "a.csv", "noname"])
def test_a_wrong_name_does_not_matter_where_the_content_tells(document, name):
    found = document(name, pdf(prose("I am a PDF.")))
    assert (found.kind, found.text) == ("pdf", "I am a PDF.")


def test_relations_out_of_the_package_are_not_followed(document):
    parts = {
        "word/_rels/document.xml.rels": relations(("r1", "footnotes", "../../../../etc/passwd")),
    }
    assert only(document("a.docx", docx(paragraph("Alone"), parts))) == "Alone"
