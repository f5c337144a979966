"""Attempts to change what a model was told to do: injections and jailbreaks, by a scored detector."""

from collections.abc import Iterator

from broker.guardrails.checks.base import About
from broker.guardrails.detector import judge_text, thresholds
from broker.guardrails.spans import Span


class Injection:
    """Reads what users and others say: instructions and tools are the operator's own, and sound alike by nature."""

    version = "1"
    reads_original = False

    def __init__(self) -> None:
        self.threshold = thresholds().flag

    def find(self, text: str, about: About) -> Iterator[Span]:
        """See `Check.find`."""
        seen = about.seen
        if seen.is_key or seen.source in ("operator", "model") or seen.seam == "messages" or not text.strip():
            return
        verdict = judge_text(text, about.work)
        yield Span(0, len(text), "injection", verdict.score, verdict.reasons)
