"""Pictures that have to be read: of every mode, and those that are all that a document says."""

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from broker.documents.document import Document
from broker.documents.extract import Source, pictures
from broker.documents.limits import Limits
from broker.documents.sandbox import read, refuse_scans
from PIL import Image

from tests.unit.documents.samples import (
    DRAWING,
    RELATIONS,
    docx,
    epub,
    odt,
    paragraph,
    picture,
    pptx,
    relations,
    shape,
    zipped,
)

BLIP = f'<a:blip xmlns:a="{DRAWING}" xmlns:r="{RELATIONS}" r:embed="{{}}"/>'
DRAWN = f"<w:p><w:r><w:drawing>{BLIP}</w:drawing></w:r></w:p>"
IMAGE = ("i1", "image", "media/i.png")


@pytest.fixture
def looked(tmp_path: Path) -> Callable[[str, bytes], tuple[Document, list[Any]]]:
    """Reads a document; gives it, and the pictures that went to be read."""

    def _looked(name: str, data: bytes) -> tuple[Document, list[Any]]:
        seen: list[Any] = []

        def ocr(paths: list[Path], seconds: float) -> list[str]:
            seen.extend(Image.open(io.BytesIO(path.read_bytes())) for path in paths)
            return [f"read {number}" for number in range(1, len(paths) + 1)]

        path = tmp_path / "given"
        path.write_bytes(data)
        return read(path, name, Limits(seconds=60), ocr), seen

    return _looked


def with_parts(package: bytes, parts: dict[str, bytes]) -> bytes:
    """A package with more parts, or others."""
    from zipfile import ZipFile

    with ZipFile(io.BytesIO(package)) as archive:
        return zipped({**{name: archive.read(name) for name in archive.namelist()}, **parts})


