"""A text as words: folded, so that case, accents, width, look-alike letters and spacing do not hide one."""

import re
import unicodedata
from functools import cache
from typing import NamedTuple

from broker.guardrails.characters import beyond_ascii, replaced

UNSPACED = "\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"
"""Thai, Lao, Khmer, kana and Han: scripts that are written without spaces."""

MARKS = '[.!?:;\n"`。“”«»「」]'
"""Ends of sentences, colons and quotation marks are words too: what begins a sentence is an order more often."""

WORD = re.compile(f"[a-z0-9]+(?:['@$!|][a-z0-9]+)*|{MARKS}")
ANY_WORD = re.compile(f"[{UNSPACED}]+|(?:[^\\W_{UNSPACED}]|[\u0900-\u0dff])+(?:['@$!|](?:[^\\W_{UNSPACED}])+)*|{MARKS}")

SPACED = re.compile(r"(?<![^\W_])(?:[^\W_][ .\-*\\/|+~]){4,}[^\W_](?![^\W_])")
"""Letters one by one: `i g n o r e`, `i-g-n-o-r-e`."""

LEET = str.maketrans("0134578@$!|€", "oieastbasiie")
LOOKALIKES = str.maketrans(
    "абвгдезіїјкмнорсԁтухьѕһԛԝыαβγεηικνορτυχωɑɡıɩʟɴʀɪɢʜ",
    "abbrge3iijkmhopcdtyxbshqwbabyenikvoptuxwagiilnrigh",
)


LATIN = re.compile("[a-z]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_FOLDED = re.compile(
    "[^\x00-\x7f\u0430-\u0438\u043a-\u044f\u3001-\u3029\u3041-\u3096\u30a1-\u30fa\u30fc\u4e00-\u9fff\uac00-\ud7a3]"
)
"""What may become another letter: all but ASCII, plain Cyrillic, kana, Han and Hangul."""


class Words(NamedTuple):
    """The words of a text in order, and what was done to read them."""

    words: list[str]
    disguises: dict[str, int]
    """How often each trick was undone: `invisible`, `mixed_script`, `leet`, `spaced`, `escaped`."""


class _Folding(dict[int, str]):
    """What becomes of each character, worked out when it is first seen."""

    def __missing__(self, point: int) -> str:
        letter = chr(point)
        if unicodedata.category(letter) in ("Cf", "Cc") and letter not in "\n\t\r":
            folded = ""
        else:
            plain = unicodedata.normalize("NFKD", letter).casefold()
            folded = unicodedata.normalize("NFC", "".join(each for each in plain if not "\u0300" <= each <= "\u036f"))
        if len(self) < 70_000:
            self[point] = folded
        return folded


@cache
def _folding() -> _Folding:
    folding = _Folding({ord("’"): "'", ord("ı"): "i", ord("\ufe0f"): "", ord("\u0640"): ""})
    folding.update({point: "" for point in range(0x064B, 0x0653)})
    return folding


def fold(text: str) -> str:
    """The text in one form: no case, no accents, no width, nothing invisible. Linear, one character at a time."""
    lower = text.lower()
    if text.isascii():
        return lower
    letters = set(_FOLDED.findall(beyond_ascii(lower)))
    controls = set(_CONTROL.findall(lower)) if _CONTROL.search(lower) else ()
    folding = _folding()
    others = {letter: folding[ord(letter)] for letter in (*letters, *controls)}
    return replaced(lower, {letter: other for letter, other in others.items() if other != letter})


def unspaced(word: str) -> bool:
    """True for a run of a script that is written without spaces."""
    first = word[0]
    return first > "\u0dff" and (
        "\u3040" <= first <= "\u30ff"
        or "\u3400" <= first <= "\u9fff"
        or "\u0e00" <= first <= "\u0eff"
        or "\u1780" <= first <= "\u17ff"
    )


def read(text: str) -> Words:
    """The words of a text, tricks undone."""
    disguises: dict[str, int] = {}
    folded = fold(text)
    if len(text) - len(folded) > 3 and not text.isascii():
        disguises["invisible"] = len(text) - len(folded)
    if folded.count("\\") * 12 > len(folded):
        disguises["escaped"] = folded.count("\\")
        folded = folded.replace("\\n", " ").replace("\\", "")
    if folded.isascii():
        words = WORD.findall(folded)
    else:
        words = ANY_WORD.findall(folded)
        mixed = {
            word: plain
            for word in set(words)
            if not word.isascii()
            and LATIN.search(word)
            and not unspaced(word)
            and (plain := word.translate(LOOKALIKES)) != word
        }
        if mixed:
            disguises["mixed_script"] = sum(map(mixed.__contains__, words))
            words = [mixed.get(word, word) for word in words]
    if sum(map(len, words)) < 2 * len(words) and (runs := SPACED.findall(folded)):
        disguises["spaced"] = len(runs)
        words += [re.sub(r"[ .\-*\\/|+~]", "", run) for run in runs]
    if "'" in folded:
        words = [word.replace("'", "") if "'" in word else word for word in words]
    return Words(words, disguises)
