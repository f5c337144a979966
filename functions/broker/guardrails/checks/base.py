"""What a check is."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from broker.guardrails.policy import Rule
from broker.guardrails.spans import Span
from broker.guardrails.walk import Seen
from broker.guardrails.work import Work


def _nothing() -> Mapping[str, Any]:
    return {}


@dataclass(slots=True)
class About:
    """What a check may know of a text beside the text itself."""

    rule: Rule
    seen: Seen
    """Where it stands, and whose it is."""
    asked: Callable[[], Mapping[str, Any]] = _nothing
    """Gives the request that an answer is to; empty where there is none."""
    work: Work = field(default_factory=Work)
    """What the check may do: where it is spent, it stops, and what it found so far counts."""


class Check(Protocol):
    """Finds one sort of thing in one text, in time linear to the text."""

    version: str
    """Of what it knows: findings tell it, so that they can be compared."""
    threshold: float
    """Findings below this score are none, unless a rule says otherwise."""
    reads_original: bool
    """True for what is about how a text is written: it gets the text as it came, and no decoded ones."""

    def find(self, text: str, about: About) -> Iterable[Span]:
        """Where it finds something; `text` is in its normal form, or decoded, or as it came where it asks for that."""
        ...
