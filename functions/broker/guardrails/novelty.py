"""What of an answer was in the request already, for rules that look for what is new."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from broker.guardrails.normal import normalised
from broker.guardrails.policy import Stage
from broker.guardrails.walk import Seen, input_texts
from broker.guardrails.work import ASKED, Work


class Novelty:
    """Knows a request once it is asked for the first time."""

    def __init__(self, stage: Stage, asked: Callable[[], Mapping[str, Any]]) -> None:
        self._stage = stage
        self._texts = cache(lambda: tuple(input_texts(asked())))
        self._letters = cache(lambda: _all_letters(self._texts()))

    def was_asked(self, found: str, work: Work) -> bool:
        """True where the request has what was found, however it is grouped; what is not looked for is new."""
        if self._stage == "input":
            return False  # a request is an answer to nothing: all in it is new
        letters = _of(found)
        if not work.take(len(self._letters()) // ASKED):
            return False
        return letters in self._letters() if letters else any(found in seen.text for seen in self._texts())


def _all_letters(texts: Iterable[Seen]) -> str:
    return " ".join(_of(normalised(seen.text).text) for seen in texts)


def _of(text: str) -> str:
    """What counts when it is asked whether a value was there before: not how it is grouped."""
    return "".join(char for char in text.casefold() if char.isalnum())
