"""What is hidden in a text by an encoding, decoded for checking: never for the model, and bounded in depth and size.

A text that holds nothing of the sort is recognised by its words: no long one, few of a single letter, no escapes.
"""

import base64
import binascii
import codecs
import html
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import unquote

DEEPEST = 2
"""Encodings in each other that are undone."""

MOST_DECODED = 65_536
"""Characters that are decoded of one text, all together; what is longer is checked as far as that."""

LONG_WORD = 24
"""Characters in a row without white space that an encoded sentence of some length has."""

_BASE64 = re.compile(r"[A-Za-z0-9+/]{20,}={0,2}|[A-Za-z0-9_-]{20,}={0,2}")
_HEX = re.compile(r"(?:0x|\\x)?[0-9a-fA-F]{2}(?:[ :,]?(?:0x|\\x)?[0-9a-fA-F]{2}){11,}")
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2}){3,}|(?:[\w.-]{0,20}%20[\w.-]{0,20}){2,}")
_ESCAPES = re.compile(r"(?:\\u[0-9a-fA-F]{4}){3,}")
_ENTITIES = re.compile(r"(?:&#(?:x[0-9a-fA-F]{1,6}|[0-9]{1,7});\s?){3,}")
_SPACED = re.compile(r"(?<!\w)(?:\w[ .*_-]{1,2}){5,200}\w(?!\w)")
_READABLE = re.compile(r"[\w\s.,;:!?'\"()/<>@#&=+-]")

_ROTATED = re.compile("vtaber|flfgrz|cebzcg|vafgehpgvba|cerivbhf|cnffjbeq|qvfertneq", re.IGNORECASE)
"""ignore, system, prompt, instruction, previous, password, disregard, each letter moved on by thirteen."""

_REVERSED = re.compile("erongi|tpmorp|snoitcurtsni|suoiverp|drowssap|dragersid", re.IGNORECASE)


class Decoded(NamedTuple):
    """A text that was hidden in another: characters `begin` to `end` of that, and by what."""

    text: str
    begin: int
    end: int
    how: str


def decoded(text: str) -> Iterator[Decoded]:
    """What is hidden in a text; of encodings in each other, the outermost place is told."""
    left = MOST_DECODED
    waiting: list[tuple[str, Decoded | None, int]] = [(text, None, DEEPEST)]
    while waiting:
        inside, place, depth = waiting.pop()
        for found in _once(inside):
            if left <= 0:
                return
            shown = found.text[:left]
            left -= len(shown)
            at = place or found
            yield Decoded(shown, at.begin, at.end, at.how)
            if depth > 1:
                waiting.append((shown, at, depth - 1))


def _once(text: str) -> Iterator[Decoded]:
    words = text.split()
    singles = sum(1 for word in words if len(word) == 1)
    if any(len(word) >= LONG_WORD for word in words) or "0x" in text or singles >= 6:
        for how, pattern, undo in _LONG:
            for found in pattern.finditer(text):
                made = undo(found.group())
                if made is not None:
                    yield Decoded(made, *found.span(), how)
    elif _is_hex(words):
        for found in _HEX.finditer(text):
            if made := _from_hex(found.group()):
                yield Decoded(made, *found.span(), "hex")
    for how, pattern, undo_all in _WHOLE:
        if sign := pattern.search(text):
            yield Decoded(undo_all(text), *sign.span(), how)


def _is_hex(words: list[str]) -> bool:
    return sum(1 for word in words if len(word) == 2) >= 12


def _plain(data: bytes) -> str | None:
    """A text that somebody could read, or None."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    if len(text) < 8 or len(_READABLE.findall(text[:400])) < 0.9 * len(text[:400]):
        return None
    return text


def _from_base64(word: str) -> str | None:
    word = word.rstrip("=")[: MOST_DECODED * 2].replace("-", "+").replace("_", "/")
    word = word[: len(word) // 4 * 4] if len(word) % 4 == 1 else word
    try:
        return _plain(base64.b64decode(word + "=" * (-len(word) % 4)))
    except binascii.Error:
        return None


def _from_hex(word: str) -> str | None:
    digits = re.sub(r"0x|\\x|[ :,]", "", word)
    return _plain(bytes.fromhex(digits[: len(digits) // 2 * 2]))


def _from_escapes(word: str) -> str | None:
    try:
        return word.encode("ascii").decode("unicode_escape").encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeError:
        return None


def _from_spaced(word: str) -> str | None:
    return "".join(char for char in word if char.isalnum())


_LONG: tuple[tuple[str, re.Pattern[str], Callable[[str], str | None]], ...] = (
    ("base64", _BASE64, _from_base64),
    ("hex", _HEX, _from_hex),
    ("percent", _PERCENT, lambda word: _plain(unquote(word, errors="replace").encode())),
    ("escapes", _ESCAPES, _from_escapes),
    ("entities", _ENTITIES, html.unescape),
    ("spaced_letters", _SPACED, _from_spaced),
)
"""Found at a place of their own."""

_WHOLE: tuple[tuple[str, re.Pattern[str], Callable[[str], str]], ...] = (
    ("rot13", _ROTATED, lambda text: codecs.encode(text[:MOST_DECODED], "rot13")),
    ("reversed", _REVERSED, lambda text: text[:MOST_DECODED][::-1]),
)
"""Of a whole text, told by words that are looked for."""
