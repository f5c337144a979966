"""Patterns that a policy denies."""

from collections.abc import Iterator
from functools import lru_cache

from broker.guardrails.checks.base import About
from broker.guardrails.spans import Span
from broker.json_schema import checking

EACH_PATTERN, LOOKED_AT = 4, 1000
"""Steps of asking the engine, and characters that it looks at in one more."""


class DeniedPatterns:
    """Told of the whole text: the engine says whether a pattern is there, in linear time, and not where."""

    version = "1"
    threshold = 0.0
    reads_original = False

    def find(self, text: str, about: About) -> Iterator[Span]:
        """See `Check.find`."""
        for pattern in about.rule.patterns:
            if not about.work.take(EACH_PATTERN + len(text) // LOOKED_AT):
                return
            if matches(pattern, text):
                yield Span(0, len(text), "denied_pattern")


def matches(pattern: str, text: str) -> bool:
    """True where a pattern, as in JSON Schema, is found anywhere in a text.

    Raises:
        InvalidRequest: it is no pattern.
    """
    return _schema(pattern).validator.is_valid(text)


@lru_cache(maxsize=256)
def _schema(pattern: str) -> checking.Schema:
    return checking.check_schema({"type": "string", "pattern": pattern})
