"""What a request can cost beside tokens: units, at most, before any work is done.

Sources of the limits: Amazon Textract developer guide, "Set quotas in Amazon Textract" (3,000 pages in a document);
Amazon Transcribe developer guide, "Guidelines and quotas" (four hours of audio).
"""

from collections.abc import Mapping
from typing import Any

MOST_PAGES = 3_000
MOST_SECONDS = 14_400

FEWEST_BYTES_A_SECOND = 500
"""Speech at four kilobits a second: no codec in use takes less."""

FEWEST_BYTES_A_PAGE = 100
"""An empty page of a PDF."""

ONE_PAGE = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp")
ONE_PAGE_NAMES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp")


def most_units(request: Mapping[str, Any]) -> dict[str, int]:
    """The most of each unit that one call for a stored request can use, whether or not a model has a price for it."""
    given = request.get("input", {})
    found = {"requests": 1, "images": given.get("count", 1), "characters": _characters(given)}
    if file := given.get("file"):
        found |= {"pages": _pages(file), "seconds": _seconds(file)}
    return found


def _characters(given: Mapping[str, Any]) -> int:
    text = given.get("text", "")
    return len(text) if isinstance(text, str) else sum(map(len, text))


def _pages(file: Mapping[str, str]) -> int:
    if file.get("media_type") in ONE_PAGE or file.get("s3", "").lower().endswith(ONE_PAGE_NAMES):
        return 1
    return _bounded(file, FEWEST_BYTES_A_PAGE, MOST_PAGES)


def _seconds(file: Mapping[str, str]) -> int:
    return _bounded(file, FEWEST_BYTES_A_SECOND, MOST_SECONDS)


def _bounded(file: Mapping[str, str], fewest_bytes: int, most: int) -> int:
    """By the size of what the request brings itself; the most there is for an object, whose size is not known yet."""
    data = file.get("data")
    return most if data is None else min(most, len(data) * 3 // 4 // fewest_bytes + 1)
