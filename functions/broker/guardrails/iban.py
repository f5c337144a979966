"""International bank account numbers: the length of each country, and a remainder of 1 by 97 (ISO 13616)."""

from collections.abc import Iterator

from broker.guardrails.classes import places
from broker.guardrails.patterns import pattern
from broker.guardrails.spans import Span
from broker.guardrails.work import Work

LENGTHS = {
    country: int(length)
    for length, countries in {
        "15": "NO",
        "16": "BE",
        "18": "AX DK FI FK FO GL NL SD",
        "19": "MK SI",
        "20": "AT BA EE KZ LT LU MN XK",
        "21": "CH HR LI LV",
        "22": "BG BH CR DE GB GE GG IE IM JE ME RS VA",
        "23": "AE GI IL IQ OM SO TL",
        "24": "AD CZ ES MD PK RO SA SE SK TN VG",
        "25": "AO CV GW LY MZ PT ST",
        "26": "DZ IR IS TR",
        "27": "BI BL CF CG CM DJ FR GA GF GP GQ GR IT KM MC MF MG MQ MR NC PF PM RE SM TD TF WF YT",
        "28": "AL AZ BF BJ BY CI CY DO GT HN HU LB MA ML NE NI PL SN SV TG",
        "29": "BR EG PS QA UA",
        "30": "JO KW MU YE",
        "31": "MT SC",
        "32": "LC",
        "33": "RU",
    }.items()
    for country in countries.split()
}
"""Source: SWIFT's IBAN registry; for countries outside of it, what their banks use."""

COUNTRIES = frozenset(LENGTHS) | frozenset(map(str.lower, LENGTHS))

START = pattern(r"[A-Z]{2}[ -]?[0-9]{2}")
FORMS = b"AA99", b"AA 99", b"AA-99"
SIGN = pattern(r"[A-Za-z0-9_]")
LONGEST = 34 + 33
EACH_PLACE = 2
"""Steps of a look at a place where one may begin."""


def find_ibans(text: str, classes: bytes, work: Work) -> Iterator[Span]:
    """The IBANs in a text, those that begin in one piece before the others."""
    for form in FORMS:
        end = 0
        for begin in places(classes, form):
            if not work.take(EACH_PLACE):
                return
            if begin >= end and text[begin : begin + 2] in COUNTRIES and (found := iban_at(text, begin)):
                end = found
                yield Span(begin, end, "iban")


def iban_at(text: str, begin: int) -> int:
    """Where the IBAN that begins here ends; 0 for none."""
    length = LENGTHS.get(text[begin : begin + 2].upper(), 0)
    if not length or (begin and SIGN.match(text, begin - 1)):
        return 0
    written: list[str] = []
    end = begin
    limit = min(len(text), begin + LONGEST)
    while len(written) < length and end < limit:
        sign = text[end]
        if sign.isascii() and sign.isalnum():
            written.append(sign)
        elif sign not in " -" or not written or text[end - 1] in " -":
            return 0
        end += 1
    compact = "".join(written)
    if len(compact) < length or (end < len(text) and (SIGN.match(text, end))):
        return 0
    if not compact[2:4].isdigit() or not (compact.isupper() or compact.islower()) or not _right(compact):
        return 0
    return end


def in_iban(text: str, begin: int, end: int) -> bool:
    """True when the characters lie in an IBAN."""
    starts = START.finditer(text, max(0, begin - LONGEST), begin + 4)
    return any(iban_at(text, start.start()) >= end for start in starts)


def _right(compact: str) -> bool:
    moved = compact[4:] + compact[:4]
    return int("".join(str(int(sign, 36)) for sign in moved)) % 97 == 1
