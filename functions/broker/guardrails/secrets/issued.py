"""Tokens of known issuers: by a prefix of their own, or by their form beside the issuer's name."""

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property

from broker.guardrails.secrets.checksums import CHECKSUMS
from broker.guardrails.secrets.forms import BEGIN, END, Form
from broker.guardrails.secrets.issuers import Issuer
from broker.guardrails.secrets.randomness import (
    DIGIT,
    HASH_NAMES,
    LEAD,
    LETTER,
    is_placeholder,
    looks_random,
    reads_as_words,
)
from broker.guardrails.spans import Span
from broker.guardrails.work import Work

REACH = 60
"""Characters between the end of an issuer's name and the value that belongs to it."""

SECRETISH = re.compile(r"key|token|secret|pass|pwd|auth|cred|api|sid\b|bearer|login|hook|access|private|\bpat\b|\bid\b")

START = re.compile(
    "(?:"
    + BEGIN
    + r"(?<![_.])|(?i:(?<=key[-.])|(?<=token[-.])|(?<=secret[-.])|(?<=access[-.])|(?<=private[-.])))[0-9A-Za-z$]"
)

ASSIGNED = re.compile(r"[\w.\-]{0,24}[\"'\])}\s>]{0,4}(?:=|:|=>|,|\()[\s\"'`(=>]{0,6}\Z")

ADJACENT = re.compile(r"[\s\"'`]{1,4}\Z")
HEX = re.compile(r"[0-9a-f]+\Z")

CALLED = re.compile(
    r"[-_. ]{0,3}(?:[a-z]{2,8}[-_ ]?){0,2}(?:key|token|secret|password|private|access)"
    r"(?:[\"'`]?[ \t]{0,4}(?:=>|[:=])[ \t]{0,4}|[ \t]{1,4}|-)[\"'`]?"
    r"(?P<value>[0-9a-z_\-+/]{16,200}={0,2})(?![^\s\"'`.,;)])",
    re.I,
)
"""Behind an issuer's name: a word that calls it a secret, and a value, of whatever form."""

TYPED = re.compile("abcde|fghij|klmno|pqrst|uvwxy|zyxwv|qwert|12345|67890|98765", re.I)

LOOK, CLOSE_LOOK = 3, 25
"""The steps of a look at a place where a literal stands, and of one at what stands beside a name."""

TRIES = 4
"""How often a value is looked at that has names of secrets in it: what `key:key:key:…` costs is bounded."""

BASE64 = re.compile(r"[0-9A-Za-z+/]{15}[+/]\Z")

SURE, UNSUMMED, NEAR = 1.0, 0.7, 0.8


class Scan:
    """A text, the same in lower case letter for letter, and how far its values have been looked at."""

    def __init__(self, text: str, lower: str, work: Work) -> None:
        """Both have the same length."""
        self.text = text
        self.lower = lower
        self.work = work
        self._looked = 0
        self._tries = 0

    def tried(self, end: int) -> None:
        """A value that ends there has been looked at."""
        self._looked = max(self._looked, end)

    def may_try(self, begin: int) -> bool:
        """Whether to look at what a name there is given: not without end for names within one value."""
        self._tries = self._tries + 1 if begin < self._looked else 0
        return self._tries <= TRIES


class Prefixed:
    """Forms with fixed letters of their own: tried where those letters stand, by one match for each form's offset."""

    def __init__(self, issuer: Issuer, forms: list[Form]) -> None:
        """All the forms have one anchor and one offset."""
        self._issuer = issuer
        self._offset = forms[0].offset
        self._letters = min(len(f.anchor) for f in forms)
        self._forms = forms

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """Compiled where first needed: to compile them all takes longer than most functions live."""
        return re.compile(BEGIN + "(?:" + "|".join(f"(?:{each.expression}{END})" for each in self._forms) + ")")

    def find(self, scan: Scan, begin: int, end: int) -> Iterator[Span]:
        """At most one span, around the anchor that stands from `begin` to `end`."""
        place = begin - self._offset
        if place < 0 or not (found := self._pattern.match(scan.text, place)):
            return
        if is_inside_base64(scan.text[max(0, place - 16) : place]):
            return
        token = found.group().rstrip(".")
        body = token[self._letters :] if not self._offset else token
        if is_stand_in(body) or (self._letters < 5 and not body.isupper() and len(body) >= 16 and reads_as_words(body)):
            return
        checksum = self._issuer.checksum
        score = SURE if checksum is None or CHECKSUMS[checksum](token) else UNSUMMED
        yield Span(place, place + len(token), self._issuer.id, score)


