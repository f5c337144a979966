"""The encodings that hide a text in another: where there may be one, what it is, and how it is undone.

A text that holds nothing of the sort is recognised by bytes that stand for its characters: what an encoding cannot do
without is looked for in them, and its pattern is tried only there. What is found is what the pattern alone would find.
"""

import base64
import binascii
import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from urllib.parse import unquote

from broker.guardrails.characters import beyond_ascii, replaced

MOST_DECODED = 65_536
"""Characters that are decoded of one text, all together; what is longer is checked as far as that."""

LONG_WORD = 24
"""Characters in a row without white space that an encoded sentence of some length has."""

JUDGED = 400
"""Bytes by which it is told whether data are a text."""

BASE64 = re.compile(r"[A-Za-z0-9+/]{20,}={0,2}|[A-Za-z0-9_-]{20,}={0,2}")
BASE64_LINES = re.compile(r"(?<![A-Za-z0-9+/])(?:[A-Za-z0-9+/]{60,76}\r?\n[ \t>]{0,8})+[A-Za-z0-9+/]{1,76}={0,2}")
_FIRST_LINE = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{60,76}\r?\n")
HEX = re.compile(r"(?:0x|\\x)?[0-9a-fA-F]{2}(?:[ :,]{0,2}(?:0x|\\x)?[0-9a-fA-F]{2}){11,}")
PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2}){3,}|(?:(?<![^\s%=/&?])[^\s%]{1,40})?(?:%20[^\s%]{0,40}+){2,}")
_ESCAPE, _ENTITY = r"\\u[0-9a-fA-F]{4}", r"&#(?:x[0-9a-fA-F]{1,6}|[0-9]{1,7});\s?"
# The first is written by itself, for a pattern that begins with plain letters is looked for quickly.
ESCAPES = re.compile(f"{_ESCAPE}(?:{_ESCAPE}){{2,}}")
ENTITIES = re.compile(f"{_ENTITY}(?:{_ENTITY}){{2,}}")
SPACED = re.compile(r"(?<!\w)(?:\w[ .*_-]{1,2}){5,200}\w(?!\w)")
_LETTER = re.compile(r"(\w)([ .*_-]{0,2})")
SIGNED = re.compile(r"[.*_-]\w[.*_-]\w[.*_-]\w[.*_-]")
_READABLE = re.compile(r"[\w\s.,;:!?'\"()/<>@#&=+-]")

_WHITE = b"\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0"
_WIDE = re.compile("[\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")
"""White space beyond Latin-1."""

_DIGITS = b"0123456789"
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def _table(of: Mapping[bytes, Iterable[int]]) -> bytes:
    """For `bytes.translate`: one sign for each of some bytes, a zero for all others."""
    table = bytearray(256)
    for sign, codes in of.items():
        for code in codes:
            table[code] = ord(sign)
    return bytes(table)


# All beyond Latin-1 comes as a question mark.
_PACKED = _table({b"x": _DIGITS + _LETTERS + b"+/_-", b" ": _WHITE})
_HEXES = _table({b"x": _DIGITS + b"abcdefABCDEFxX\\ :,"})
_SINGLES = _table({b"w": [code for code in range(256) if chr(code).isalnum()] + [ord("?")], b".": b" .*_-"})

_REST_OF_RUN = re.compile(b"x+")
_REST_OF_WORD = re.compile(b"[^ ]+")
_SIX_SINGLE = re.compile(rb" [^ ] +[^ ] +[^ ] +[^ ] +[^ ] +[^ ] ")
_TWELVE_DOUBLE = re.compile(rb" [^ ][^ ](?: +[^ ][^ ]){11} ")
_UNBROKEN = re.compile(f"[^ ]{{{LONG_WORD},}}")

_LETTERS_APART = re.compile(rb"\.w\.\.?w\.\.?w\.")
_SIGNS_APART = re.compile(r"_(?<=[ .*_-]_)[ .*_-]{1,2}\w[ .*_-]{1,2}\w")
"""One of these two is in every row of letters one by one: three that are none of the signs that part them, or one that
is. It begins among the first `SPACED_LEAD` characters of the row, or the one before it that it lies over does
`LONGEST_APART` before that."""

