"""Files that are broken, locked, or made to do harm: each ends within its limits, with an error that says why."""

import io
import time
import zlib
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pytest
from broker.documents.document import Document
from broker.documents.limits import Limits
from broker.documents.sandbox import read

from tests.unit.documents.samples import (
    WORD,
    docx,
    epub,
    mail,
    odt,
    paragraph,
    pdf,
    picture,
    png,
    prose,
    xlsx,
    zipped,
)

SMALL = Limits(
    bytes=2_000_000, pages=100, characters=200_000, seconds=20, memory_mb=400, files=20, unpacked_bytes=20_000_000
)


def code(found: Document) -> str | None:
    """Why it gave nothing."""
    return found.error.code if found.error else None


@pytest.fixture
def outcome(tmp_path: Path):
    """Reads bytes within small limits, and within their time."""

    def _read(name: str, data: bytes, limits: Limits = SMALL) -> Document:
        path = tmp_path / "given"
        path.write_bytes(data)
        began = time.monotonic()
        found = read(path, name, limits)
        assert time.monotonic() - began < limits.seconds + 10  # far from a hang, on a busy machine too
        return found

    return _read


def bomb(size: int) -> bytes:
    """An archive of one file of zeros."""
    return zipped({"zeros.txt": b"\x00" * size})


def locked_zip() -> bytes:
    """An archive whose file says that it needs a password."""
    data = bytearray(zipped({"a.txt": "secret"}))
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + place] |= 1
    return bytes(data)


def lying_zip() -> bytes:
    """An archive whose directory says that a file is short, and it is not."""
    data = bytearray(zipped({"a.txt": b"0" * 5_000_000}))
    place = data.index(b"PK\x01\x02") + 24
    data[place : place + 4] = (10).to_bytes(4, "little")
    return bytes(data)


LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    + f']><w:document xmlns:w="{WORD}"><w:body><w:p><w:r><w:t>&j;</w:t></w:r></w:p></w:body></w:document>'
)
OUTSIDE = (
    '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
    f'<w:document xmlns:w="{WORD}"><w:body><w:p><w:r><w:t>&a;end</w:t></w:r></w:p></w:body></w:document>'
)
MANY_PARTS = "".join(
    f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' if n else "Subject: a\nFrom: b\nTo: c\n"
    for n in range(3_000)
)


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("nothing.pdf", b"", "empty_document"),
        ("spaces.txt", b" \n\t\n", "empty_document"),
        ("blank.pdf", pdf([]), "empty_document"),
        ("empty.docx", docx(""), "empty_document"),
        ("cut.pdf", pdf(prose("a"))[:80], "broken_document"),
        ("cut.docx", docx(paragraph("a"))[:200], "broken_document"),
        ("no-xml.docx", zipped({"word/document.xml": "no xml at all"}), "broken_document"),
        ("no-body.pptx", zipped({"ppt/presentation.xml": "<a"}), "broken_document"),
        ("cut.xlsx", zipped({"xl/workbook.xml": "<workbook/>"}), "broken_document"),
        ("cut.png", picture("a")[:300], "broken_document"),
        ("cut.epub", zipped({"mimetype": "application/epub+zip"}), "broken_document"),
        ("cut.odt", zipped({"mimetype": "application/vnd.oasis.opendocument.text"}), "broken_document"),
        ("cut.msg", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "broken_document"),
        ("locked.pdf", pdf(prose("a"), trailer="/Encrypt << /Filter /Standard /V 1 /R 2 /O (x) /U (y) /P -1 >>"), None),
        ("program.pdf", b"MZ\x90\x00" + b"\x00" * 100, "unsupported_document"),
        ("picture.gif", b"GIF89a" + b"\x00" * 100, "unsupported_document"),
        ("noise.bin", bytes(range(256)) * 40, "unsupported_document"),
        ("large.txt", b"a" * 2_000_001, "document_too_large"),
        ("long.html", b"<p>" + b"a " * 150_000, "too_much_text"),
        ("bomb.zip", bomb(30_000_000), "unpacks_too_large"),
        ("bomb.docx", zipped({"word/document.xml": b" " * 30_000_000}), "unpacks_too_large"),
        ("bomb.png", png(60_000, 60_000), "too_many_pixels"),
        ("many.pdf", pdf(*([[]] * 101)), "too_many_pages"),
        ("many.zip", zipped({f"{n}.txt": "a" for n in range(21)}), "too_many_files"),
        ("far.xlsx", None, "too_many_cells"),
        ("laughs.docx", zipped({"word/document.xml": LAUGHS}), "broken_document"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value else None,
)
def test_a_file_that_gives_nothing_says_why(outcome, name, data, expected):
    if name == "far.xlsx":
        rows = [[None] * 700 + ["x"] if n % 2 else ["y"] for n in range(2)]
        data = xlsx({"Far": rows * 300})
        found = outcome(name, data, Limits(seconds=20, cells=100))
    else:
        found = outcome(name, data)
    if expected is None:
        expected = "encrypted_document"
    assert (found.outcome, code(found)) == ("error", expected)
    assert found.error.message and not found.pages and not found.children


def test_entities_are_refused_and_nothing_is_fetched(outcome):
    found = outcome("a.docx", zipped({"word/document.xml": OUTSIDE}))
    assert (code(found), found.text) == ("broken_document", "")


