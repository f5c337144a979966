"""Files as odd programs write them: what is in them is neither lost nor taken for something else."""

import io
import time
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pytest
from broker.documents.document import Document
from broker.documents.extract import xlsx as workbooks
from broker.documents.kinds import kind_of
from broker.documents.limits import Limits
from broker.documents.sandbox import read

from tests.unit.documents.samples import WORD, docx, pdf, prose, relations, xlsx, zipped


@pytest.fixture
def document(tmp_path: Path):
    def _read(name: str, data: bytes, **limits: float) -> Document:
        path = tmp_path / "given"
        path.write_bytes(data)
        return read(path, name, Limits(**{"seconds": 30, **limits}))

    return _read


def test_an_archive_that_begins_with_a_pdf_is_an_archive(document):
    found = document("a.zip", zipped({"a.pdf": pdf(prose("In the PDF.")), "b.txt": "Beside it."}, ZIP_STORED))
    assert [child.text for child in found.children] == ["In the PDF.", "Beside it."]


def test_a_text_about_pdf_is_a_text_and_a_pdf_behind_something_is_a_pdf(document):
    assert document("a.txt", b"A PDF begins with %PDF-1.7.").kind == "text"
    assert document("a.pdf", b"\x1b%-12345X@PJL\r\n" + pdf(prose("Printed."))).text == "Printed."


def test_a_binary_workbook_is_told_and_not_taken_apart(document):
    types = '<Types><Override ContentType="application/vnd.ms-excel.sheet.binary.macroEnabled.main"/></Types>'
    found = document("a.xlsb", zipped({"[Content_Types].xml": types, "xl/workbook.bin": b"\x83\x01\x00"}))
    assert found.error.code == "unsupported_document" and ".xlsx" in found.error.message


def test_comments_before_a_page_cost_no_time():
    began = time.process_time()
    for number in (40, 5_000):
        assert kind_of(io.BytesIO(b"<!-- a -->\n" * number + b"<section>x</section>"), "a.html") == "text"
    assert time.process_time() - began < 5  # it was two to the number of comments
    assert kind_of(io.BytesIO(b"<!-- a -->\n<!-- b --><html>"), "a.txt") == "html"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"1,5;2,5\n2,5;3,5\n", "| 1,5 | 2,5 |\n| --- | --- |\n| 2,5 | 3,5 |"),
        (b'sep=,\n"a;b",c\n"d;e",f\n', "| a;b | c |\n| --- | --- |\n| d;e | f |"),
        ("sep=;\r\na;b\r\n".encode("utf-16"), "| a | b |\n| --- | --- |"),
    ],
)
def test_commas_in_numbers_and_what_excel_says_of_its_cells(document, data, said):
    assert document("a.csv", data).text == said


def test_html_shows_formulas_and_neither_hidden_rows_nor_hidden_lines(document):
    page = (
        "<html><body><table><tr><th>a<th>b</tr><tr hidden><td>no<td>no</tr>"
        "<tbody style='display: none'><tr><td>no<td>no</tr></tbody><tr><td>1<td>2</tr></table>"
        "<pre>one<br>two<script>no</script><span hidden>no</span></pre>"
        "<p><math><mi>E</mi><mo>=</mo><mi>m</mi><annotation>no</annotation></math></p></body></html>"
    )
    assert document("a.html", page.encode()).text == "| a | b |\n| --- | --- |\n| 1 | 2 |\n\none\ntwo\n\nE=m"


HEAD = "From: a@b.example\nTo: c@d.example\nSubject: s\nContent-Type: multipart/alternative; boundary=A\n\n"
PLAIN = "--A\nContent-Type: text/plain\n\nplain words\n"
PAGE = "--A\nContent-Type: text/html\n\n<p>page words</p>\n"


def test_what_apple_attaches_inside_of_the_form_that_is_not_read_is_kept(document):
    inside = (
        "--A\nContent-Type: multipart/mixed; boundary=B\n\n--B\nContent-Type: text/html\n\n<p>page words</p>\n"
        "--B\nContent-Type: text/plain\nContent-Disposition: attachment; filename=plan.txt\n\nThe plan\n--B--\n--A--\n"
    )
    found = document("a.eml", (HEAD + PLAIN + inside).encode())
    assert found.text.endswith("\n\nplain words") and "page words" not in found.text
    assert [(child.name, child.text) for child in found.children] == [("plan.txt", "The plan")]


def test_an_invitation_does_not_hide_the_letter(document):
    found = document("a.eml", (HEAD + PAGE + "--A\nContent-Type: text/calendar\n\nBEGIN:VCALENDAR\n--A--\n").encode())
    assert found.text.endswith("\n\npage words")


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_a_subject_that_is_not_encoded_is_read_as_its_program_meant_it(document, encoding):
    data = "From: a@b.example\nTo: c@d.example\nSubject: Prüfung der Größe für Köln\n\nwords".encode(encoding)
    assert "Subject: Prüfung der Größe für Köln\n" in document("a.eml", data).text


