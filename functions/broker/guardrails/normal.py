"""A text as a reader sees it: compatibility forms, invisible characters and look-alikes undone, with a map back.

What a check finds in the normal form is redacted in the text itself, so each change keeps where it came from. Plain
text is its own normal form, and is recognised as such at little cost.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Unicode's Default_Ignorable_Code_Point: they split a word for a program, not for a reader."""

_HIDING = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""So do control characters that are no white space."""

_UNSEEN = re.compile(f"{INVISIBLE.pattern[:-1]}{_HIDING.pattern[1:]}")

SHORT = 4
"""Characters of a run for which is kept what becomes of it: most are of one letter, and the same ones."""

MOST_CHANGES = 100_000
"""Of a text that are kept apart. Behind these, those that are `NEAR` each other are one, of `JOINED` characters or not
many more: what is found there is taken out with what is around it."""

NEAR, JOINED = 16, 256

MOST_MARKS = 30
"""Marks on one letter; more are left out: no script has them, and sorting long runs takes quadratic time (UAX #15,
section 13, Stream-Safe Text Process)."""

MARKS = re.compile(rf"(?:[^\w\x00-\x7f]|[\uff9e\uff9f]){{{MOST_MARKS}}}")
"""Runs that may be combining marks (none is a letter, but for two of kana)."""

_UNUSUAL = re.compile(
    f"{INVISIBLE.pattern[:-1]}{_HIDING.pattern[1:-1]}\u0300-\u036f\u0483-\u0487\u0591-\u1dff\u20d0-\u20f0"
    "\u2cef-\u2dff\u302a-\u309c\ua66f-\uabed\ufb1e\ufe20-\ufe2f\uff9e\uff9f\U000101fd-\U0001e94a]"
)
"""What any of this may be in: one search, where three would find nothing."""

_RUN = re.compile("[\t\n\r -~]?[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\U0010ffff]+")
"""What may not be in normal form: a run of all but plain characters, and the plain one that marks may be on."""

_OTHER_SCRIPT = re.compile("[\u0370-\u052f]")
_TWO_SCRIPTS = re.compile("[A-Za-z][\u0370-\u052f]|[\u0370-\u052f][A-Za-z]")
"""Within one word: no language has Latin beside Greek or Cyrillic letters."""

_KANA_MARKS = "\uff9e\uff9f"
"""Marks in compatibility form: alone among letters, they compose."""

_WORD = re.compile(r"[^\W\d_]+")

_LOOKS_LIKE = {
    ord(pair[0]): pair[1]
    for pair in (
        "аa еe оo рp сc уy хx іi јj ѕs һh ԁd ԛq ԝw ӏl ѵv ԍg АA ВB ЕE КK МM НH ОO РP СC ТT ХX ІI ЈJ ЅS ԚQ ԜW "  # noqa: RUF001
        "αa οo νv ρp υu χx ιi γy ΑA ΒB ΕE ΖZ ΗH ΙI ΚK ΜM ΝN ΟO ΡP ΤT ΥY ΧX"  # noqa: RUF001
    ).split()
}
"""Letters that look like Latin ones (Unicode Technical Standard 39, confusables of one letter)."""


@dataclass(frozen=True, slots=True)
class Normal:
    """A text's normal form.

    `changes` are the places where the two part: (begin and end in the normal form, begin and end in the text); where
    both are equally long, letter stands for letter.
    """

    text: str
    changes: tuple[tuple[int, int, int, int], ...] = ()

    def back(self, begin: int, end: int) -> tuple[int, int]:
        """The characters of the original text that make these of the normal form."""
        return self._back(begin, at_end=False), self._back(end, at_end=True)

    def _back(self, at: int, *, at_end: bool) -> int:
        # The last change that begins before the place (or at it, where the place is a beginning).
        found = bisect_right(self.changes, at - at_end, key=lambda change: change[0]) - 1
        if found < 0:
            return at
        made_begin, made_end, begin, end = self.changes[found]
        if at >= made_end:
            return end + at - made_end
        if made_end - made_begin == end - begin:
            return begin + at - made_begin
        return end if at_end else begin


def normalised(text: str) -> Normal:
    """The normal form; normalising it again changes nothing."""
    if text.isascii() and not _HIDING.search(text):
        return Normal(text)
    normal = applied(text, list(_joined(text, _changes(text))))
    if normal.text.isascii() or not (_OTHER_SCRIPT.search(normal.text) and _TWO_SCRIPTS.search(normal.text)):
        return normal
    # One letter for one: the places stay.
    return replace(normal, text=_WORD.sub(_in_one_script, normal.text))


def _in_one_script(word: re.Match[str]) -> str:
    letters = word.group()
    if not _TWO_SCRIPTS.search(letters):
        return letters
    following = word.string[word.end() : word.end() + 1]
    if following and unicodedata.combining(following):  # with a Latin letter it might compose
        return letters[:-1].translate(_LOOKS_LIKE) + letters[-1]
    return letters.translate(_LOOKS_LIKE)


def applied(text: str, changes: list[tuple[int, int, str]]) -> Normal:
    """A text with changes made: begin, end, and what stands there now; apart, and in order."""
    if not changes:
        return Normal(text)
    parts: list[str] = []
    placed: list[tuple[int, int, int, int]] = []
    last = length = 0
    for begin, end, made in changes:
        parts += (text[last:begin], made)
        length += begin - last
        placed.append((length, length + len(made), begin, end))
        length += len(made)
        last = end
    parts.append(text[last:])
    return Normal("".join(parts), tuple(placed))


def _changes(text: str) -> Iterator[tuple[int, int, str]]:
    """What is not in normal form: begin, end, and what stands for it."""
    # Whether a long run of marks is in order is not asked of what sorts it.
    if not (_UNUSUAL.search(text) and _hides(text)) and unicodedata.is_normalized("NFKC", text):
        return
    for run in _RUN.finditer(text):
        piece, offset = run.group(), run.start()
        for begin, end, made in _of_short(piece) if len(piece) <= SHORT else _of_run(piece):
            yield offset + begin, offset + end, made


def _of_run(piece: str) -> Iterator[tuple[int, int, str]]:
    if _hides(piece):
        yield from _clustered(piece)
    elif not unicodedata.is_normalized("NFKC", piece):
        made = unicodedata.normalize("NFKC", piece)
        if len(made) == len(piece) and all(len(_composed(char)) == 1 for char in set(piece)):
            yield 0, len(piece), made
        else:
            yield from _clustered(piece)


@lru_cache(maxsize=4096)
def _of_short(piece: str) -> tuple[tuple[int, int, str], ...]:
    return tuple(_of_run(piece))


def _joined(text: str, changes: Iterable[tuple[int, int, str]]) -> Iterator[tuple[int, int, str]]:
    """The changes; where they are very many, those near each other made one: each takes memory."""
    waiting = iter(changes)
    yield from islice(waiting, MOST_CHANGES)
    first = last = 0
    parts: list[str] = []
    for begin, end, made in waiting:
        if parts and (begin - last > NEAR or end - first > JOINED):
            yield first, last, "".join(parts)
            parts = []
        if not parts:
            first = last = begin
        parts += (text[last:begin], made)
        last = end
    if parts:
        yield first, last, "".join(parts)


def _hides(text: str) -> bool:
    return bool(INVISIBLE.search(text) or _HIDING.search(text) or MARKS.search(text))


def _without_invisible(letters: str) -> str:
    return INVISIBLE.sub("", unicodedata.normalize("NFKC", letters))


@lru_cache(maxsize=4096)
def _composed(char: str) -> str:
    """What stands for one character."""
    return _without_invisible(char)


def _clustered(piece: str) -> Iterator[tuple[int, int, str]]:
    for begin, end, letters in _clusters(piece):
        made = letters
        if not letters.isascii():
            made = _composed(letters) if len(letters) == 1 else _without_invisible(letters)
        if made != piece[begin:end]:
            yield begin, end, made


def _clusters(piece: str) -> Iterator[tuple[int, int, str]]:
    """A letter with its marks and what hides between them, one after the other: begin, end, without what hides."""
    begin, letters = 0, ""
    for at, char in enumerate(piece):
        if not " " <= char <= "~":  # plain ones are neither
            if _UNSEEN.match(char):
                continue
            if letters and (unicodedata.combining(char) or char in _KANA_MARKS):
                letters += char if len(letters) <= MOST_MARKS else ""
                continue
        if at > begin:
            yield begin, at, letters
        begin, letters = at, char
    yield begin, len(piece), letters
