"""Pictures: each frame is a page, which has to be read from it. PNG, JPEG, TIFF, WEBP."""

import warnings

from broker.documents.document import BrokenDocument, DocumentError, Extract, Page, TooMuch
from broker.documents.extract import Source

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP")
LONGEST_SIDE = 4_000
"""Pixels of what goes to be read: A4 at 340 dots an inch."""


def extract(source: Source) -> Extract:
    """The pictures of the pages, upright, as PNG in the source's folder."""
    from PIL import Image, ImageOps, ImageSequence

    pages = []
    try:
        with warnings.catch_warnings(), Image.open(source.path, formats=FORMATS) as picture:
            warnings.simplefilter("ignore")  # of odd metadata; sizes are looked at here
            source.count(getattr(picture, "n_frames", 1))
            for number, frame in enumerate(ImageSequence.Iterator(picture), start=1):
                if frame.width * frame.height > source.limits.pixels:
                    raise TooMuch(f"The picture has more than {source.limits.pixels} pixels.", code="too_many_pixels")
                upright = ImageOps.exif_transpose(frame.copy() if number > 1 else frame)
                upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
                path = source.picture_path(number)
                flat = (
                    upright.convert("RGBA") if "A" in upright.getbands() or "transparency" in upright.info else upright
                )
                if flat.mode == "RGBA":
                    paper = Image.new("RGB", flat.size, "white")
                    paper.paste(flat, mask=flat.getchannel("A"))
                    flat = paper
                flat.convert("RGB").save(path, "PNG", compress_level=1)
                pages.append(Page(number, "", scan=path))
    except (DocumentError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise TooMuch(f"The picture has more than {source.limits.pixels} pixels.", code="too_many_pixels") from error
    except Exception as error:
        raise BrokenDocument("The picture cannot be decoded.") from error
    return Extract(tuple(pages))