SPACED_LEAD, LONGEST_APART = 9, 9
DENSE = 64
"""Where a place comes in fewer characters, to look at the whole text is quicker."""

_PERCENTS = re.compile(r"%(?=20[^\s%]{0,40}%20|[0-9a-fA-F]{2}%[0-9a-fA-F]{2}%[0-9a-fA-F]{2})")
"""With this a row of percents begins, but for the beginning of the word that it is in."""

PERCENT_LEAD = 40


class Signs:
    """A text as bytes, one for each character, each made when it is first asked for."""

    def __init__(self, text: str) -> None:
        """Nothing is looked at yet."""
        self.text = text

    @cached_property
    def _latin(self) -> bytes:
        white = set(_WIDE.findall(beyond_ascii(self.text)))
        return replaced(self.text, dict.fromkeys(white, " ")).encode("latin-1", "replace")

    @cached_property
    def packed(self) -> bytes:
        """What base64 is written with as `x`, white space as spaces."""
        return self._latin.translate(_PACKED)

    @cached_property
    def hexes(self) -> bytes:
        """What rows of hexadecimal digits are written with as `x`."""
        return self._latin.translate(_HEXES)

    @cached_property
    def singles(self) -> bytes:
        """Letters and digits as `w`, what parts letters that stand one by one as dots."""
        return self._latin.translate(_SINGLES)

    def has_words(self, pattern: re.Pattern[bytes]) -> bool:
        """True where words of these lengths follow each other."""
        return pattern.search(b" " + self.packed + b" ") is not None


def _runs(signs: bytes, least: int) -> Iterator[tuple[int, int]]:
    """Where at least so many `x` stand in a row."""
    begin = signs.find(b"x" * least)
    while begin >= 0:
        found = _REST_OF_RUN.match(signs, begin)
        end = found.end() if found else begin
        yield begin, end
        begin = signs.find(b"x" * least, end)


def in_base64(signs: Signs) -> Iterator[re.Match[str]]:
    """Base64 within long words."""
    done = 0
    for begin, end in _runs(signs.packed, 20):
        if begin < done:
            continue
        first = signs.packed.rfind(b" ", 0, begin) + 1
        word = _REST_OF_WORD.match(signs.packed, end)
        done = word.end() if word else end
        if done - first >= LONG_WORD:
            yield from BASE64.finditer(signs.text, begin, done)


def in_base64_lines(signs: Signs) -> Iterator[re.Match[str]]:
    """Base64 in lines of a usual length."""
    done = 0
    for begin, end in _runs(signs.packed, 60):
        for line in _FIRST_LINE.finditer(signs.text, begin, end + len("\r\n")):
            if line.start() >= done and (found := BASE64_LINES.match(signs.text, line.start())):
                done = found.end()
                yield found


def in_hex_words(signs: Signs) -> Iterator[re.Match[str]]:
    """Hexadecimal digits within long words."""
    for begin, end in _runs(signs.hexes, LONG_WORD):
        for word in _UNBROKEN.finditer(signs.text, begin, end):
            yield from HEX.finditer(signs.text, *word.span())


def in_hex_rows(signs: Signs) -> Iterator[re.Match[str]]:
    """Hexadecimal digits in pairs, where there are many."""
    runs = list(_runs(signs.hexes, LONG_WORD))
    if runs and (signs.text.count("0x") >= 12 or signs.has_words(_TWELVE_DOUBLE)):
        for begin, end in runs:
            yield from HEX.finditer(signs.text, begin, end)


def in_percents(signs: Signs) -> Iterator[re.Match[str]]:
    """Escapes of addresses, where there are three."""
    if signs.text.count("%") < 3:
        return
    places = (each.start() for each in _PERCENTS.finditer(signs.text))
    yield from _near(PERCENT, signs.text, places, PERCENT_LEAD)


