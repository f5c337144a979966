"""Documents that are no plain text: they are read elsewhere, and what was read becomes the job."""

from pathlib import Path

import pytest
from broker.documents.document import BrokenDocument, Document, Page, UnknownDocument
from broker.inbox.files import MAX_DOCUMENT_BYTES, TAKEN
from broker.inbox.reading import READ

from tests.fakes.inbox import Files
from tests.fakes.world import NOW

PDF = b"%PDF-1.7 \xe2\xe3"
BOOK = Document("a.pdf", "pdf", (Page(1, "The lamp."), Page(2, ""), Page(3, "The keeper.")))


@pytest.fixture
def files() -> Files:
    return Files()


def prompt_of(files: Files, batch_id: str) -> str:
    (job,) = files.jobs(batch_id)
    content: str = files.world.prompt(job.id)["messages"][-1]["content"]
    return content


DOCUMENTS: list[tuple[str, bytes]] = [
    ("acme/a.pdf", PDF),
    ("acme/a", b"\x89PNG\r\n\x1a\n"),
    ("acme/a.docx", b"PK\x03\x04"),
    ("acme/a.txt", b"PK\x03\x04 wrongly named"),
    ("acme/a.msg", b"\xd0\xcf\x11\xe0"),
    ("acme/a.rtf", b"{\\rtf1 x}"),
    ("acme/a.EML", b"Subject: Hello\n\nText"),
    ("acme/a.txt", "Grüße".encode("latin-1")),
    ("acme/a.txt", "Grüße".encode("utf-16")),
]


@pytest.mark.parametrize(("key", "data"), DOCUMENTS, ids=[f"{key} {data[:4]!r}" for key, data in DOCUMENTS])
def test_what_is_no_plain_text_is_read_and_becomes_one_job(files: Files, key: str, data: bytes) -> None:
    seen = []
    first = files.taken(key, data)
    assert (first.accepted, first.error, files.jobs(first.batch_id)) == (0, None, [])
    assert [tenant for _, tenant in files.readings.asked] == ["acme"]

    def read(path: Path, name: str) -> Document:
        seen.append((path.read_bytes(), name))
        return Document(name, "text", (Page(1, "The lamp."),))

    files.read(read)
    files.go_on()
    assert seen == [(data, key.partition("/")[2])]
    assert "The lamp." in prompt_of(files, first.batch_id) and files.readings.kept == {}


@pytest.mark.parametrize("key", ["acme/a.txt", "acme/a.html", "acme/a.csv", "acme/a.md"])
def test_a_text_is_taken_as_it_stands(files: Files, key: str) -> None:
    taken = files.taken(key, "<p>Grüße</p>")
    assert taken.accepted == 1 and not files.readings.asked


def test_pages_keep_their_numbers_and_files_inside_their_names(files: Files) -> None:
    inside = (Document("plan.docx", "docx", (Page(1, "Plan."),)), Document("x.bin", error=BrokenDocument("Broken.")))
    taken = files.taken("acme/a.pdf", PDF)
    files.read(lambda path, name: Document(name, "pdf", BOOK.pages, inside))
    files.go_on()
    said = (
        "[p. 1]\nThe lamp.\n\n[p. 2]\n\n\n[p. 3]\nThe keeper.\n\n# plan.docx\n\nPlan.\n\n"
        "# x.bin\n\n(It could not be read: broken_document.)"
    )
    assert said in prompt_of(files, taken.batch_id)


def test_a_document_that_cannot_be_read_is_rejected_with_the_reason(files: Files) -> None:
    files.taken("acme/a.pdf", PDF)
    files.read(lambda path, name: Document(name, error=BrokenDocument("The file cannot be read as a PDF.")))
    files.go_on()
    assert b'"broken_document"' in files.outbox.objects["acme/a.pdf.error.json"]
    assert [detail["data"]["error"]["code"] for _, detail in files.bus.events] == ["broken_document"]


def test_a_document_of_no_kind_that_is_read_is_told_which_are(files: Files) -> None:
    files.taken("acme/a.pdf", PDF)
    files.read(lambda path, name: Document(name, error=UnknownDocument("The file is a program, which is not read.")))
    files.go_on()
    told = files.outbox.objects["acme/a.pdf.error.json"].decode()
    assert f"The file is a program, which is not read. {TAKEN}" in told


def test_a_document_that_is_gone_is_rejected(files: Files) -> None:
    files.taken("acme/a.pdf", PDF)
    files.inbox.delete("acme/a.pdf")
    files.read(lambda path, name: BOOK)
    files.go_on()
    assert b'"file_gone"' in files.outbox.objects["acme/a.pdf.error.json"]


def test_a_text_that_is_longer_than_a_prompt_may_be_is_rejected(files: Files) -> None:
    files.taken("acme/a.pdf", PDF)
    files.read(lambda path, name: Document(name, "pdf", (Page(1, "x" * (MAX_DOCUMENT_BYTES + 1)),)))
    files.go_on()
    assert b'"document_too_long"' in files.outbox.objects["acme/a.pdf.error.json"]


def test_a_document_that_is_read_twice_makes_one_job(files: Files) -> None:
    event = files.inbox.put("acme/a.pdf", PDF)
    taken = files.split(event)
    files.split(event)
    assert taken is not None and len(files.readings.asked) == 2
    files.read(lambda path, name: BOOK)
    files.go_on()
    files.split({**event, READ: True}, NOW + 1)
    assert len(files.jobs(taken.batch_id)) == 1


def test_what_was_read_and_lost_is_read_again(files: Files) -> None:
    event = files.inbox.put("acme/a.pdf", PDF)
    files.split({**event, READ: True})
    assert len(files.readings.asked) == 1


def test_an_event_that_says_it_was_read_gives_no_stranger_a_tenants_document(files: Files) -> None:
    """What was read is found by the file's version alone, and a key's first segment is whose it is."""
    files.world.tenant("other")
    mine = files.taken("acme/a.pdf", PDF)
    files.read(lambda path, name: BOOK)
    files.collects.later.clear()
    theirs = files.inbox.put("other/a.pdf", PDF)
    files.split({**theirs, READ: True})
    assert [tenant for _, tenant in files.readings.asked] == ["other"]
    assert files.readings.load(mine.batch_id) is not None
