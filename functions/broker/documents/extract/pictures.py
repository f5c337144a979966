"""Pictures of pages, and on pages, on their way to be read: upright, on white, no larger than their reader takes."""

import warnings
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, cast

from broker.documents.archives import Archive
from broker.documents.document import BrokenDocument, TooMuch
from broker.documents.extract import Source

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP")
LONGEST_SIDE = 4_000
"""Pixels of what goes to be read: A4 at 340 dots an inch."""

MOST_BYTES = 3_500_000
"""Of a picture that goes to be read: as base64 it has to fit a request, and 200 of them a disk."""

FEWEST_LETTERS = 40
"""Of a page with a picture: below, they are a stamp, a title or a page number on a scan."""


def scans(source: Source, archive: Archive, number: int, text: str, parts: Iterable[str]) -> tuple[Path, ...]:
    """The pictures on a page of an archive that says little beside them; what cannot be decoded is left out."""
    if sum(not letter.isspace() for letter in text) >= FEWEST_LETTERS:
        return ()
    return tuple(path for part in parts if (path := _inside(source, archive, number, part)))


def _inside(source: Source, archive: Archive, number: int, part: str) -> Path | None:
    from PIL import Image

    try:
        data = archive.read(part)
        with warnings.catch_warnings(), Image.open(BytesIO(data), formats=FORMATS) as picture:
            warnings.simplefilter("ignore")
            if picture.width * picture.height > source.limits.pixels:
                return None
            ready = upright(picture)
    except (TooMuch, MemoryError):
        raise
    except Exception:
        return None  # drawings of lines (EMF, SVG) are no pictures, and a damaged one keeps no text
    return kept(source, number, ready)


def upright(frame: "Image") -> "Image":
    """A picture as it is looked at: turned as its camera says, on white, of at most `LONGEST_SIDE`."""
    from PIL import Image, ImageOps

    if frame.mode.startswith(("I", "F")):  # of more than 256 shades, of which `convert` would keep the darkest 256
        wide = frame.convert("F")
        lightest = cast(float, wide.getextrema()[1])
        if lightest > 255:
            wide = wide.point(lambda shade: shade * (255 / lightest))
        frame = wide.convert("L")
    elif frame.mode == "1":
        frame = frame.convert("L")
    found = frame
    ImageOps.exif_transpose(found, in_place=True)  # a copy of 120 million dots is 480 MB
    found.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    if "A" in found.getbands() or "transparency" in found.info:
        found = found.convert("RGBA")
        paper = Image.new("RGB", found.size, "white")
        paper.paste(found, mask=found.getchannel("A"))
        return paper
    return found if found.mode == "L" else found.convert("RGB")


def kept(source: Source, number: int, picture: "Image") -> Path:
    """Write a picture of a page as PNG; one that is too large loses its colours, and then size.

    Raises:
        TooMuch: there are too many.
    """
    path = source.picture_path(number)
    picture.save(path, "PNG", compress_level=1)
    if path.stat().st_size > MOST_BYTES:
        picture = picture.convert("L")
        picture.save(path, "PNG")
    while path.stat().st_size > MOST_BYTES:
        picture = picture.resize((max(picture.width * 4 // 5, 1), max(picture.height * 4 // 5, 1)))
        picture.save(path, "PNG", compress_level=1)
    return path


def undecodable(error: Exception, source: Source) -> TooMuch | BrokenDocument:
    """What the failure of a picture that is a file by itself means."""
    from PIL import Image

    if isinstance(error, Image.DecompressionBombError):
        return TooMuch(f"The picture has more than {source.limits.pixels} pixels.", code="too_many_pixels")
    return BrokenDocument("The picture cannot be decoded.")
