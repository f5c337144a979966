"""Numbers of persons, taxpayers, patients and companies: a form, a check digit, and words near where these are weak."""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache
from importlib import import_module
from itertools import product
from typing import NamedTuple

from broker.guardrails.classes import SEPARATORS
from broker.guardrails.mentions import Mentions
from broker.guardrails.patterns import pattern
from broker.guardrails.pii import own
from broker.guardrails.pii.words import document
from broker.guardrails.spans import Span
from broker.guardrails.work import Work

BEFORE, AFTER = 48, 16
"""How far a number's word may stand before it, and behind it, in characters."""

WORD = pattern(rb"[9A]++")
DIGITS_FIRST = pattern(rb"(?:A+[ -])*9([9A]*(?:[^9A][9A]*)?)")
LETTER_OR_DIGIT = b"A9"
LONGEST = 40
LOOK, KIND = 4, 40
"""Steps of a look at a place where a number may begin, and of one at what has the form of a number."""
TIGHT = (b"-", b".", b"/", b"+")
"""What joins two words to one identifier."""

LEAD = pattern(rb"(?:(?<![9A])A{1,4}[ -]){1,2}\Z")
"""Letters that may stand before the first digit in a group of their own: `AB 12 34 56 C`."""

SEPARATED = str.maketrans("", "", SEPARATORS)
ROW_BEFORE = pattern("[0-9] ")
ROW_AFTER = pattern(" [0-9]")
"""In a row of numbers, none tells itself."""
EXAMPLES = frozenset({"12345678", "123456789", "1234567890", "0123456789", "987654321"})
"""Nobody's numbers."""

FAR = 1000
PROVED, LIKELY = 1.0, 0.9
"""The scores of a number with a word near it, and of one that tells itself."""


class Row(NamedTuple):
    """One kind of number, as `data/personal_data.json` has it."""

    kind: str
    check: str
    """A module of python-stdnum, or `own.` and a function."""
    starts: tuple[str, ...]
    """What such a number begins with, if that is fixed."""
    written: bool
    """True when its separators count: a Swedish `+`, a Finnish `A`."""


class Form(NamedTuple):
    """Whose a form may be: digits as 9, letters as A."""

    alone: list[Row]
    """Those to which it is enough."""
    by_word: dict[str, list[Row]]
    """By kind, and by what these are called in general: those that need such a word near."""


class KnownForms(NamedTuple):
    """What forms the numbers have."""

    forms: dict[bytes, Form]
    beginnings: frozenset[bytes]
    """What the forms begin with, up to each of their separators."""
    first: re.Pattern[bytes]
    """A digit behind which a form may go on: for numbers in ordinary text, most often none does."""


def find_ids(text: str, classes: bytes, near: Mentions[str], work: Work) -> Iterator[Span]:
    """The numbers in a text, in order."""
    known = _known_forms()
    free = 0
    for begin, end, form in _candidates(classes, known, near, work):
        work.take(KIND)
        if begin >= free and (kind := _kind(text, begin, end, form, near)):
            free = end
            yield Span(begin, end, *kind)


def _candidates(classes: bytes, known: KnownForms, near: Mentions[str], work: Work) -> Iterator[tuple[int, int, Form]]:
    """Where something has the form of a number: the longest first at each place."""
    place = 0
    while (first := known.first.search(classes, place)) and work.take(LOOK):
        begin = first.start()
        while begin and classes[begin - 1] in LETTER_OR_DIGIT and first.start() - begin < LONGEST:
            begin -= 1
        word = WORD.match(classes, begin)
        place = word.end() if word else first.end()
        if classes[begin - 2 : begin] == b"9 " and not near.within(begin - BEFORE, place + BEFORE):
            # In a row of numbers, none tells itself.
            continue
        if classes[begin - 2 : begin - 1] == b"A" and (lead := LEAD.search(classes, max(0, begin - 10), begin)):
            yield from _forms(classes, lead.start(), known)
            if (second := classes.find(b" ", lead.start(), begin - 1)) > 0:
                yield from _forms(classes, second + 1, known)
        yield from _forms(classes, begin, known)


def _forms(classes: bytes, begin: int, known: KnownForms) -> list[tuple[int, int, Form]]:
    found: list[tuple[int, int, Form]] = []
    word = None if _goes_on_before(classes, begin) else WORD.match(classes, begin)
    while word:
        end = word.end()
        for form in (b"*%d" % (end - begin), classes[begin:end]):
            if form in known.forms and not _goes_on_behind(classes, end):
                found.append((begin, end, known.forms[form]))
        # A form may end with a separator: A123456(3).
        written = classes[begin : end + 1]
        if written in known.forms and not _goes_on_behind(classes, end + 1):
            found.append((begin, end + 1, known.forms[written]))
        if written not in known.beginnings:
            break
        word = WORD.match(classes, end + 1)
    return found[::-1]


