"""Long texts for services that take short ones."""

import re

from broker.errors import ContextExceeded

MOST = 100
"""Parts of one text: each is a request of its own, and all have to fit into one call's time."""

_SENTENCE = re.compile(r"(?:[.!?…]+[\"'”’»)\]]*\s+|[。！？]+[」』）]*|\n+)")  # noqa: RUF001 - full-width marks
_WORD = re.compile(r"\s+")


def split(text: str, limit: int, most: int = MOST, *, characters: bool = False) -> list[tuple[int, str]]:
    """Parts of at most `limit` bytes of UTF-8 (or `characters`), and where in the text each begins, in characters.

    A part ends with a sentence where one ends in its second half, else with a word, else anywhere. Joined, the parts
    are the text; those that are nothing but space are left out.

    Raises:
        ContextExceeded: there are more than `most`.
    """
    parts: list[tuple[int, str]] = []
    start = 0
    while start < len(text):
        # A character has at least one byte, so no more of them can fit.
        window = text[start : start + limit]
        if not characters:
            window = window.encode()[:limit].decode(errors="ignore")
        if start + len(window) < len(text):
            window = window[: _end(window)]
        if window.strip():
            parts.append((start, window))
        start += len(window)
        if len(parts) > most:
            unit = "characters" if characters else "bytes"
            raise ContextExceeded(f"The text is longer than {most} parts of {limit} {unit}.", code="text_too_long")
    return parts


def _end(window: str) -> int:
    """Where to cut."""
    for bound in (_SENTENCE, _WORD):
        ends = [found.end() for found in bound.finditer(window, len(window) // 2)]
        if ends:
            return ends[-1]
    return len(window)