def in_escapes(signs: Signs) -> Iterator[re.Match[str]]:
    """Escapes of JSON in a row."""
    return ESCAPES.finditer(signs.text)


def in_entities(signs: Signs) -> Iterator[re.Match[str]]:
    """Entities of pages in a row."""
    return ENTITIES.finditer(signs.text)


def in_spaced(signs: Signs) -> Iterator[re.Match[str]]:
    """Letters one by one, where there are many or signs stand between them."""
    text = signs.text
    places = [each.start() for each in _LETTERS_APART.finditer(signs.singles)]
    if "_" in text and (more := [each.start() for each in _SIGNS_APART.finditer(text)]):
        places = sorted(places + more)
    if len(places) * DENSE > len(text):
        found = list(SPACED.finditer(text))
    else:
        found = list(_near(SPACED, text, places, SPACED_LEAD, LONGEST_APART))
    if found and (signs.has_words(_SIX_SINGLE) or SIGNED.search(text)):
        yield from found


def _near(
    pattern: re.Pattern[str], text: str, places: Iterable[int], lead: int, behind: int = 1
) -> Iterator[re.Match[str]]:
    """All that a pattern finds that begins at most `lead` characters before a place, or fewer than `behind` after."""
    done = 0
    for place in places:
        for begin in range(max(done, place - lead), min(place + behind, len(text))):
            if found := pattern.match(text, begin):
                done = found.end()
                yield found
                break


def plain(data: bytes) -> str | None:
    """A text that somebody could read, or None. Some bytes that are no text do not hide the others."""
    head = data[:JUDGED].decode(errors="replace")
    if len(head) < 8 or len(_READABLE.findall(head)) < 0.9 * len(head):
        return None
    return data.decode(errors="replace")


def from_base64(word: str) -> str | None:
    """What a word of base64 says."""
    word = word.rstrip("=")[: MOST_DECODED * 2].replace("-", "+").replace("_", "/")
    word = word[: len(word) // 4 * 4] if len(word) % 4 == 1 else word
    try:
        return plain(base64.b64decode(word + "=" * (-len(word) % 4)))
    except binascii.Error:
        return None


def from_hex(word: str) -> str | None:
    """What hexadecimal digits say."""
    digits = re.sub(r"0x|\\x|[ :,]", "", word)
    return plain(bytes.fromhex(digits[: len(digits) // 2 * 2]))


def from_escapes(word: str) -> str:
    """What escapes of JSON, Python and C say."""
    # Half of a surrogate pair is no reason not to read the rest.
    return word.encode("ascii").decode("unicode_escape").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def from_spaced(word: str) -> str:
    """What letters one by one say: where some stand further apart than others, or spaces among signs, a word ends."""
    apart = [(letter, gap) for letter, gap in _LETTER.findall(word) if letter.isalnum()]
    gaps = {gap for _, gap in apart if gap}
    if {len(gap) for gap in gaps} == {1, 2}:
        ends = {gap for gap in gaps if len(gap) == 2}
    else:
        ends = {gap for gap in gaps if gap.isspace()}
    return "".join(letter + " " * (gap in ends and ends != gaps) for letter, gap in apart)


ENCODINGS: tuple[tuple[str, int, Callable[[Signs], Iterator[re.Match[str]]], Callable[[str], str | None]], ...] = (
    ("base64", LONG_WORD, in_base64, from_base64),
    ("hex", LONG_WORD, in_hex_words, from_hex),
    ("base64", 62, in_base64_lines, lambda lines: from_base64(re.sub(r"[\s>]", "", lines))),
    ("hex", LONG_WORD, in_hex_rows, from_hex),
    ("percent", 6, in_percents, lambda word: plain(unquote(word).encode())),
    ("escapes", 18, in_escapes, from_escapes),
    ("entities", 12, in_entities, html.unescape),
    ("spaced_letters", 11, in_spaced, from_spaced),
)
"""By what findings call them: the fewest characters, where they are, and what they say (None for what is no text)."""
