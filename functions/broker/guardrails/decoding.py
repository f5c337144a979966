"""What is hidden in a text by an encoding, decoded for checking: never for the model, and bounded in depth and size.

A text that holds nothing of the sort is recognised by its words: no long one, no row of very short ones, no escapes.
"""

import codecs
import html
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from itertools import chain
from typing import Any, NamedTuple
from urllib.parse import unquote

from broker.guardrails.encodings import ENCODINGS, MOST_DECODED, Signs, from_escapes
from broker.guardrails.normal import Normal, applied

DEEPEST = 2
"""Encodings in each other that are undone."""

MOST_ENCODED = 12 * (MOST_DECODED + 1)
"""Characters of one find that are decoded: an escape has twelve at most."""

NOT_ALL = "not_all_decoded"
"""Told in the place of an encoding where the bound was met: there may be more in the text than was read."""

_ALNUM = "(?:3[0-9]|[46][1-9a-fA-F]|[57][0-9aA])"
"""Letters and digits of ASCII in hexadecimal: nothing has to write them by an escape."""

_NEEDLESS: tuple[tuple[str, str, re.Pattern[str], re.Pattern[str]], ...] = (
    (
        *("escapes", "\\", re.compile(rf"\\(?:u00{_ALNUM}|x{_ALNUM}|u\{{0{{0,4}}{_ALNUM}\}}|\\{{2,63}}[\"'])")),
        re.compile(
            r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\x[2-7][0-9a-fA-F]"
            r"|\\u\{0{0,4}[0-9a-fA-F]{2,4}\}|\\{1,64}[\"']"
        ),
    ),
    ("percent", "%", re.compile(f"%{_ALNUM}"), re.compile("%[2-7][0-9a-fA-F]")),
    (
        *("entities", "&"),
        re.compile(
            rf"&#(?:[xX]0{{0,5}}{_ALNUM}|0{{0,5}}(?:4[89]|[5-9][0-9]|1[01][0-9]|12[0-2]))"
            "|&(?:colon|sol|bsol|Tab|NewLine|period|commat);"
        ),
        re.compile("&(?:#(?:[xX][0-9a-fA-F]{1,8}|[0-9]{1,8});?|[A-Za-z]{2,8};)"),
    ),
)
"""Escapes among plain characters: by what they begin, which of them hide something, and all that are undone there. Of
entities with names, those that addresses are hidden by."""

AROUND = 64
"""Plain characters before and after an escape that are read with it: longer than a number or most keys."""

_ROTATED = ("vtaber", "flfgrz", "cebzcg", "vafgehpgvba", "cerivbhf", "cnffjbeq", "qvfertneq")
"""ignore, system, prompt, instruction, previous, password, disregard, each letter moved on by thirteen."""

_REVERSED = ("erongi", "tpmorp", "snoitcurtsni", "suoiverp", "drowssap", "dragersid")


class Decoded(NamedTuple):
    """A text that was hidden in another: characters `begin` to `end` of that, and by what."""

    text: str
    begin: int
    end: int
    how: str
    back: Callable[[int, int], tuple[int, int]] | None = None

    def where(self, begin: int, end: int) -> tuple[int, int]:
        """Where characters of it come from: as near as can be told, or all that was decoded."""
        return self.back(begin, end) if self.back else (self.begin, self.end)


def decoded(text: str, most: int = MOST_DECODED) -> Iterator[Decoded]:
    """What is hidden in a text; of encodings in each other, the outermost place is told.

    Where that is more than `MOST_DECODED` or than `most`, one of the texts is empty and `NOT_ALL`.
    """
    left = min(most, MOST_DECODED)
    waiting: list[tuple[str, Decoded | None, int]] = [(text, None, DEEPEST)]
    while waiting:
        inside, place, depth = waiting.pop()
        for found in _once(inside):
            if len(found.text) > left:
                yield Decoded("", 0, 0, NOT_ALL)
                if not left:
                    return
            shown = found.text[:left]
            left -= len(shown)
            at = found._replace(text=shown)
            if place:
                whole = place.where(found.begin, found.end)
                at = Decoded(shown, *whole, place.how, partial(_through, place, found))
            yield at
            if depth > 1:
                waiting.append((shown, at, depth - 1))


def _through(outer: Decoded, inner: Decoded, begin: int, end: int) -> tuple[int, int]:
    return outer.where(*inner.where(begin, end))


def _once(text: str) -> Iterator[Decoded]:
    signs = Signs(text)
    for how, least, find, undo in ENCODINGS:
        for found in find(signs) if len(text) >= least else ():
            if (made := undo(found.group()[:MOST_ENCODED])) is not None:
                yield Decoded(made, *found.span(), how)
    for how, sign, needless, every in _NEEDLESS:
        if sign in text:
            yield from _among_plain(text, how, needless, every)
    lower = text.encode("ascii", "replace").lower()
    size = min(len(text), MOST_DECODED + 1)
    for how, marks, undo_all, back in _WHOLE:
        if _search(marks).find_matches_as_indexes(lower):
            yield Decoded(undo_all(text[:size]), 0, size, how, partial(back, size))


@cache
def _search(words: tuple[str, ...]) -> Any:
    from ahocorasick_rs import BytesAhoCorasick, MatchKind

    return BytesAhoCorasick([word.encode() for word in words], matchkind=MatchKind.LeftmostLongest)


def _among_plain(text: str, how: str, needless: re.Pattern[str], every: re.Pattern[str]) -> Iterator[Decoded]:
    """What is around escapes that hide something, in pieces that overlap where they are long."""
    first = last = -1
    for found in chain(needless.finditer(text), (None,)):
        if found and first >= 0 and found.start() - last <= 2 * AROUND and found.end() - first <= MOST_DECODED:
            last = found.end()
            continue
        if first >= 0:
            begin, end = max(first - AROUND, 0), min(last + AROUND, len(text))
            undone = applied(
                text[begin:end], [(*each.span(), _UNDO[how](each[0])) for each in every.finditer(text[begin:end])]
            )
            yield Decoded(undone.text, begin, end, how, partial(_shifted, undone, begin))
        if found:
            first, last = found.span()


def _shifted(undone: Normal, offset: int, begin: int, end: int) -> tuple[int, int]:
    first, last = undone.back(begin, end)
    return first + offset, last + offset


def _from_escape(word: str) -> str:
    """One escape: of JSON, of Python and C, of JavaScript and Rust, or of a quote in JSON within JSON within JSON."""
    if word[-1] in "\"'":
        return word[-1]
    return chr(int(word[3:-1], 16)) if word[2:3] == "{" else from_escapes(word)


_UNDO: Mapping[str, Callable[[str], str]] = {
    "escapes": _from_escape,
    "percent": unquote,
    "entities": html.unescape,
}


def _same(size: int, begin: int, end: int) -> tuple[int, int]:
    return begin, end


def _mirrored(size: int, begin: int, end: int) -> tuple[int, int]:
    return size - end, size - begin


_WHOLE: tuple[tuple[str, tuple[str, ...], Callable[[str], str], Callable[[int, int, int], tuple[int, int]]], ...] = (
    ("rot13", _ROTATED, lambda text: codecs.encode(text, "rot13"), _same),
    ("reversed", _REVERSED, lambda text: text[::-1], _mirrored),
)
"""Of a whole text, told by words that are looked for; and where what is found in it stands in the text."""