class Beside:
    """Forms that say little by themselves: looked for within reach of one of the issuers' names."""

    def __init__(self, keyword: str, rows: list[Issuer]) -> None:
        """All the rows have this keyword."""
        self._keyword = keyword
        self._rows = rows

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """One group for each row."""
        rows = ("|".join(f"{each.expression}(?![0-9A-Za-z_\\-])" for each in row.forms) for row in self._rows)
        return re.compile("|".join(f"({row})" for row in rows))

    def find(self, scan: Scan, begin: int, end: int) -> Iterator[Span]:
        """At most one span, within reach behind the name that stands from `begin` to `end`."""
        text, lower = scan.text, scan.lower
        if not DIGIT.search(text, end, end + REACH + LEAD) or not stands_alone(text, begin, end):
            return
        scan.work.take(CLOSE_LOOK)
        for start in START.finditer(text, end, end + REACH):
            found = self._pattern.match(text, start.start())
            if found and self._fits(lower, begin, end, found):
                yield Span(found.start(), found.end(), self._rows[(found.lastindex or 1) - 1].id, NEAR)
                return
        if (found := CALLED.match(text, end)) and is_varied(found["value"]):
            yield Span(*found.span("value"), self._rows[0].id, UNSUMMED)

    def _fits(self, lower: str, begin: int, end: int, found: re.Match[str]) -> bool:
        between = lower[end : found.start()]
        if HASH_NAMES.search(between) or is_placeholder(found.group()):
            return False
        if not looks_random(found.group(), least=10):
            return False
        around = lower[max(0, begin - 24) : begin] + " " + between
        if ADJACENT.match(between) and not HEX.match(found.group()):
            return True
        return bool(SECRETISH.search(around) or SECRETISH.search(self._keyword) or ASSIGNED.match(between))


def stands_alone(text: str, begin: int, end: int) -> bool:
    """True where a name is a word, or a part of a name as code writes them: not `lob` in `global`."""
    before, first = text[begin - 1 : begin], text[begin]
    if before.isalpha() and not (before.islower() and first.isupper()) and end - begin < 8:
        return False
    after = text[end : end + 1]
    if not after.isalpha() or not after.islower() or end - begin >= 8:
        return True
    return bool(SECRETISH.match(text[end : end + 8].lower()))


def is_varied(value: str) -> bool:
    """True for many different letters and digits that are no words, or that are typed in rows: `abcdef0123456789`."""
    varied = LETTER.search(value) is not None and DIGIT.search(value[:LEAD]) is not None and len(set(value)) >= 10
    return varied and not is_placeholder(value) and (TYPED.search(value) is not None or not reads_as_words(value))


def is_inside_base64(before: str) -> bool:
    """Whether what stands before is the middle of base64, which has every short prefix somewhere."""
    return BASE64.match(before) is not None and DIGIT.search(before) is not None and before.lower() != before


def is_stand_in(body: str) -> bool:
    """True for the body of a token that manuals print: one letter again and again, or the word EXAMPLE at its end."""
    return len(set(body)) <= 2 or body.endswith("EXAMPLE")


def prefixed(rows: tuple[Issuer, ...]) -> Iterator[tuple[str, Prefixed]]:
    """What is to be looked for without a name near, with its letters in lower case."""
    for row in rows:
        groups: dict[tuple[str, int], list[Form]] = defaultdict(list)
        for each in row.forms if not row.keywords else ():
            groups[each.anchor.lower(), each.offset].append(each)
        for (anchor, _), forms in groups.items():
            yield anchor, Prefixed(row, forms)


def beside(rows: tuple[Issuer, ...]) -> Iterator[tuple[str, Beside]]:
    """What is to be looked for beside a name."""
    named: dict[str, list[Issuer]] = defaultdict(list)
    for row in rows:
        for keyword in row.keywords:
            named[keyword].append(row)
    for keyword, owners in named.items():
        yield keyword, Beside(keyword, owners)
