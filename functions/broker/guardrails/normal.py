"""A text as a reader sees it: compatibility forms, invisible characters and look-alikes undone, with a map back.

What a check finds in the normal form is redacted in the text itself, so each change keeps where it came from. Plain
text is its own normal form, and is recognised as such at little cost.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, islice

from broker.guardrails.characters import beyond_ascii, replaced

INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Unicode's Default_Ignorable_Code_Point: they split a word for a program, not for a reader."""

_HIDING = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""So do control characters that are no white space."""

_HIDING_ASCII = bytes(code for code in range(128) if _HIDING.match(chr(code)))

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
    "\u2cef-\u2dff\u302a-\u302f\u3099-\u309c\ua66f-\uabed\ufb1e\ufe20-\ufe2f\uff9e\uff9f\U000101fd-\U0001e94a"
    "\u2135-\u2138\u309f\u3131-\u318e\uffa1-\uffdc]"
)
"""What any of this may be in, what goes together with what stands beside it, or becomes such (parts of Hangul)."""

_ALONE = re.compile(
    "[\u00a0-\u00be\u0132-\u0149\u017f\u01c4-\u01cc\u01f1-\u01f3\u02b0-\u02e4\u0374-\u0387\u03d0-\u03f9\u0587"
    "\u1e9a\u1e9b\u1f71-\u2fd5\u3000\u3036-\u303a\u309f\u30ff\u3131-\u319f\u3200-\u33ff\uf900-\U0010ffff]"
)
"""All others that have a compatibility form are among these: whatever stands beside one, it becomes the same."""

_RUN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\U0010ffff]+")

FEW = 16
"""Where one of fewer characters beyond ASCII is unusual, its script has such by nature: most are as they should be."""

_OTHER_SCRIPT = re.compile("[\u0370-\u052f]")
_TWO_SCRIPTS = re.compile("[A-Za-z][\u0370-\u052f]|[\u0370-\u052f][A-Za-z]")
"""Within one word: no language has Latin beside Greek or Cyrillic letters."""

_LATIN_BESIDE = re.compile("[A-Za-z](?:(?=[\u0370-\u052f])|(?<=[\u0370-\u052f].))")
_OTHER_BESIDE = re.compile("[\u0370-\u052f](?:(?=[A-Za-z])|(?<=[A-Za-z].))")
"""A letter of either that stands beside one of the other: to look for the rarer ones is quicker."""

_SCRIPTS = bytes(
    76 if chr(code).isalpha() and code < 128 else 99 if 0xCD <= code <= 0xD4 else 107 if 0x80 <= code < 0xC0 else 0
    for code in range(256)
)
"""Bytes of UTF-8: `L` for Latin letters, `c` and `k` for the first and the second of Greek and Cyrillic ones."""

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
    if text.isascii() and not _hides_in_ascii(text):
        return Normal(text)
    plainer, changes = _changes(text)
    normal = applied(plainer, list(_joined(plainer, changes)))
    if normal.text.isascii() or not _mixes_scripts(normal.text):
        return normal
    # One letter for one: the places stay.
    return replace(normal, text=_in_one_script(normal.text))


def _hides_in_ascii(text: str) -> bool:
    plain = text.encode("ascii", "ignore")
    return len(plain.translate(None, _HIDING_ASCII)) < len(plain)


def _mixes_scripts(text: str) -> bool:
    """False where no Latin letter stands beside one of the others."""
    if not _OTHER_SCRIPT.search(text):
        return False
    scripts = text.encode("utf-8", "surrogatepass").translate(_SCRIPTS)
    return b"Lc" in scripts or b"ckL" in scripts


def _in_one_script(text: str) -> str:
    beside = _OTHER_BESIDE if len(beyond_ascii(text)) * 2 < len(text) else _LATIN_BESIDE
    parts: list[str] = []
    done = 0
    for found in beside.finditer(text):
        if found.start() < done:
            continue
        begin = found.start()
        while begin > done and _WORD.match(text, begin - 1, begin):
            begin -= 1
        word = _WORD.match(text, begin)
        if word is None:
            continue
        parts += (text[done:begin], _word_in_one_script(word))
        done = word.end()
    return "".join(parts) + text[done:]


def _word_in_one_script(word: re.Match[str]) -> str:
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


def _changes(text: str) -> tuple[str, Iterable[tuple[int, int, str]]]:
    """A text as long, with letters for letters, and what is to be changed in it: begin, end, and what is there then."""
    beyond = beyond_ascii(text)
    unusual = len(_UNUSUAL.findall(beyond)) + _hides_in_ascii(text)
    # Whether a long run of marks is in order is not asked of what sorts it.
    if unusual * FEW > len(beyond) and not _hides(text) and unicodedata.is_normalized("NFKC", text):
        return text, ()
    become = {char: _composed(char) for char in set(_ALONE.findall(beyond))}
    become = {char: made for char, made in become.items() if made != char and not _UNUSUAL.match(char)}
    text = replaced(text, {char: made for char, made in become.items() if len(made) == 1})
    longer = {char: made for char, made in become.items() if len(made) != 1}
    return text, _of_all(text, longer, unusual > 0) if longer or unusual else ()


def _of_all(text: str, become: Mapping[str, str], unusual: bool) -> Iterator[tuple[int, int, str]]:
    """Runs with what is not usual as a whole; of the others, each character that becomes several."""
    several, done = re.compile(f"[{re.escape(''.join(become))}]" if become else "(?!)"), 0
    for begin, end in chain(_unusual_runs(text) if unusual else (), ((len(text), len(text)),)):
        yield from ((*found.span(), become[found.group()]) for found in several.finditer(text, done, begin))
        piece = text[begin:end]
        for first, last, made in _of_short(piece) if len(piece) <= SHORT else _of_run(piece):
            yield begin + first, begin + last, made
        done = end


def _unusual_runs(text: str) -> Iterator[tuple[int, int]]:
    """Where runs of all but plain characters have something unusual, with the plain one before that marks may be on."""
    done = 0
    for found in _UNUSUAL.finditer(text):
        if found.start() < done:
            continue
        begin = found.start()
        while begin > done and not (" " <= text[begin - 1] <= "~" or text[begin - 1] in "\t\n\r"):
            begin -= 1
        run = _RUN.match(text, begin)
        done = run.end() if run else found.end()
        yield max(begin - 1, 0), done


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
