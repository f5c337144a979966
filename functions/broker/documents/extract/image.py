"""Pictures: each frame of a TIFF is a page, which has to be read from it; of the others the first. PNG, JPEG, WEBP."""

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

from broker.documents.document import DocumentError, Extract, Page, TooMuch
from broker.documents.extract import Source, pictures

if TYPE_CHECKING:
    from PIL.Image import Image

REDUCED = 254, 1
"""TIFF's NewSubfileType, and its bit for a small copy of another frame (TIFF 6.0, page 36)."""


def extract(source: Source) -> Extract:
    """The pictures of the pages, upright, as PNG in the source's folder."""
    from PIL import Image

    pages = []
    try:
        with warnings.catch_warnings(), Image.open(source.path, formats=pictures.FORMATS) as picture:
            warnings.simplefilter("ignore")  # of odd metadata; sizes are looked at here
            source.count(getattr(picture, "n_frames", 1) if picture.format == "TIFF" else 1)
            for number, frame in enumerate(_frames(picture), start=1):
                if frame.width * frame.height > source.limits.pixels:
                    raise TooMuch(f"The picture has more than {source.limits.pixels} pixels.", code="too_many_pixels")
                pages.append(Page(number, "", (pictures.kept(source, number, pictures.upright(frame)),)))
    except (DocumentError, MemoryError):
        raise
    except Exception as error:
        raise pictures.undecodable(error, source) from error
    return Extract(tuple(pages))


def _frames(picture: "Image") -> Iterator["Image"]:
    """What is a page: no second view of a photo (MPO), no moment of a film, no small copy."""
    from PIL import ImageSequence

    if picture.format != "TIFF":
        yield picture
        return
    tag, bit = REDUCED
    for number, frame in enumerate(ImageSequence.Iterator(picture)):
        kind = getattr(frame, "tag_v2", {}).get(tag, 0)
        if not number or not (isinstance(kind, int) and kind & bit):
            yield frame.copy() if number else frame
