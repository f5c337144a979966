"""What a request can cost beside tokens: units, at most, before any work is done.

Sources of the limits: Amazon Textract developer guide, "Set quotas in Amazon Textract" (3,000 pages in a document);
Amazon Transcribe developer guide, "Guidelines and quotas" (four hours of audio) and pricing (15 seconds at least);
Amazon Comprehend pricing (300 characters at least for each request, in steps of a hundred); Amazon Bedrock pricing, and
that of Azure AI Content Safety (text units and records: a thousand characters, or a part of them, of each request).
"""

from collections.abc import Mapping, Sequence
from typing import Any

MOST_PAGES = 3_000
MOST_SECONDS = 14_400
FEWEST_SECONDS = 15

FEWEST_CHARACTERS = 300
DETECTED_CHARACTERS = 5_100
"""What is looked at to tell a text's language, at most and rounded up."""
ANALYSED = frozenset({"sentiment", "entities", "moderate"})
"""Tasks of which a service charges each request by its characters; how many requests, `_analysed` says."""

UNIT_CHARACTERS = 1_000
FEWEST_ANSWER_CHARACTERS = 800
"""Of a part of an answer whose grounding is judged (`providers.bedrock.guardrails`), but for its last."""

FEWEST_BYTES_A_SECOND = 500
"""Speech at four kilobits a second: no codec in use takes less."""

FEWEST_BYTES_A_PAGE = 100
"""An empty page of a PDF."""

JUDGED = ("text_units", "content_units", "topic_units", "pii_units")
"""What services charge that judge a text, by the thousand characters."""

BY_PAGE = frozenset({"forms", "tables"})
"""Features that a page costs more for."""

PAGES = "pages"
"""In a stored request: how many pages its file has, where the broker made it and knows. No client can say."""

ONE_PAGE = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp")
ONE_PAGE_NAMES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp")


def most_units(request: Mapping[str, Any]) -> dict[str, int]:
    """The most of each unit that one call for a stored request can use, whether or not a model has a price for it."""
    given, task = request.get("input", {}), request.get("task")
    text = given.get("text", "")
    texts = [text] if isinstance(text, str) else text
    features = set(given.get("features", ()))
    operations = 1 + len(features)
    found = {"requests": 1, "images": pictures(request), "characters": sum(map(len, texts))}
    if task == "analyze_image":
        found["images"] = operations
    if task in ANALYSED:
        found["characters"] = _analysed(found["characters"], len(texts), operations)
    if task == "moderate":
        found |= _judged(texts, given)
    if file := given.get("file"):
        found |= {"pages": request.get(PAGES) or _pages(file), "seconds": _seconds(file)}
        found |= dict.fromkeys(features & BY_PAGE, found["pages"])
    return found


def most_units_of_text(task: str, characters: int, operations: int = 1) -> dict[str, int]:
    """The same for a text that is not there yet, of so many characters; `operations` are what is done with it."""
    found = {"requests": 1, "characters": characters}
    if task in ANALYSED:
        found["characters"] = _analysed(characters, 1, operations)
    if task == "moderate":
        found |= dict.fromkeys(JUDGED, _text_units(characters))
    return found


def pictures(request: Mapping[str, Any]) -> int:
    """How many pictures are to be made; 1 for all else. Each is paid for, also where tokens are what is counted."""
    count: int = request.get("input", {}).get("count") or 1
    return count if request.get("task") == "generate_image" else 1


def _analysed(length: int, count: int, operations: int) -> int:
    """Characters that are charged of so many texts of that length together, at most.

    Long texts are split, and each part is rounded up. A part that is not its text's last has 125 characters at least,
    and short ones go ten to a request: so rounding adds a fifth at most, and what is last in a text a request of the
    shortest kind.
    """
    each = length + length // 5 + FEWEST_CHARACTERS * (1 + count)
    return operations * each + max(FEWEST_CHARACTERS, min(length + 100, DETECTED_CHARACTERS))


def _judged(texts: Sequence[str], given: Mapping[str, Any]) -> dict[str, int]:
    """Thousands of characters that are judged, at most; each policy of a guardrail is charged for by itself."""
    documents = given.get("documents", ())
    units = sum(_text_units(_characters(each)) for each in (*texts, *documents))
    found = dict.fromkeys(JUDGED, units)
    if "query" in given:
        parts = sum(_characters(each) // FEWEST_ANSWER_CHARACTERS + 1 for each in texts)
        sources = sum(_text_units(_characters(each)) for each in (*documents, given["query"]))
        found["grounding_units"] = units + parts * sources
    return found


def _text_units(characters: int) -> int:
    """Each part of a text that is not its last has half a thousand characters at least, so rounding at most doubles."""
    return 2 * characters // UNIT_CHARACTERS + 1


def _characters(text: str) -> int:
    """In UTF-16, of which a text has the most that a service may count."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _pages(file: Mapping[str, str]) -> int:
    if file.get("media_type") in ONE_PAGE or file.get("s3", "").lower().endswith(ONE_PAGE_NAMES):
        return 1
    return _bounded(file, FEWEST_BYTES_A_PAGE, MOST_PAGES)


def _seconds(file: Mapping[str, str]) -> int:
    return max(FEWEST_SECONDS, _bounded(file, FEWEST_BYTES_A_SECOND, MOST_SECONDS))


def _bounded(file: Mapping[str, str], fewest_bytes: int, most: int) -> int:
    """By the size of what the request brings itself; the most there is for an object, whose size is not known yet."""
    data = file.get("data")
    return most if data is None else min(most, len(data) * 3 // 4 // fewest_bytes + 1)
