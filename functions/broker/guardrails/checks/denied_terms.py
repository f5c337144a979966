"""Words and phrases that a policy denies."""

import re
from collections.abc import Iterator
from functools import lru_cache

from broker.guardrails.checks.base import About
from broker.guardrails.normal import normalised
from broker.guardrails.spans import Span

LEET = tuple(str.maketrans("01345789@$!|", f"o{one}eastbgasi{one}") for one in "il")
"""Signs that are read as letters (a 1 as either of two)."""

MIXED = re.compile(r"[A-Za-z][0134578@$!|]|[0134578@$!|][A-Za-z]")
"""A letter beside one of them: neither an ordinary number nor an ordinary word."""

AMOUNT = re.compile(r"\d+[A-Za-z]{1,2}")
"""A number with its unit."""

SHORTEST = 4
"""Characters that what is read so has at least: a size of paper is no word."""


class DeniedTerms:
    """Found as whole words, in any case, with any white space between, and with digits in the place of letters."""

    version = "2"
    threshold = 0.0
    reads_original = False

    def find(self, text: str, about: About) -> Iterator[Span]:
        """See `Check.find`."""
        pattern = _pattern(about.rule.terms)
        for found in pattern.finditer(text):
            yield Span(*found.span(), "denied_term")
        if MIXED.search(text):
            read = {text.translate(table) for table in LEET}
            spans = {found.span() for each in read for found in pattern.finditer(each)}
            for begin, end in sorted(spans):
                if (
                    end - begin >= SHORTEST
                    and MIXED.search(text, begin, end)
                    and not AMOUNT.fullmatch(text, begin, end)
                ):
                    yield Span(begin, end, "denied_term")


@lru_cache(maxsize=64)
def _pattern(terms: tuple[str, ...]) -> re.Pattern[str]:
    plain = [normalised(term).text.split() for term in terms]
    forms = {form for words in plain if words for form in (_spaced(words), _spaced([w.casefold() for w in words]))}
    any_term = "|".join(sorted(forms, key=len, reverse=True))
    return re.compile(rf"(?<!\w)(?:{any_term})(?!\w)" if any_term else "(?!)", re.IGNORECASE)


def _spaced(words: list[str]) -> str:
    # The one letter in use that case folding makes two.
    return r"\s+".join(re.escape(word).replace("ss", "(?:ss|ß)") for word in words)
