"""Phone numbers: with a plus by the numbering plan of the country, without by the words near or a form of its own."""

import re
from collections.abc import Iterator
from functools import cache
from itertools import chain, groupby
from typing import Any

from broker.guardrails.classes import places
from broker.guardrails.mentions import Mentions
from broker.guardrails.patterns import pattern
from broker.guardrails.pii.words import PHONE, document
from broker.guardrails.spans import Span
from broker.guardrails.work import Work

INTERNATIONAL = pattern(r"\+\]?(?: ?\(|(?: (?=[0-9]{1,3}[ ./(-]))?)[1-9](?:[ ./()\[\]-]{0,3}[0-9]){6,16}(?![0-9])")
ZEROS = pattern(r"00[ -]?[1-9](?:[ ./()-]{0,3}[0-9]){7,15}(?![0-9])")
NATIONAL = pattern(r"[(\[]?[0-9](?:[ ./()\[\]-]{0,3}[0-9]){6,14}(?![0-9])")

OWN_FORMS = (
    (
        "US",
        (b"-9999", b".9999"),
        pattern(
            r"(?<![\w.+/=-])(?:1[ .-])?(?:\([2-9][0-9]{2}\)[ .-]?[2-9][0-9]{2}[ .-]"
            r"|[2-9][0-9]{2}([-.])[2-9][0-9]{2}\1)[0-9]{4}(?![\w-]|\.[0-9])"
        ),
    ),
    (
        "FR",
        (b"99 99 99 99", b"99.99.99.99", b"99-99-99-99"),
        pattern(r"(?<![\w.+/=-])(?<![0-9] )0[1-9]([ .-])[0-9]{2}\1[0-9]{2}\1[0-9]{2}\1[0-9]{2}(?![\w-]|[ .-][0-9])"),
    ),
)
"""Countries whose notation nobody takes for anything else: what its numbers have, and all of one."""

OWN_LEAD = 12

GAP = pattern(r"[^0-9\n+]{0,24}")
"""What may stand between a word and its number."""

NOT_DIGIT = pattern(r"[^0-9]+")
WITHOUT_LAST_GROUP = pattern(r"\A(.*[0-9])[^0-9]+[0-9]+\Z", re.DOTALL)
TRIALS = 3
"""How many groups at the end may belong to something else."""

LOOK, PLAN = 3, 6
"""Steps of a look at a place where a number may be, and of one at the plan of a region."""

FEWEST = 7
"""Numbers of fewer digits are not looked at."""

OFTEN = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "BR", "IN")
OFTEN_DIGITS = 9
"""Tried when no country of the word's language has such a number, if it is not short."""

KINDS = (
    *("fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost"),
    *("personal_number", "voip", "pager", "uan", "voicemail"),
)
"""What of a country's plan makes a number valid."""

WHOLE = "ZZ"
"""The region of numbers that have their country's code."""


def find_international(text: str, work: Work) -> Iterator[Span]:
    """The phone numbers with their country's code, those with a plus before those with two zeros."""
    for sign, written in (("+", INTERNATIONAL), ("00", ZEROS)):
        place = text.find(sign)
        while place >= 0:
            if not work.take(LOOK):
                return
            found = written.match(text, place) if _begins(text, place) else None
            length = _longest(found.group(), (WHOLE,), work) if found else 0
            if length:
                yield Span(place, place + length, "phone")
            place = text.find(sign, place + max(length, 1))


def find_national(text: str, classes: bytes, near: Mentions[str], work: Work) -> Iterator[Span]:
    """The phone numbers without, those of a notation of their own before those with a word."""
    yield from _in_own_form(text, classes, work)
    yield from _named(text, near, work)


def _in_own_form(text: str, classes: bytes, work: Work) -> Iterator[Span]:
    for region, forms, whole in OWN_FORMS:
        for form in forms:
            end = 0
            for place in places(classes, form):
                if not work.take(LOOK):
                    return
                found = whole.search(text, max(end, place - OWN_LEAD), place + OWN_LEAD) if place >= end else None
                if found and _longest(found.group(), (region,), work):
                    end = found.end()
                    yield Span(*found.span(), "phone", 0.9)


