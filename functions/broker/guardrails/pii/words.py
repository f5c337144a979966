"""The words that speak of personal data, in one vocabulary, so that one pass over a text finds them all."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from broker.guardrails.mentions import Mentions, Vocabulary
from broker.guardrails.work import Work

DATA = Path(__file__).parents[1] / "data" / "personal_data.json"

BIRTH = "birth"
PHONE = "phone."
"""And the place of its row: `phone.3`."""
LABEL = "label."


@cache
def document() -> dict[str, Any]:
    """What is known of words and forms, as data."""
    read: dict[str, Any] = json.loads(DATA.read_text(encoding="utf-8"))
    return read


def mentions(text: str, work: Work) -> Mentions[str]:
    """The words that a text has, tagged with kinds of numbers, their groups, and what is named above."""
    return _vocabulary().mentions(text, work)


@cache
def _vocabulary() -> Vocabulary[str]:
    read = document()
    words = [(word, BIRTH) for word in read["birth"]]
    for rows, tags in (
        (read["ids"], [row["kind"] for row in read["ids"]]),
        (read["phones"], [f"{PHONE}{at}" for at in range(len(read["phones"]))]),
        (read["labelled"], [f"{LABEL}{at}" for at in range(len(read["labelled"]))]),
    ):
        words += [(word, tag) for row, tag in zip(rows, tags, strict=True) for word in row["words"]]
    return Vocabulary(words + [(word, group) for group, listed in read["groups"].items() for word in listed])
