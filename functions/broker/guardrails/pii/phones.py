"""Phone numbers: with a plus by the numbering plan of the country, without by the words near or a form of its own."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from broker.guardrails.mentions import Mentions
from broker.guardrails.pii.words import PHONE, document
from broker.guardrails.spans import Span

INTERNATIONAL = re.compile(r"\+\]?[ (]{0,2}[1-9](?:[ ./()\[\]-]{0,3}[0-9]){6,16}")
ZEROS = re.compile(r"00[ -]?[1-9](?:[ ./()-]{0,3}[0-9]){7,15}")
AMERICAN = re.compile(
    r"(?<![\w.+/=-])(?:1[ .-])?(?:\([2-9][0-9]{2}\)[ .-]?[2-9][0-9]{2}[ .-]"
    r"|[2-9][0-9]{2}([-.])[2-9][0-9]{2}\1)[0-9]{4}\Z"
)
AMERICAN_ENDS = re.compile(r"-[0-9]{4}(?![\w-]|\.[0-9])"), re.compile(r"\.[0-9]{4}(?![\w.-])")
NATIONAL = re.compile(r"\+\]?[ (]{0,2}[1-9](?:[ ./()\[\]-]{0,3}[0-9]){6,16}")
ZEROS = re.compile(r"00[ -]?[1-9](?:[ ./()-]{0,3}[0-9]){7,15}")
AMERICAN = re.compile(r"(?:\([2-9][0-9]{2}\)[ .-]?[2-9][0-9]{2}[ .-]|[2-9][0-9]{2}([-.])[2-9][0-9]{2}\1)[0-9]{4}")
AMERICAN_HINT = re.compile(r"[-.) ][2-9][0-9]{2}[-.][0-9]{4}")
NATIONAL = re.compile(r"[(\[]?[0-9](?:[ ./()\[\]-]{0,3}[0-9]){5,14}")
GAP = re.compile(r"[^0-9\n+]{0,24}")
"""What may stand between a word and its number."""

NOT_DIGIT = re.compile(r"[^0-9]+")
GROUP_BEFORE_LAST = re.compile(r"\A(.*[0-9])[^0-9]+[0-9]+\Z", re.DOTALL)
TRIALS = 3
"""How many groups at the end may belong to something else."""

OFTEN = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "BR", "IN")
"""Tried when no country of the word's language has such a number."""

KINDS = (
    "fixed_line",
    "mobile",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "personal_number",
    "voip",
    "pager",
    "uan",
    "voicemail",
)


def find_phones(text: str, near: Mentions[str]) -> Iterator[Span]:
    """The phone numbers in a text, those of one notation after those of another."""
    for sign, pattern in (("+", INTERNATIONAL), ("00", ZEROS)):
        place = text.find(sign)
        while place >= 0:
            found = pattern.match(text, place) if _begins(text, place) else None
            end = _longest(found.group(), "ZZ") + place if found else place
            if end > place:
                yield Span(place, end, "phone")
            place = text.find(sign, max(end, place + 1))
    yield from _american(text)
    yield from _named(text, near)


def _american(text: str) -> Iterator[Span]:
    """Numbers of North America in its own notation: (212) 555-0123 and 212-555-0123."""
    for ends in AMERICAN_ENDS:
        for last in ends.finditer(text):
            first = max(0, last.start() - 13)
            if found := AMERICAN.search(text[first : last.end()]):
                if _planned("US", NOT_DIGIT.sub("", found.group())[-10:]):
                    yield Span(first + found.start(), last.end(), "phone", 0.9)


def _named(text: str, near: Mentions[str]) -> Iterator[Span]:
    """Numbers right behind a word such as `Telefon`, by the plans of the countries where it is said."""
    tried = -1
    for word in near.all():
        if not word.tag.startswith(PHONE):
            continue
        begin = GAP.match(text, word.end)
        found = NATIONAL.match(text, begin.end()) if begin else None
        if not found or found.start() <= tried or not _begins(text, found.start()):
            continue
        for region in (*document()["phones"][int(word.tag.removeprefix(PHONE))]["regions"], *OFTEN):
            if length := _longest(found.group(), region):
                tried = found.start()
                yield Span(found.start(), found.start() + length, "phone", 0.9)
                break


def _begins(text: str, place: int) -> bool:
    before = text[place - 1 : place]
    return not (before.isalnum() and before.isascii()) and before not in ("_", "+", "-", "/", ".", "@", "=")


def _longest(written: str, region: str) -> int:
    """How many of the characters make a valid number; `ZZ` for one with its country's code. 0 if none do."""
    for _ in range(TRIALS):
        digits = NOT_DIGIT.sub("", written)
        if _international(digits.removeprefix("00")) if region == "ZZ" else _national(region, digits):
            return len(written)
        shorter = GROUP_BEFORE_LAST.match(written)
        if not shorter:
            return 0
        written = shorter.group(1)
    return 0


def _international(digits: str) -> bool:
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    for length in (1, 2, 3):
        regions = COUNTRY_CODE_TO_REGION_CODE.get(int(digits[:length] or 0), ())
        if regions:
            rest = digits[length:]
            return any(
                _planned(region, each, digits[:length]) for region in regions for each in {rest, rest.removeprefix("0")}
            )
    return False


def _national(region: str, digits: str) -> bool:
    """By the plan of a region, with its national prefix (a leading 0 in most of Europe) or without."""
    metadata = _metadata(region, "")
    if metadata is None:
        return False
    prefix = metadata.national_prefix_for_parsing
    found = re.match(prefix, digits) if prefix else None
    return _planned(region, digits) or bool(found and _planned(region, digits[found.end() :]))


def _planned(region: str, national: str, code: str = "") -> bool:
    metadata = _metadata(region, code)
    if metadata is None or not _fits(metadata.general_desc, national):
        return False
    return any(_fits(getattr(metadata, kind), national) for kind in KINDS)


def _fits(described: Any, national: str) -> bool:
    pattern = described and described.national_number_pattern
    return (
        bool(pattern)
        and len(national) in (described.possible_length or (len(national),))
        and _compiled(pattern).fullmatch(national) is not None
    )


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


@cache
def _metadata(region: str, code: str) -> Any:
    from phonenumbers import PhoneMetadata

    if region == "001":
        return PhoneMetadata.metadata_for_nongeo_region(int(code), None)
    return PhoneMetadata.metadata_for_region(region, None)