def _named(text: str, near: Mentions[str], work: Work) -> Iterator[Span]:
    """Numbers right behind a word such as `Telefon`, by the plans of the countries where it is said."""
    words = (word for word in near.all() if word.tag.startswith(PHONE))
    for end, languages in groupby(words, key=lambda word: word.end):
        if not work.take(LOOK):
            return
        gap = GAP.match(text, end)
        found = NATIONAL.match(text, gap.end()) if gap else None
        if not found or not _begins(text, found.start()):
            continue
        often = len(NOT_DIGIT.sub("", found.group())) >= OFTEN_DIGITS
        if length := _longest(found.group(), _regions(tuple(word.tag for word in languages), often), work):
            begin = found.start()
            opened = ")" in found.group()[:length] and text[begin - 1] == "("
            yield Span(begin - opened, begin + length, "phone", 0.9)


@cache
def _regions(languages: tuple[str, ...], often: bool) -> tuple[str, ...]:
    listed = [document()["phones"][int(tag.removeprefix(PHONE))]["regions"] for tag in languages]
    return tuple(dict.fromkeys([*chain.from_iterable(listed), *(OFTEN if often else ())]))


def _begins(text: str, place: int) -> bool:
    before = text[place - 1 : place]
    return not (before.isascii() and before.isalnum()) and before not in ("_", "+", "-", "/", ".", "@", "=")


def _longest(written: str, regions: tuple[str, ...], work: Work) -> int:
    """How many of the characters make a number that is valid in one of the regions; 0 if none do."""
    for _ in range(TRIALS):
        digits = NOT_DIGIT.sub("", written)
        if len(digits) < FEWEST:
            return 0
        for region in regions:
            work.take(PLAN)
            if _valid(digits, region):
                return len(written)
        shorter = WITHOUT_LAST_GROUP.match(written)
        if not shorter:
            return 0
        written = shorter.group(1)
    return 0


def _valid(digits: str, region: str) -> bool:
    return _international(digits.removeprefix("00")) if region == WHOLE else _national(region, digits)


def _international(digits: str) -> bool:
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    for length in (1, 2, 3):
        if regions := COUNTRY_CODE_TO_REGION_CODE.get(int(digits[:length])):
            code, rest = digits[:length], digits[length:]
            # People write the national prefix too: +44 (0) 20 …
            return any(_planned(region, each, code) for region in regions for each in {rest, rest.removeprefix("0")})
    return False


def _national(region: str, digits: str) -> bool:
    """By the plan of a region, with its national prefix (a leading 0 in most of Europe) or without."""
    if _planned(region, digits):
        return True
    metadata = _metadata(region, "")
    prefix = metadata and metadata.national_prefix_for_parsing
    found = _compiled(prefix).match(digits) if prefix else None
    return bool(found and found.end()) and _planned(region, digits[found.end() if found else 0 :])


def _planned(region: str, national: str, code: str = "") -> bool:
    metadata = _metadata(region, code)
    if metadata is None or not _fits(metadata.general_desc, national):
        return False
    return any(_fits(getattr(metadata, kind), national) for kind in KINDS)


def _fits(described: Any, national: str) -> bool:
    if not described or not described.national_number_pattern:
        return False
    if described.possible_length and len(national) not in described.possible_length:
        return False
    return _compiled(described.national_number_pattern).fullmatch(national) is not None


@cache
def _compiled(source: str) -> re.Pattern[str]:
    return re.compile(source)


@cache
def _metadata(region: str, code: str) -> Any:
    from phonenumbers import PhoneMetadata

    if region == "001":
        return PhoneMetadata.metadata_for_nongeo_region(int(code), None)
    return PhoneMetadata.metadata_for_region(region, None)
