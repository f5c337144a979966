"""Personal data: numbers with check digits or a numbering plan, addresses of people and machines, and what is told."""

from collections.abc import Iterable

from broker.guardrails.checks.base import About
from broker.guardrails.pii import find_pii
from broker.guardrails.spans import Span


class PersonalData:
    """See `guardrails.pii`."""

    version = "1"
    threshold = 0.0
    reads_original = False

    def find(self, text: str, about: About) -> Iterable[Span]:
        """See `Check.find`."""
        return find_pii(text, about.work)