def saved(image: Any, kind: str, **how: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def test_a_word_document_that_is_a_picture_is_read_from_it(looked):
    data = with_parts(docx(DRAWN.format("i1"), rows=[IMAGE]), {"word/media/i.png": picture("Invoice")})
    found, seen = looked("a.docx", data)
    assert (found.outcome, found.text, len(seen)) == ("ocr", "read 1", 1)


def test_pictures_are_read_on_the_page_where_they_stand_and_not_beside_text(looked):
    break_ = '<w:p><w:r><w:br w:type="page"/></w:r></w:p>'
    body = paragraph("A page of prose that says all by itself, so that its logo is none of ours.")
    body += DRAWN.format("i1") + break_ + paragraph("Annex") + DRAWN.format("i1") + DRAWN.format("i2")
    body += DRAWN.format("i1") + DRAWN.format("nowhere")
    rows = [IMAGE, ("i2", "image", "media/j.emf")]
    data = with_parts(docx(body, rows=rows), {"word/media/i.png": picture("x"), "word/media/j.emf": b"\x01\x00lines"})
    found, seen = looked("a.docx", data)
    assert [(page.number, page.text, page.ocr) for page in found.pages][1:] == [(2, "Annex\n\nread 1", True)]
    assert found.pages[0].text.endswith("none of ours.") and len(seen) == 1


def test_a_picture_in_a_cell_leaves_no_empty_table(looked):
    body = f"<w:tbl><w:tr><w:tc>{DRAWN.format('i1')}</w:tc><w:tc><w:p/></w:tc></w:tr></w:tbl>"
    data = with_parts(docx(body, rows=[IMAGE]), {"word/media/i.png": picture("x")})
    assert looked("a.docx", data)[0].text == "read 1"


def test_slides_that_are_pictures_are_read_each_under_its_number(looked):
    shown = f"<p:pic><p:nvPicPr><p:nvPr/></p:nvPicPr><p:blipFill>{BLIP.format('i1')}</p:blipFill></p:pic>"
    data = with_parts(
        pptx(shape("Plan", "title"), shown, shown),
        {
            f"ppt/slides/_rels/slide{number}.xml.rels": relations(("i1", "image", "../media/i.png")).encode()
            for number in (1, 2)
        }
        | {"ppt/media/i.png": picture("x")},
    )
    found, _ = looked("a.pptx", data)
    assert [(page.number, page.text) for page in found.pages] == [(1, "# Plan"), (2, "read 1"), (3, "read 2")]


def test_an_opendocument_text_that_is_a_picture_is_read_from_it(looked):
    frame = '<draw:frame><draw:image xlink:href="Pictures/a%20b.png" xmlns:xlink="x"/></draw:frame>'
    for body in (f"<text:p>{frame}</text:p>", frame):
        found, _ = looked("a.odt", with_parts(odt(body), {"Pictures/a b.png": picture("x")}))
        assert (found.outcome, found.text) == ("ocr", "read 1")


def test_a_scanned_book_is_read_from_its_pictures(looked):
    cover = '<svg><image xlink:href="../OEBPS/i%201.png"/></svg>'
    data = epub('<p><img alt="" src="i%201.png"/></p>', cover, "<p>No more</p>", "<p>Ends</p><img src='gone.png'/>")
    found, _ = looked("a.epub", with_parts(data, {"OEBPS/i 1.png": picture("x")}))
    assert [(page.number, page.text) for page in found.pages] == [
        (1, "read 1"),
        (2, "read 2"),
        (3, "No more"),
        (4, "Ends"),
    ]


def test_a_picture_inside_that_is_a_bomb_keeps_no_text(looked):
    from tests.unit.documents.samples import png

    body = paragraph("Short.") + DRAWN.format("i1")
    data = with_parts(docx(body, rows=[IMAGE]), {"word/media/i.png": png(60_000, 60_000)})
    found, seen = looked("a.docx", data)
    assert (found.text, seen) == ("Short.", [])


def test_shades_beyond_256_stay_apart(looked):
    dots = b"".join(struct.pack("<H", shade) for shade in (0, 20_000, 40_000, 65_535))
    _, (seen,) = looked("a.png", saved(Image.frombytes("I;16", (4, 1), dots), "PNG"))
    shades = [seen.getpixel((x, 0)) for x in range(4)]
    assert len(set(shades)) == 4 and shades == sorted(shades)


@pytest.mark.parametrize("kind", ["WEBP", "MPO", "PNG"])
def test_only_a_tiff_has_pages(looked, kind):
    """A film's moments and a photo's second view are none."""
    frames = [Image.open(io.BytesIO(picture(text))) for text in ("One", "Two")]
    found, seen = looked("a", saved(frames[0], kind, save_all=True, append_images=frames[1:]))
    assert (len(found.pages), len(seen)) == (1, 1)


def test_a_photo_is_upright_and_a_cut_out_is_on_white(looked):
    turned = Image.Exif()
    turned[0x112] = 6
    assert looked("a.jpg", saved(Image.new("RGB", (300, 100)), "JPEG", exif=turned))[1][0].size == (100, 300)
    _, (seen,) = looked("a.png", saved(Image.new("RGBA", (9, 9), (0, 0, 0, 0)), "PNG"))
    assert seen.convert("L").getextrema() == (255, 255)


def test_a_picture_that_is_too_large_for_its_reader_is_made_smaller(tmp_path):
    """Textract refuses more than 10 MB, and noise of this size is 20."""
    import random

    noise = Image.frombytes("RGB", (2_700, 2_700), random.Random(1).randbytes(2_700 * 2_700 * 3))
    path = pictures.kept(Source(tmp_path, "a", Limits(), tmp_path), 1, noise)
    assert path.stat().st_size <= pictures.MOST_BYTES
    with Image.open(path) as small:
        assert small.width > 1_500


def test_where_pictures_are_not_read_a_document_that_has_them_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "given"
    path.write_bytes(picture("Invoice 2077"))
    found = read(path, "scan.png", ocr=refuse_scans)
    assert (found.outcome, found.pages) == ("error", ())
    assert found.error is not None and found.error.code == "scans_not_read"
