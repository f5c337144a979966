"""What a check is."""

from collections.abc import Iterable
from typing import Protocol

from broker.guardrails.policy import Rule
from broker.guardrails.spans import Span
from broker.guardrails.walk import Seen


class Check(Protocol):
    """Finds one sort of thing in one text, in time linear to the text."""

    version: str
    """Of what it knows: findings tell it, so that they can be compared."""
    threshold: float
    """Findings below this score are none, unless a rule says otherwise."""
    reads_original: bool
    """True for what is about how a text is written: it gets the text as it came, and no decoded ones."""

    def find(self, text: str, rule: Rule, seen: Seen) -> Iterable[Span]:
        """Where it finds something.

        Args:
            text: in its normal form, or decoded; as it came where the check asks for that.
            rule: what the policy says.
            seen: where the text stands, and whose it is.
        """
        ...
