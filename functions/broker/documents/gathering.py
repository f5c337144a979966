"""Pages that are pictures, gathered in PDFs, for readers that take many pages at once and charge for each.

A page in one is named as if the PDF were a folder: `…/pages-1.pdf/00028` is the third page of the second, and the
28th of all. They are made by the process that reads the file, for whoever takes it apart may be harmed by it.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from broker.documents.document import Page, TooMuch

if TYPE_CHECKING:
    from broker.documents.extract import Source

MOST_PAGES = 3_000
"""Of a file, with all that is inside."""

AT_ONCE = 25
"""Pages of one PDF: some 17,000 words and cells, which come back by the thousand and have to fit a small function."""

DOTS_AN_INCH = 200
QUALITY = 90
"""Of JPEG, in which pictures lie in a PDF."""


def is_gathered(path: Path) -> bool:
    """True for the name of a page in a gathered PDF."""
    return path.parent.suffix == ".pdf"


def name_of(source: "Source", number: int) -> Path:
    """The name of a page in a PDF, by its number among all pages of the file that are pictures.

    Raises:
        TooMuch: there are more of them than there may be.
    """
    if number > source.limits.gathered:
        raise TooMuch(f"More than {source.limits.gathered} pages are pictures.", code="too_many_scans")
    return source.folder / f"pages-{(number - 1) // AT_ONCE}.pdf" / f"{number:05d}"


def take_pages(source: "Source", document: Any, numbers: Sequence[int]) -> dict[int, Path]:
    """Make PDFs of these pages of an open one, as they are; gives the new name of each.

    Raises:
        TooMuch: there are too many, or they are too large.
        PdfiumError: one of them cannot be taken.
    """
    import pypdfium2 as pdfium

    names = {number: name_of(source, place) for place, number in enumerate(numbers, 1)}
    size = 0
    for first in range(0, len(numbers), AT_ONCE):
        some = numbers[first : first + AT_ONCE]
        made = pdfium.PdfDocument.new()
        try:
            made.import_pages(document, [number - 1 for number in some])
            size = _saved(source, made, names[some[0]].parent, size)
        finally:
            made.close()
    return names


def take_pictures(source: "Source", pages: tuple[Page, ...]) -> tuple[Page, ...]:
    """Make PDFs of the pictures of pages, where there are several; gives the pages with their new names.

    Raises:
        TooMuch: there are too many, or they are too large.
    """
    import pypdfium2 as pdfium

    drawn = [scan for page in pages for scan in page.scans]
    if len(drawn) < 2 or any(map(is_gathered, drawn)):
        return pages
    names = {path: name_of(source, number) for number, path in enumerate(drawn, 1)}
    size = 0
    for first in range(0, len(drawn), AT_ONCE):
        some = drawn[first : first + AT_ONCE]
        made = pdfium.PdfDocument.new()
        try:
            for path in some:
                _add(made, path)
            size = _saved(source, made, names[some[0]].parent, size)
        finally:
            made.close()
    return tuple(replace(page, scans=tuple(names[scan] for scan in page.scans)) for page in pages)


def _add(made: Any, path: Path) -> None:
    """Add a picture as a page of its size; the file goes."""
    import pypdfium2 as pdfium
    from PIL import Image

    jpeg = path.with_suffix(".jpg")
    with Image.open(path) as picture:
        width, height = (side * 72 / DOTS_AN_INCH for side in picture.size)
        picture.save(jpeg, "JPEG", quality=QUALITY)
    image = pdfium.PdfImage.new(made)
    image.load_jpeg(jpeg, inline=True)
    image.set_matrix(pdfium.PdfMatrix().scale(width, height))
    page = made.new_page(width, height)
    page.insert_obj(image)
    page.gen_content()
    page.close()
    path.unlink()
    jpeg.unlink()


def _saved(source: "Source", made: Any, path: Path, before: int) -> int:
    made.save(path)
    size, most = before + path.stat().st_size, source.limits.gathered_bytes
    if size > most:
        raise TooMuch(f"Its pages that are pictures have more than {most} bytes.", code="document_too_large")
    return size