def _goes_on_before(classes: bytes, begin: int) -> bool:
    """True when what begins here is the end of a longer number or identifier."""
    before = classes[begin - 1 : begin]
    return before in (b"+", b"9", b"A") or (before in TIGHT and begin > 1 and classes[begin - 2] in LETTER_OR_DIGIT)


def _goes_on_behind(classes: bytes, end: int) -> bool:
    """True when what ends here is the beginning of one."""
    return WORD.match(classes, end + (classes[end : end + 1] in TIGHT)) is not None


def _kind(text: str, begin: int, end: int, form: Form, near: Mentions[str]) -> tuple[str, float] | None:
    """The kind of the number and how sure that is: first what words near say, then what needs none."""
    number = text[begin:end]
    words = _near(near, begin, end) if near.within(begin - BEFORE, end + AFTER) else {}
    for word in sorted(words, key=lambda word: (words[word], word in document()["groups"])):
        for row in form.by_word.get(word, ()):
            if is_right(row, number):
                return row.kind, PROVED
    if not form.alone or number.upper() != number:
        return None
    if (begin > 1 and ROW_BEFORE.match(text, begin - 2)) or ROW_AFTER.match(text, end):
        return None
    return next(((row.kind, LIKELY) for row in form.alone if is_right(row, number)), None)


def _near(near: Mentions[str], begin: int, end: int) -> dict[str, int]:
    """How far each kind's nearest word is: before, or close behind."""
    found: dict[str, int] = {}
    for each in near.after(end, AFTER):
        found.setdefault(each.tag, BEFORE + each.begin - end)
    for each in near.before(begin, BEFORE):
        found[each.tag] = min(begin - each.end, found.get(each.tag, FAR))
    return found


def is_right(row: Row, number: str) -> bool:
    """True when a number is one of the kind: its beginning, its check digit, and nobody's example."""
    compact = number.translate(SEPARATED).upper()
    if number in EXAMPLES or len(set(compact)) < 2:
        return False
    return (not row.starts or compact.startswith(row.starts)) and _check(row.check)(number if row.written else compact)


@cache
def _check(name: str) -> Callable[[str], bool]:
    module, _, function = name.rpartition(".")
    if module == "own":
        check: Callable[[str], bool] = getattr(own, function)
    else:
        check = import_module(f"stdnum.{name}").is_valid

    @lru_cache(maxsize=1024)
    def checked(number: str) -> bool:
        try:
            return check(number)
        except (LookupError, ValueError, TypeError):
            # The library falls over some numbers that cannot be (a Chinese county that never was).
            return False

    return checked


@cache
def _known_forms() -> KnownForms:
    forms: dict[bytes, Form] = {}
    for entry in document()["ids"]:
        row = Row(entry["kind"], entry["check"], tuple(entry.get("starts", ())), "written" in entry)
        for given in (*entry["alone"], *entry["near"]):
            for written in _expanded(given):
                form = forms.setdefault(written, Form([], {}))
                for word in (row.kind, *entry.get("groups", ())):
                    form.by_word.setdefault(word, []).append(row)
                if given in entry["alone"]:
                    form.alone.append(row)
    beginnings = {form[: at + 1] for form in forms for at, sign in enumerate(form) if chr(sign) in SEPARATORS}
    return KnownForms(forms, frozenset(beginnings), _first(forms))


def _first(forms: Iterable[bytes]) -> re.Pattern[bytes]:
    after = {match.group(1) for form in forms if (match := DIGITS_FIRST.match(form))}
    return re.compile(rb"9(?:(?<=A9)|(?<![9A]9)" + _tree(after) + rb")")


def _tree(words: set[bytes]) -> bytes:
    """A pattern for any of the words up to its end, with what they have in common written once."""
    by_sign: dict[bytes, set[bytes]] = {}
    for word in words:
        if word:
            by_sign.setdefault(word[:1], set()).add(word[1:])
    branches = [re.escape(sign) + _tree(rest) for sign, rest in sorted(by_sign.items())]
    if b"" in words:
        branches.append(rb"(?![9A])")
    return branches[0] if len(branches) == 1 else rb"(?:" + rb"|".join(branches) + rb")"


def _expanded(given: str) -> Iterator[bytes]:
    """A form with `X` is that of a digit and that of a letter."""
    for signs in product(*("9A" if sign == "X" else sign for sign in given)):
        yield "".join(signs).encode()
