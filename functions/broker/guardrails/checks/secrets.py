"""Credentials: by their issuers' formats, and by what stands beside them."""

from collections.abc import Iterable

from broker.guardrails.checks.base import About
from broker.guardrails.secrets import find_secrets
from broker.guardrails.spans import Span


class Secrets:
    """See `guardrails.secrets`."""

    version = "2"
    threshold = 0.0
    reads_original = False

    def find(self, text: str, about: About) -> Iterable[Span]:
        """See `Check.find`."""
        return find_secrets(text, about.work)
