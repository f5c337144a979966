"""What is hidden in a text by an encoding, decoded for checking: never for the model, and bounded in depth and size.

A text that holds nothing of the sort is recognised by its words: no long one, no row of very short ones, no escapes.
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
_HEX = re.compile(r"(?:0x|\\x)?[0-9a-fA-F]{2}(?:[ :,]{0,2}(?:0x|\\x)?[0-9a-fA-F]{2}){11,}")
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2}){3,}|[^\s%]{0,40}(?:%20[^\s%]{0,40}){2,}")
_ESCAPES = re.compile(r"(?:\\u[0-9a-fA-F]{4}){3,}")
_ENTITIES = re.compile(r"(?:&#(?:x[0-9a-fA-F]{1,6}|[0-9]{1,7});\s?){3,}")
_SPACED = re.compile(r"(?<!\w)(?:\w[ .*_-]{1,2}){5,200}\w(?!\w)")
_SIGNED = re.compile(r"[.*_-]\w[.*_-]\w[.*_-]\w[.*_-]")
_READABLE = re.compile(r"[\w\s.,;:!?'\"()/<>@#&=+-]")

_ROTATED = ("vtaber", "flfgrz", "cebzcg", "vafgehpgvba", "cerivbhf", "cnffjbeq", "qvfertneq")
"""ignore, system, prompt, instruction, previous, password, disregard, each letter moved on by thirteen."""

_REVERSED = ("erongi", "tpmorp", "snoitcurtsni", "suoiverp", "drowssap", "dragersid")


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
    # A byte for each word's length: what is in a row is found in it at once.
    lengths = bytes([length if length < 255 else 255 for length in map(len, words)])
    if lengths and max(lengths) >= LONG_WORD:
        yield from _in_long_words(text, words)
    for how, signs, pattern, undo in _IN_ROWS:
        if signs(text, lengths):
            for found in pattern.finditer(text):
                if (made := undo(found.group())) is not None:
                    yield Decoded(made, *found.span(), how)
    lower = text.lower()
    for how, marks, undo_all in _WHOLE:
        if mark := next((mark for mark in marks if mark in lower), None):
            at = lower.index(mark)
            yield Decoded(undo_all(text[:MOST_DECODED]), at, min(at + len(mark), len(text)), how)


def _in_long_words(text: str, words: list[str]) -> Iterator[Decoded]:
    at = 0
    for word in words:
        if len(word) < LONG_WORD:
            continue
        at = text.index(word, at)
        for how, pattern, undo in _LONG:
            for found in pattern.finditer(word):
                if (made := undo(found.group())) is not None:
                    yield Decoded(made, at + found.start(), at + found.end(), how)
        at += len(word)


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


def _is_spaced(text: str, lengths: bytes) -> bool:
    return b"\1" * 6 in lengths or _SIGNED.search(text) is not None


def _from_spaced(word: str) -> str | None:
    return "".join(char for char in word if char.isalnum())


_LONG: tuple[tuple[str, re.Pattern[str], Callable[[str], str | None]], ...] = (
    ("base64", _BASE64, _from_base64),
    ("hex", _HEX, _from_hex),
)
"""Within a long word."""

_IN_ROWS: tuple[
    tuple[str, Callable[[str, bytes], bool], re.Pattern[str], Callable[[str], str | None]],
    ...,
] = (
    ("hex", lambda text, lengths: b"\2" * 12 in lengths or text.count("0x") >= 12, _HEX, _from_hex),
    ("percent", lambda text, lengths: text.count("%") >= 3, _PERCENT, lambda word: _plain(unquote(word).encode())),
    ("escapes", lambda text, lengths: "\\u" in text, _ESCAPES, _from_escapes),
    ("entities", lambda text, lengths: "&#" in text, _ENTITIES, html.unescape),
    ("spaced_letters", lambda text, lengths: _is_spaced(text, lengths), _SPACED, _from_spaced),
)
"""Anywhere, where there are signs of it."""

_WHOLE: tuple[tuple[str, tuple[str, ...], Callable[[str], str]], ...] = (
    ("rot13", _ROTATED, lambda text: codecs.encode(text, "rot13")),
    ("reversed", _REVERSED, lambda text: text[::-1]),
)
"""Of a whole text, told by words that are looked for."""
