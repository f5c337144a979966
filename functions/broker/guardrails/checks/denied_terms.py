"""Words and phrases that a policy denies."""

import re
from collections.abc import Iterator
from functools import lru_cache

from broker.guardrails.checks.base import About
from broker.guardrails.normal import normalised
from broker.guardrails.spans import Span


class DeniedTerms:
    """Found as whole words, in any case, with any white space between."""

    version = "1"
    threshold = 0.0
    reads_original = False

    def find(self, text: str, about: About) -> Iterator[Span]:
        """See `Check.find`."""
        for found in _pattern(about.rule.terms).finditer(text):
            yield Span(*found.span(), "denied_term")


@lru_cache(maxsize=64)
def _pattern(terms: tuple[str, ...]) -> re.Pattern[str]:
    plain = [normalised(term).text.split() for term in terms]
    forms = {form for words in plain if words for form in (_spaced(words), _spaced([w.casefold() for w in words]))}
    any_term = "|".join(sorted(forms, key=len, reverse=True))
    return re.compile(rf"(?<!\w)(?:{any_term})(?!\w)" if any_term else "(?!)", re.IGNORECASE)


def _spaced(words: list[str]) -> str:
    # The one letter in use that case folding makes two.
    return r"\s+".join(re.escape(word).replace("ss", "(?:ss|ß)") for word in words)