def test_why_a_mail_was_not_delivered_is_read(document):
    data = (
        "From: a@b.example\nTo: c@d.example\nSubject: s\nContent-Type: multipart/report; boundary=R\n\n"
        "--R\nContent-Type: text/plain\n\nIt failed.\n--R\nContent-Type: message/delivery-status\n\n"
        "Reporting-MTA: dns; mx.example\n\nFinal-Recipient: rfc822; c@d.example\nStatus: 5.1.1\n--R--\n"
    )
    said = document("a.eml", data.encode()).text
    assert said.endswith("Reporting-MTA: dns; mx.example\n\nFinal-Recipient: rfc822; c@d.example\nStatus: 5.1.1")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("Voilà un café déjà vu", "cp1252"), ("Маяк горит всю ночь, смотритель спит, USB и Wi-Fi тоже.", "cp1251")],
)
def test_short_texts_have_letters_of_one_script(document, text, encoding):
    assert document("a.txt", text.encode(encoding)).text == text


@pytest.mark.parametrize("sender", ["(" * 100_000, "a@b.example, " * 50_000], ids=["brackets", "addresses"])
def test_a_field_that_is_long_is_cut_before_it_is_taken_apart(document, sender):
    found = document("a.eml", f"From: {sender}\nTo: c@d.example\nSubject: s\n\nwords".encode())
    assert found.text.endswith("\n\nwords") and len(found.text) < 2_000


def test_a_picture_in_strips_is_a_picture(tmp_path):
    """As scanners write it, with a stamp above that is text."""
    strip = (
        "<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /BitsPerComponent 8 /ColorSpace /DeviceGray /Length 1 >>"
        "\nstream\n7\nendstream"
    )
    data = pdf(prose("Stamp 7"), extra=strip)
    data = data.replace(b"<< /Font <<", b"<< /XObject << /I 6 0 R >> /Font <<")
    strips = b"".join(b"q 595 0 0 200 0 %d cm /I Do Q " % (200 * number) for number in range(3))
    at = data.index(b"stream\nBT") + len(b"stream\n")
    end = data.index(b"\nendstream", at)
    content = strips + data[at:end]
    data = data[:at] + content + data[end:]
    data = data.replace(b"<< /Length %d >>" % (end - at), b"<< /Length %d >>" % len(content))
    path = tmp_path / "a.pdf"
    path.write_bytes(data)
    found = read(path, ocr=lambda pictures, seconds: ["Lamps are dear" for _ in pictures])
    assert found.text == "Stamp 7\n\nLamps are dear"


def test_many_notes_on_many_pages_take_no_square_of_time(document):
    count = 2_500
    marks = "".join(
        f'<w:p><w:r><w:footnoteReference w:id="{n}"/><w:t>x</w:t><w:br w:type="page"/></w:r></w:p>'
        for n in range(count)
    )
    notes = "".join(f'<w:footnote w:id="{n}"><w:p><w:r><w:t>n{n}</w:t></w:r></w:p></w:footnote>' for n in range(count))
    parts = {"word/footnotes.xml": f'<w:footnotes xmlns:w="{WORD}">{notes}</w:footnotes>'}
    found = document("a.docx", docx(marks, parts, [("r9", "footnotes", "footnotes.xml")]))
    assert found.pages[2_000].text == "[^2000]x\n\n[^2000]: n2000"


def test_formulas_that_never_end_are_passed_in_one_go():
    began = time.process_time()
    assert not workbooks.FORMULA_ALONE.search(b"<f" * 300_000)
    assert time.process_time() - began < 5  # each was looked for to the file's end


def test_entities_of_a_workbook_are_refused(document):
    with ZipFile(io.BytesIO(xlsx({"A": [["x"]]}))) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = (
        '<!DOCTYPE w [<!ENTITY a "haha">]><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        '<sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>&a;</t></is></c></row></sheetData></worksheet>'
    )
    found = document("a.xlsx", zipped({**parts, "xl/worksheets/sheet1.xml": sheet.encode()}))
    assert (found.outcome, found.error and found.error.code) == ("error", "broken_document")


def test_relations_of_pictures_that_lead_out_are_not_followed(document):
    blip = '<w:p><w:r><w:drawing><blip embed="i1"/></w:drawing></w:r></w:p>'
    parts = {"word/_rels/document.xml.rels": relations(("i1", "image", "../../../../etc/passwd"))}
    assert document("a.docx", docx(blip, parts)).error.code == "empty_document"
