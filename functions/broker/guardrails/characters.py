"""Characters beyond ASCII: which of them a text has, and others in their place, at little cost where there are few."""

from collections.abc import Mapping
from functools import lru_cache

_ASCII = bytes(range(128))

LEAST_KEPT, MOST_KEPT = 10_000, 2_000_000
"""Characters of a text of which it is kept what is beyond ASCII: checks ask for that of a text and of its normal form.
Of shorter ones it is soon told, and of longer ones it takes memory."""

MOST_ONE_BY_ONE = 32
"""So many characters are replaced one after the other: a table is asked for each character of a text."""


def beyond_ascii(text: str) -> str:
    """The characters that are not ASCII, in their order: what begins with none of them is not to be looked for."""
    if text.isascii():
        return ""
    return _kept(text) if LEAST_KEPT <= len(text) <= MOST_KEPT else _beyond(text)


def _beyond(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").translate(None, _ASCII).decode("utf-8", "surrogatepass")


_kept = lru_cache(maxsize=2)(_beyond)


def replaced(text: str, others: Mapping[str, str]) -> str:
    """The text with one character in the place of another; none of those that are put there is itself replaced."""
    if len(others) > MOST_ONE_BY_ONE:
        return text.translate({ord(char): other for char, other in others.items()})
    for char, other in others.items():
        text = text.replace(char, other)
    return text
