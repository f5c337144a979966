"""What only a word right before it tells: passports, licences, accounts, dates of birth, and codes of banks."""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from broker.guardrails.mentions import Mentions
from broker.guardrails.patterns import pattern
from broker.guardrails.pii.own import COUNTRIES
from broker.guardrails.pii.words import BIRTH, LABEL, document
from broker.guardrails.spans import Span
from broker.guardrails.work import Work

LINK = pattern(
    r"(?:[\s:#=.()\[\]\"'*_,-]{0,4}(?:numbers?|num|no|nr|nº|n°|№|번호|番号|号码|號碼|증|nummer|number|numéro|numero|número|code|codes|card|id"
    r"|is|was|are|on|in|the|ist|lautet|war|am|est|le|es|el|é|è|il|op|den|date|of|birth|birthday|day|datum|data|de|del"
    r"|di|da|der|d'|van|my|是|为|為|は|는|은|이|가|(?-i:[a-z]{2}))(?![a-z0-9])){0,4}[\s:#=.()\[\]\"'*_|,：；の>/-]{0,5}",  # noqa: RUF001
    re.IGNORECASE,
)
"""What may stand between the word and the value."""

MONTHS = (
    "jan feb mar apr may jun jul aug sep oct nov dec mär mai okt dez janv févr fév avr juin juil août déc ene abr ago "
    "dic fev set out dez gen mag giu lug ott mrt mei maa sept"
)
MONTH = rf"(?:{'|'.join(sorted(set(MONTHS.split()), key=len, reverse=True))})[a-zçéûäô]{{0,8}}\.?"
DAY, YEAR = r"(?:0?[1-9]|[12][0-9]|3[01])", r"(?:1[89][0-9]{2}|20[0-4][0-9])"
DATE = pattern(
    rf"{YEAR}([-/. ])(?:0?[1-9]|1[0-2])\1{DAY}(?![0-9])"
    rf"|{DAY}([-/. ])(?:0?[1-9]|1[0-2])\2(?:{YEAR}|[0-9]{{2}})(?![0-9])"
    rf"|(?:0?[1-9]|1[0-2])([-/.]){DAY}\3(?:{YEAR}|[0-9]{{2}})(?![0-9])"
    rf"|{DAY}(?:st|nd|rd|th|er|º|\.)?[ -](?:(?:de|of|do) )?{MONTH},?[ -](?:(?:de|del) )?{YEAR}(?![0-9])"
    rf"|{MONTH}[ -]{DAY}(?:st|nd|rd|th)?,?[ -]{YEAR}(?![0-9])"
    rf"|{YEAR} ?[年년] ?(?:0?[1-9]|1[0-2]) ?[月월] ?{DAY} ?[日일]"
    rf"|{YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])(?![0-9])",
    re.IGNORECASE,
)
"""As dates are written: figures in three orders, with a month's name, in characters, and in one piece."""

LOOK = 5
"""Steps of a look at what stands behind a word."""

REACH = 80
"""No value ends farther than this behind its word, in characters."""


class Label(NamedTuple):
    """A kind of value that a word tells."""

    kind: str
    pattern: re.Pattern[str]
    digits: int
    """How many digits it has at least."""


def find_labelled(text: str, near: Mentions[str], work: Work) -> Iterator[Span]:
    """The values behind their words, in the order of the words."""
    for word in near.all():
        if not work.take(LOOK):
            return
        if word.tag == BIRTH:
            link = LINK.match(text, word.end, word.end + REACH)
            if link and (found := DATE.match(text, link.end())):
                yield Span(*found.span(), "date_of_birth")
        elif word.tag.startswith(LABEL):
            label = _labels()[word.tag]
            if (place := _value(text, word.end, label)) is not None:
                yield Span(*place, label.kind, 0.8)


def _value(text: str, begin: int, label: Label) -> tuple[int, int] | None:
    link = LINK.match(text, begin, begin + REACH)
    found = label.pattern.match(text, link.end()) if link else None
    if not found or (text[found.start() - 1].isalnum() and text[found.start() - 1].isascii()):
        return None
    if sum(map(str.isdigit, found.group())) < label.digits:
        return None
    if label.kind == "bic" and found.group()[4:6] not in COUNTRIES:
        return None
    return found.span()


@cache
def _labels() -> dict[str, Label]:
    return {
        f"{LABEL}{at}": Label(
            row["kind"], re.compile(rf"(?:{row['pattern']})(?![A-Za-z0-9_]|[-.][0-9])"), row["digits"]
        )
        for at, row in enumerate(document()["labelled"])
    }
