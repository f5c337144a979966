"""Payment card numbers."""

from collections.abc import Iterable

from broker.guardrails.cards import find_cards
from broker.guardrails.checks.base import About
from broker.guardrails.spans import Span


class CardNumbers:
    """See `guardrails.cards`."""

    version = "2"
    threshold = 0.0
    reads_original = False

    def find(self, text: str, about: About) -> Iterable[Span]:
        """See `Check.find`."""
        return find_cards(text, about.work)
