"""Messages of Outlook's: fields, bodies in their forms, attachments, messages within messages."""

from pathlib import Path

import pytest
from broker.documents.document import Document
from broker.documents.sandbox import read
from compressed_rtf import compress

from tests.unit.documents.ole import Tree, msg, ole
from tests.unit.documents.samples import docx, paragraph

FIELDS = "Subject: Lamps\nFrom: Ada <ada@example.com>\nTo: ops@example.com\nDate: 2026-11-02 10:00 UTC"


def read_tree(folder: Path, tree: Tree) -> Document:
    path = folder / "a.msg"
    path.write_bytes(ole(tree))
    return read(path)


def test_a_message_has_its_fields_its_body_and_its_attachments(tmp_path: Path) -> None:
    plan = docx("".join(paragraph(f"Line {number}.") for number in range(2_000)))  # large enough for sectors of its own
    found = read_tree(tmp_path, msg("Lamps", "Grüße\r\nund Öl", {"plan.docx": plan, "note.txt": b"small"}))
    assert found.error is None
    assert found.text == f"{FIELDS}\n\nGrüße\nund Öl"
    assert [(child.name, child.outcome) for child in found.children] == [("plan.docx", "text"), ("note.txt", "text")]
    assert found.children[0].text.endswith("Line 1999.") and found.children[1].text == "small"


BODIES: list[tuple[str, bytes]] = [
    ("10130102", "<html><meta charset=utf-8><p>Grüße</p><p>zwei</p></html>".encode()),
    ("1013001F", "<p>Grüße</p><p>zwei</p>".encode("utf-16-le")),
    ("10090102", compress(rb"{\rtf1\ansi\ansicpg1252 Gr\'fc\'dfe\par\par zwei}", compressed=True)),
    ("10090102", compress(rb"{\rtf1\ansi\ansicpg1252 Gr\'fc\'dfe\par\par zwei}", compressed=False)),
    ("1000001E", "Grüße\r\n\r\nzwei".encode("cp1252")),
]


@pytest.mark.parametrize(("kind", "body"), BODIES, ids=["html", "html as text", "rtf", "plain rtf", "code page"])
def test_a_body_in_any_form_is_read(tmp_path: Path, kind: str, body: bytes) -> None:
    found = read_tree(tmp_path, msg("Lamps", body, kind=kind))
    assert found.error is None and found.text.removeprefix(FIELDS).split() == ["Grüße", "zwei"]


def test_a_message_within_a_message_is_a_file_inside_with_its_own(tmp_path: Path) -> None:
    inner = msg("Older", "Older words.", {"note.txt": b"from then"}, inside=True)
    found = read_tree(tmp_path, msg("Lamps", "New words.", {"": inner}))
    (older,) = found.children
    assert (older.name, older.error) == ("Older.eml", None)
    assert "Subject: Older" in older.text and older.text.endswith("Older words.")
    assert [(child.name, child.text) for child in older.children] == [("note.txt", "from then")]


def test_an_attachment_that_is_only_referred_to_says_so(tmp_path: Path) -> None:
    tree = dict(msg("Lamps", "See there."))
    tree["__attach_version1.0_#00000000"] = {"__properties_version1.0": bytes(8)}
    found = read_tree(tmp_path, tree)
    assert [(child.name, child.error and child.error.code) for child in found.children] == [
        ("attachment-1", "empty_document")
    ]


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        ("EncryptedPackage", "encrypted_document"),
        ("WordDocument", "unsupported_document"),
        ("Workbook", "unsupported_document"),
    ],
)
def test_other_ole_files_are_told_by_what_they_are(tmp_path: Path, stream: str, code: str) -> None:
    found = read_tree(tmp_path, {stream: b"x" * 100})
    assert found.error is not None and found.error.code == code
