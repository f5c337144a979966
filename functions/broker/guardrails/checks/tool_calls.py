"""Calls of tools that no policy allows, in the answer of a model."""

from collections.abc import Iterator

from broker.guardrails.checks.base import About
from broker.guardrails.checks.denied_patterns import matches
from broker.guardrails.spans import Span


class ToolCalls:
    """Names that are not among the rule's tools, and arguments that are like one of its patterns."""

    version = "1"
    threshold = 0.0
    reads_original = False

    def find(self, text: str, about: About) -> Iterator[Span]:
        """See `Check.find`."""
        match about.seen.path.steps():
            case ["output", "tool_calls", int(), "function", "name"]:
                if text not in about.rule.tools:
                    yield Span(0, len(text), "tool_not_allowed")
            case ["output", "tool_calls", int(), "function", "arguments", *_]:
                if any(matches(pattern, text) for pattern in about.rule.patterns):
                    yield Span(0, len(text), "denied_argument")
