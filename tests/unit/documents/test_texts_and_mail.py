"""What texts, mail, books, archives and pictures say, against known contents."""

import io

import pytest
from broker.documents.sandbox import read

from tests.unit.documents.documents_case import TABLE, only
from tests.unit.documents.samples import (
    docx,
    epub,
    mail,
    odt,
    paragraph,
    pdf,
    picture,
    prose,
    relations,
    zipped,
)

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
