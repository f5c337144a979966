"""Instructions of the operator in an answer: word for word, or by the canary that was planted in them."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from broker.guardrails.canary import words_in
from broker.guardrails.checks.base import About
from broker.guardrails.normal import normalised
from broker.guardrails.spans import Span
from broker.guardrails.walk import input_texts

WORD = re.compile(r"\w+")

SHINGLE = 6
"""Words in a row that are compared."""

LEAST = 12
"""Words in a row that are a leak; of shorter instructions, four fifths of them."""


class PromptLeak:
    """Compares words in a row: it does not matter how they are set, nor whether they were encoded."""

    version = "2"
    threshold = 0.0
    reads_original = False

    def find(self, text: str, about: About) -> Iterator[Span]:
        """See `Check.find`."""
        if about.rule.canary:
            for canary in _canaries(about.asked):
                yield from (Span(*found.span(), "canary") for found in canary.finditer(text))
        words = [(found.start(), found.end(), found.group().casefold()) for found in WORD.finditer(text)]
        if len(words) < SHINGLE:
            return
        known, least = _instructions(about.asked)
        if not known:
            return
        here = [each[2] for each in words]
        begin = end = 0
        for at in range(len(words) - SHINGLE + 1):
            if tuple(here[at : at + SHINGLE]) not in known:
                continue
            if at > end:
                if end - begin >= least:
                    yield Span(words[begin][0], words[end - 1][1], "system_prompt")
                begin = at
            end = at + SHINGLE
        if end - begin >= least:
            yield Span(words[begin][0], words[end - 1][1], "system_prompt")


@lru_cache(maxsize=1)
def _instructions(asked: Callable[[], Mapping[str, Any]]) -> tuple[set[tuple[str, ...]], int]:
    """All words in a row of the instructions, and how many of them are a leak."""
    texts = [_words(text) for text in _instructing(asked)]
    longest = max(map(len, texts), default=0)
    known = {tuple(words[at : at + SHINGLE]) for words in texts for at in range(len(words) - SHINGLE + 1)}
    return known, max(SHINGLE, min(LEAST, longest * 4 // 5))


@lru_cache(maxsize=1)
def _canaries(asked: Callable[[], Mapping[str, Any]]) -> list[re.Pattern[str]]:
    return words_in(asked())


def _instructing(asked: Callable[[], Mapping[str, Any]]) -> Iterator[str]:
    return (seen.text for seen in input_texts(asked()) if _instructs(seen.source, seen.path.steps()))


def _instructs(source: str, steps: Iterable[str | int]) -> bool:
    return source == "operator" and "messages" in steps and "role" not in steps


def _words(text: str) -> list[str]:
    return [word.casefold() for word in WORD.findall(normalised(text).text)]
