"""Moderation alike for all services: what is judged, and verdicts of which the worst counts.

A verdict is `{"flagged": bool, "categories": {name: score}}`, scores from 0 to 1. Of the parts of a long text, and of
several texts, the highest score of each category is the whole's.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from broker.errors import InvalidRequest, Rejected
from broker.providers.wire.base import Call
from broker.providers.wire.options import number

Json = dict[str, Any]

THRESHOLD = 0.5
"""The score from which on something is flagged, where the service does not say so itself."""

MOST_SPANS = 10_000
"""Of one answer; where there are more, it says so."""


def threshold(call: Call) -> float:
    """From which score on the call's material is flagged (a model's option `threshold`, from 0 to 1)."""
    return number(call, "threshold", THRESHOLD, 0, 1)


def only(call: Call, *judged: str) -> None:
    """See that the call has nothing that would pass unseen.

    Args:
        call: of the task `moderate`.
        judged: the fields of its input that the service judges, or judges by.

    Raises:
        Rejected: there is material of another kind.
    """
    for name in ("text", "file", "documents", "query"):
        given = call.input.get(name) or ""
        said = "".join(given).strip() if name == "text" else given
        if said and name not in judged:
            message = "This model does not judge all that the request has."
            raise Rejected(message, code="unsupported_content", param=f"input.{name}")


def texts(call: Call) -> list[str]:
    """The texts to judge; those of blanks only say nothing, and are no offence.

    Raises:
        InvalidRequest: no text says anything.
    """
    given = call.input.get("text")
    found = [given] if isinstance(given, str) else list(given or [])
    if not any(each.strip() for each in found):
        raise InvalidRequest("The request has no text.", code="no_input", param="input.text")
    return found


def verdict(categories: Json, least: float) -> Json:
    """What scores amount to, where flagged is what has one of `least` or above."""
    return {"flagged": any(each >= least for each in categories.values()), "categories": categories}


def worst(verdicts: Iterable[Json]) -> Json:
    """The verdict on the whole, from those on its parts; without any, it says nothing."""
    flagged, categories = False, dict[str, float]()
    for each in verdicts:
        flagged = flagged or each["flagged"]
        for name, value in each["categories"].items():
            categories[name] = max(value, categories.get(name, 0))
    return {"flagged": flagged, "categories": categories}


def output(call: Call, verdicts: Sequence[Json]) -> Json:
    """The answer to the call, from a verdict for each of its texts: of several, each is told too."""
    several = {} if isinstance(call.input.get("text"), str) else {"results": list(verdicts)}
    return worst(verdicts) | several


def places(match: str, text: str) -> Iterator[tuple[int, int]]:
    """Where a service's find stands in a text that it was given: as a word by itself, else wherever it occurs.

    Services tell what they found and not where; upper and lower case count alike. Places are in code points.
    """
    if not match:
        return
    spelled = re.escape(match)
    found = list(re.finditer(rf"(?<!\w){spelled}(?!\w)", text, re.IGNORECASE))
    for each in found or re.finditer(spelled, text, re.IGNORECASE):
        yield each.span()
