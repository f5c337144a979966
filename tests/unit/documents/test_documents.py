"""What documents with a layout say (PDF, Word, slides, sheets), against known contents."""

import datetime
import io
from pathlib import Path

import pytest
from broker.documents.sandbox import read

from tests.unit.documents.documents_case import TABLE, only
from tests.unit.documents.samples import (
    STRICT_WORD,
    WORD,
    docx,
    paragraph,
    pdf,
    picture,
    pptx,
    prose,
    shape,
    xlsx,
)

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