def test_an_archive_in_an_archive_is_not_opened_and_its_neighbours_are(outcome):
    found = outcome("a.zip", zipped({"inner.zip": bomb(1_000), "good.txt": "good"}))
    assert [(child.name, code(child)) for child in found.children] == [
        ("inner.zip", "archive_in_archive"),
        ("good.txt", None),
    ]


@pytest.mark.parametrize("name", ["../../etc/cron.d/x", "/etc/passwd", "a/../../b", "C:/windows/x", "..\\..\\x"])
def test_a_name_that_leads_out_is_refused_and_written_nowhere(outcome, name, tmp_path):
    before = set(tmp_path.parent.rglob("*"))
    found = outcome("a.zip", zipped({name: "x", "good.txt": "good"}))
    assert [code(child) for child in found.children] == ["unsafe_path", None]
    assert {path for path in tmp_path.parent.rglob("*")} - before == {tmp_path / "given"}


def test_a_link_in_an_archive_is_not_followed(outcome):
    file = io.BytesIO()
    with ZipFile(file, "w", ZIP_STORED) as archive:
        from zipfile import ZipInfo

        link = ZipInfo("link.txt")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/hostname")
        archive.writestr("good.txt", "good")
    assert [code(child) for child in outcome("a.zip", file.getvalue()).children] == ["unsafe_path", None]


def test_a_locked_file_of_an_archive_is_told(outcome):
    assert [code(child) for child in outcome("a.zip", locked_zip()).children] == ["encrypted_document"]


def test_an_archive_that_lies_of_its_sizes_gives_no_more_than_it_says(outcome):
    found = outcome("a.zip", lying_zip())
    assert [code(child) for child in found.children] == ["broken_document"]


def test_mails_in_mails_end_at_the_depth_that_is_taken(outcome):
    data = mail("0", "the innermost")
    for number in range(6):
        data = mail(str(number), "outer", {"inner.eml": data})
    found = outcome("a.eml", data)
    depth = 0
    while found.children:
        found, depth = found.children[0], depth + 1
    assert (depth, code(found)) == (SMALL.depth + 1, "nested_too_deep")


def test_one_hostile_attachment_keeps_no_other(outcome):
    found = outcome(
        "a.eml", mail("a", "b", {"bomb.docx": zipped({"word/document.xml": b" " * 30_000_000}), "c.txt": b"c"})
    )
    assert found.outcome == "text"
    assert [code(child) for child in found.children] == ["unpacks_too_large", None]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("deep.html", b"<div>" * 20_000 + b"deep"),
        ("deep.rtf", b"{\\rtf1" + b"{" * 50_000 + b"deep" + b"}" * 50_000 + b"}"),
        ("deep.eml", MANY_PARTS.encode()),
        ("wide.html", b"<table>" + b"<tr>" + b"<td colspan=1000 rowspan=60000>x</td>" * 50 + b"</tr></table>"),
        ("deep.docx", docx("<w:sdt><w:sdtContent>" * 3_000 + "</w:sdtContent></w:sdt>" * 3_000)),
        ("deep.odt", odt("<text:section>" * 3_000 + "</text:section>" * 3_000)),
        ("loop.epub", epub('<iframe src="c%200.xhtml"></iframe>deep')),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_nested_or_loops_ends(outcome, name, data):
    found = outcome(name, data)
    assert found.outcome == "text" or code(found) in (
        "broken_document",
        "nested_too_deep",
        "too_much_text",
        "empty_document",
    )


def test_a_page_of_a_pdf_that_is_a_bomb_ends_by_memory_or_time(outcome):
    stream = zlib.compress(b"0 0 m 1 1 l S\n" * 5_000_000, 9)
    head = f"<< /Length {len(stream)} /Filter /FlateDecode >>\nstream\n".encode()
    data = pdf([]).replace(b"<< /Length 0 >>\nstream\n\nendstream", head + stream + b"\nendstream")
    found = outcome("bomb.pdf", data, Limits(seconds=8, memory_mb=300))
    assert found.outcome == "error"


def test_a_reader_that_needs_too_long_is_ended(outcome):
    rows = "".join(f"<w:p><w:r><w:t>{'a' * 50}</w:t></w:r></w:p>" for _ in range(100_000))
    found = outcome("slow.docx", docx(rows), Limits(seconds=0.2))
    assert code(found) == "document_timed_out"


def test_a_reader_that_needs_too_much_memory_is_ended(outcome):
    found = outcome("large.docx", docx(paragraph("a") * 400_000), Limits(memory_mb=120, seconds=60))
    assert code(found) in ("out_of_memory", "broken_document")


def test_what_reads_a_file_has_none_of_our_credentials(tmp_path, monkeypatch):
    """Its environment is what a hostile file could reach, if a library had a hole."""
    import json
    import subprocess

    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    seen = {}
    started = subprocess.Popen

    def popen(command, **given):
        seen.update(given["env"])
        return started(command, **given)

    monkeypatch.setattr("broker.documents.sandbox.subprocess.Popen", popen)
    path = tmp_path / "a.txt"
    path.write_text("text")
    assert read(path).text == "text"
    assert "canary" not in json.dumps(seen)
