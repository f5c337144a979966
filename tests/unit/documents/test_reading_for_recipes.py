"""Reading for a recipe with the real reader: pages, tables, files inside, and pictures that are kept for jobs."""

import io
from pathlib import Path

from broker.documents.document import Document
from broker.documents.limits import Limits
from broker.documents.reading import Reading
from broker.documents.sandbox import Ocr, read
from broker.inbox.recipes import ReadForRecipe

from tests.fakes.inbox import Files
from tests.unit.documents.samples import mail, pdf, picture, prose


def with_limits(path: Path, name: str, keep: Ocr, together: bool) -> Document:
    return read(path, name, Limits(), keep)


def reading_of(name: str, data: bytes) -> tuple[Reading, Files, str]:
    """What was read of a file, and where its pictures are."""
    files = Files()
    event = files.inbox.put(f"acme/notes/{name}", data)

    ReadForRecipe(files.inbox, files.readings, with_limits, files.collects.again)(event)
    ((batch_id, facts),) = files.readings.kept.items()
    assert facts["error"] is None, facts
    return Reading.of(facts["reading"]), files, batch_id


def test_pictures_of_pages_are_kept_in_their_places() -> None:
    from PIL import Image

    file = io.BytesIO()
    with Image.open(io.BytesIO(picture("The keeper slept."))) as image:
        image.save(file, "PDF", save_all=True, append_images=[image])
    reading, files, batch_id = reading_of("scan.pdf", file.getvalue())
    assert (reading.kind, reading.scans, reading.pages_of_scans()) == ("pdf", 2, [1, 2])
    assert all(files.readings.scans[batch_id, number].startswith(b"\x89PNG") for number in (0, 1))
    done = reading.with_scans(["One.", "Two."])
    assert [page.text for page in done.pages] == ["One.", "Two."] and done.scans == 0


def test_pages_of_attachments_and_their_pictures_are_numbered_on() -> None:
    attached = {"a.pdf": pdf(prose("First."), prose("Second.")), "b.png": picture("Third.")}
    reading, _, _ = reading_of("letter.eml", mail("Lamps", "See below.", attached))
    assert reading.files == ("letter.eml", "a.pdf", "b.png")
    assert [page.number for page in reading.pages] == [1, 2, 3, 4]
    assert reading.places([2, 4]) == [
        {"page": 2, "file": "a.pdf", "file_page": 1},
        {"page": 4, "file": "b.png", "file_page": 1},
    ]
    assert reading.pages_of_scans() == [4]


def test_texts_are_read_too_and_tables_get_their_heads() -> None:
    reading, _, _ = reading_of("a.csv", b"Lamp,Height\nOne,3\nTwo,4\n")
    assert reading.kind == "csv" and reading.pages[0].text.startswith("| Lamp | Height |\n| --- | --- |")


def test_what_cannot_be_read_is_said() -> None:
    files = Files()
    event = files.inbox.put("acme/notes/a.pdf", b"%PDF-1.7 broken")
    ReadForRecipe(files.inbox, files.readings, with_limits, files.collects.again)(event)
    ((_, facts),) = files.readings.kept.items()
    assert facts["error"]["code"] in ("broken_document", "empty_document") and "reading" not in facts
    files.inbox.delete("acme/notes/a.pdf")
    files.readings.kept.clear()
    ReadForRecipe(files.inbox, files.readings, with_limits, files.collects.again)(event)
    ((_, facts),) = files.readings.kept.items()
    assert facts["error"]["code"] == "file_gone"
