"""What an end user is told of a job that was blocked: what it contained, and nothing on how to get around it."""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from broker.guardrails.policy import Stage

ENGLISH = "en"
OTHER = "other"


def sentence(stage: Stage, rules: Iterable[str], language: str = ENGLISH) -> str:
    """One sentence for the rules that blocked, in the language (`de`, `pt-BR`), or in English where it is unknown."""
    languages = _languages()
    words = languages.get(language.partition("-")[0].lower(), languages[ENGLISH])
    parts = list(dict.fromkeys(words.get(rule, words[OTHER]) for rule in rules)) or [words[OTHER]]
    what = ", ".join(parts[:-1]) + (words["and"] if len(parts) > 1 else "") + parts[-1]
    return words[stage].format(what=what)


@cache
def _languages() -> dict[str, dict[str, str]]:
    languages: dict[str, dict[str, str]] = json.loads((Path(__file__).parent / "data" / "blocked.json").read_text())
    return languages
