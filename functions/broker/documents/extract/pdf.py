"""PDF, by PDFium: the text of each page with headings, tables and filled-in forms; pages without text as pictures."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from broker.documents import decoding, gathering, markdown
from broker.documents.document import BrokenDocument, DocumentError, EncryptedDocument, Extract, Inner, Page
from broker.documents.extract import Source, pictures
from broker.documents.extract.pdf_forms import filled_in
from broker.documents.extract.pdf_layout import laid_out

PASSWORD = 4
"""FPDF_ERR_PASSWORD."""

HYPHEN = re.compile(r"(?<=\w)[\x02\ufffe\xad](?:\r?\n)?(?=\w)")
"""PDFium's sign for a hyphen that the line's end made; the word goes on."""

UNREADABLE = re.compile(r"[\ufffd\ue000-\uf8ff\x00-\x08\x0e-\x1f]")
MOST_UNREADABLE = 0.3
"""Of a page's characters: above, its fonts do not say which letters they show, and it is read from its picture."""

COVERED = 0.5
"""Of a page's area by pictures, which makes it mostly a picture."""

DOTS_AN_INCH = 200
MOST_DOTS = 4_000
MOST_OBJECTS = 500
"""Of a page that are looked at for pictures."""

IMAGE = 3
"""FPDF_PAGEOBJ_IMAGE."""


def extract(source: Source) -> Extract:
    """The pages; files that are attached as files inside."""
    import pypdfium2 as pdfium

    try:
        document = pdfium.PdfDocument(source.path)
    except pdfium.PdfiumError as error:
        if error.err_code == PASSWORD:
            raise EncryptedDocument("The PDF needs a password.") from error
        raise BrokenDocument("The file cannot be read as a PDF.") from error
    try:
        count = len(document)
        if not count:
            raise BrokenDocument("The PDF has no pages.")
        source.count(count)
        if document.get_formtype():
            document.init_forms()
        pages = tuple(_page(document, number, source) for number in range(1, count + 1))
        return Extract(_gathered(document, pages, source), tuple(_attached(document, source)))
    finally:
        document.close()


def _page(document: Any, number: int, source: Source) -> Page:
    """One page; what cannot be read of it is left out, for the others can."""
    import pypdfium2 as pdfium

    try:
        page = document[number - 1]
    except pdfium.PdfiumError:
        return Page(number, "")
    try:
        said, letters = _text(page)
        forms = filled_in(document, page)
        if not letters or (letters < pictures.FEWEST_LETTERS and _is_mostly_picture(page)):
            scan = _scan(page, number, source)
            return Page(number, source.said(markdown.blocks([said, forms])), (scan,) if scan else ())
        return Page(number, source.said(markdown.blocks([said, forms])))
    finally:
        page.close()


def _gathered(document: Any, pages: tuple[Page, ...], source: Source) -> tuple[Page, ...]:
    """With those that are pictures in PDFs of their own, where that is wanted and they are several."""
    import pypdfium2 as pdfium

    numbers = [page.number for page in pages if page.scans]
    if not source.limits.gathered or not numbers:
        return pages
    names: dict[int, Path | None] = {}
    if len(numbers) > 1:
        with suppress(pdfium.PdfiumError):  # one of them is damaged: they are drawn
            names |= gathering.take_pages(source, document, numbers)
    for number in [number for number in numbers if number not in names]:
        names[number] = _picture(document[number - 1], number, source)
    scans = {number: (name,) if name else () for number, name in names.items()}
    return tuple(replace(page, scans=scans.get(page.number, ())) for page in pages)


def _text(page: Any) -> tuple[str, int]:
    """The text of a page, and how many letters it has; none where its fonts do not say which letters they show."""
    import pypdfium2 as pdfium

    try:
        text_page = page.get_textpage()
    except pdfium.PdfiumError:
        return "", 0
    try:
        raw = text_page.get_text_range() if text_page.count_chars() else ""
        if len(UNREADABLE.findall(raw.replace("\x02", ""))) > MOST_UNREADABLE * len(raw):
            return "", 0
        laid = laid_out(text_page, raw) if page.get_rotation() in (0, 180) else raw
    finally:
        text_page.close()
    said = markdown.neat(decoding.tidy(HYPHEN.sub("", laid)))
    return said, sum(not letter.isspace() for letter in said)


def _is_mostly_picture(page: Any) -> bool:
    import pypdfium2 as pdfium

    width, height = page.get_size()
    covered = 0.0  # scanners cut a page into strips
    for each in islice(page.get_objects(filter=[IMAGE], max_depth=3), MOST_OBJECTS):
        try:
            left, bottom, right, top = each.get_bounds()
        except pdfium.PdfiumError:
            continue  # of nothing that could be seen
        covered += (right - left) * (top - bottom)
        if covered > COVERED * width * height:
            return True
    return False


def _scan(page: Any, number: int, source: Source) -> Path | None:
    """The page's picture; of one that may be gathered with others only a name, until it is known whether it is."""
    if not source.limits.gathered:
        return _picture(page, number, source)
    return gathering.name_of(source, 1) if _has_something(page) else None


def _picture(page: Any, number: int, source: Source) -> Path | None:
    """The page as a picture; None where nothing is on it."""
    if not _has_something(page):
        return None
    width, height = page.get_size()
    scale = min(DOTS_AN_INCH / 72, MOST_DOTS / max(width, height))
    picture = page.render(scale=scale, grayscale=True).to_pil()
    darkest, lightest = picture.getextrema()
    if darkest == lightest:
        return None
    return pictures.kept(source, number, picture)


def _has_something(page: Any) -> bool:
    return next(iter(page.get_objects(max_depth=1)), None) is not None and min(page.get_size()) > 0


def _attached(document: Any, source: Source) -> Iterator[Inner]:
    for place in range(document.count_attachments()):
        attachment = document.get_attachment(place)
        name = decoding.tidy(attachment.get_name())[:255] or f"attachment-{place + 1}"
        data: bytes | DocumentError
        try:
            data = bytes(attachment.get_data())
        except Exception:
            data = BrokenDocument("The attached file cannot be read.")
        yield source.inner(name, data)
