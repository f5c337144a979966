"""Pages that are pictures, gathered in PDFs by the real reader: which, in what order, and within which limits."""

import io
from pathlib import Path

import pypdfium2 as pdfium
import pytest
from broker.documents import gathering
from broker.documents.document import Document, TooMuch
from broker.documents.extract import Source
from broker.documents.limits import Limits
from broker.documents.reading import Reading
from broker.documents.sandbox import Ocr, read
from broker.inbox.recipes import TOGETHER, ReadForRecipe
from PIL import Image

from tests.fakes.inbox import Files
from tests.unit.documents.samples import mail, pdf, picture, prose


def scans(*texts: str, kind: str = "PDF") -> bytes:
    """Pictures of texts as the pages of one file."""
    file = io.BytesIO()
    images = [Image.open(io.BytesIO(picture(text))) for text in texts]
    images[0].save(file, kind, save_all=True, append_images=images[1:])
    return file.getvalue()


def joined(*parts: bytes) -> bytes:
    made, file = pdfium.PdfDocument.new(), io.BytesIO()
    for part in parts:
        made.import_pages(pdfium.PdfDocument(part))
    made.save(file)
    return file.getvalue()


def gathered(name: str, data: bytes, most: int = 3_000) -> tuple[Reading, Files, list[pdfium.PdfDocument]]:
    """What was read of a file, with its PDFs of pages."""
    files, limits = Files(), Limits(seconds=60, gathered=most)
    event = files.inbox.put(f"acme/notes/{name}", data) | {TOGETHER: True}

    def reads(path: Path, name: str, keep: Ocr, together: bool) -> Document:
        assert together
        return read(path, name, limits, keep)

    ReadForRecipe(files.inbox, files.readings, reads, files.collects.again)(event)
    ((_, facts),) = files.readings.kept.items()
    assert facts["error"] is None and facts[TOGETHER] is True, facts
    reading = Reading.of(facts["reading"])
    return reading, files, [pdfium.PdfDocument(each) for _, each in sorted(files.readings.pages.items())]


def test_of_a_pdf_those_pages_are_gathered_that_are_pictures_as_they_are_and_no_others() -> None:
    data = joined(scans("One."), pdf(prose("Typed, so it is not paid for.")), scans("Two.", "Three."))
    reading, files, (made,) = gathered("a.pdf", data)
    assert reading.pages_of_scans() == [1, 3, 4]
    assert reading.portions() == [(range(3), 0)]
    assert [page.text for page in reading.with_scans(["1", "2", "3"]).pages] == [
        "1",
        "Typed, so it is not paid for.",
        "2",
        "3",
    ]
    assert len(made) == 3 and files.readings.scans == {}
    assert all(next(iter(page.get_objects())).type == 3 for page in made), "they are the pictures that were there"


def test_frames_of_a_tiff_are_pages_of_a_pdf_in_their_order() -> None:
    reading, _, (made,) = gathered("a.tiff", scans("One.", "Two.", "Three.", kind="TIFF"))
    assert (reading.pages_of_scans(), reading.portions(), len(made)) == ([1, 2, 3], [(range(3), 0)], 3)
    widths = {round(page.get_width()) for page in made}
    assert len(widths) == 1 and all(0 < width <= 2_880 for width in widths), "at most forty inches"


@pytest.mark.parametrize("name, data", [("a.pdf", scans("One.")), ("a.png", picture("One."))])
def test_a_page_that_is_the_only_one_stays_a_picture(name: str, data: bytes) -> None:
    reading, files, made = gathered(name, data)
    assert made == [] and reading.gathered == () and reading.portions() == [(range(1), None)]
    ((_, kept),) = files.readings.scans.items()
    assert kept.startswith(b"\x89PNG")


def test_each_file_inside_has_its_own_and_pages_are_numbered_on() -> None:
    attached = {"a.pdf": scans("One.", "Two."), "b.png": picture("Three."), "c.pdf": scans("Four.", "Five.")}
    reading, files, made = gathered("letter.eml", mail("Lamps", "See below.", attached))
    assert reading.pages_of_scans() == [2, 3, 4, 5, 6]
    assert reading.portions() == [(range(2), 0), (range(2, 3), None), (range(3, 5), 1)]
    assert [len(each) for each in made] == [2, 2] and len(files.readings.scans) == 1


def test_many_pages_are_parted_and_the_limit_of_pictures_is_not_theirs() -> None:
    one = scans("One.")
    reading, files, made = gathered("a.pdf", joined(*[one] * 230))
    assert [len(each) for each in made] == [25] * 9 + [5]
    assert len(reading.portions()) == 10 and reading.scans == 230 and files.readings.scans == {}


def test_above_the_limit_nothing_is_read_and_the_error_names_it() -> None:
    with pytest.raises(AssertionError, match="too_many_scans"):
        gathered("a.pdf", scans("One.", "Two.", "Three."), most=2)
    attached = {"a.pdf": scans("1", "2"), "b.pdf": scans("3", "4")}
    reading, _, made = gathered("a.eml", mail("Lamps", "x", attached), most=3)
    assert reading.unread == ({"name": "b.pdf", "code": "too_many_scans"},) and len(made) == 1


def test_pages_that_are_too_large_together_are_refused(tmp_path: Path) -> None:
    source = Source(tmp_path / "a.pdf", "a.pdf", Limits(gathered=10, gathered_bytes=1_000), tmp_path)
    source.path.write_bytes(scans("One.", "Two."))
    document = pdfium.PdfDocument(source.path)
    with pytest.raises(TooMuch) as caught:
        gathering.take_pages(source, document, [1, 2])
    assert caught.value.code == "document_too_large"


def test_a_blank_page_among_scans_is_none_of_them() -> None:
    blank = pdf([])
    reading, _, (made,) = gathered("a.pdf", joined(scans("One."), blank, scans("Two.")))
    assert reading.pages_of_scans() == [1, 3] and len(made) == 2
