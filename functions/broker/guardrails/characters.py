"""Characters beyond ASCII: which of them a text has, and others in their place, at little cost where there are few."""

from collections.abc import Mapping

_ASCII = bytes(range(128))

MOST_ONE_BY_ONE = 32
"""So many characters are replaced one after the other: a table is asked for each character of a text."""


def beyond_ascii(text: str) -> str:
    """The characters that are not ASCII, in their order: what begins with none of them is not to be looked for."""
    if text.isascii():
        return ""
    return text.encode("utf-8", "surrogatepass").translate(None, _ASCII).decode("utf-8", "surrogatepass")


def replaced(text: str, others: Mapping[str, str]) -> str:
    """The text with one character in the place of another; none of those that are put there is itself replaced."""
    if len(others) > MOST_ONE_BY_ONE:
        return text.translate({ord(char): other for char, other in others.items()})
    for char, other in others.items():
        text = text.replace(char, other)
    return text
