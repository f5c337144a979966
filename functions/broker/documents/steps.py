"""What a document's run is made of: stages of requests, what came of each, and the result."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

OUTPUT_WEIGHT = 4
"""How many times as much a token of an answer costs as one of a prompt, about."""

PROMPT_TOKENS = 500
"""Of a prompt's own words, about."""


@dataclass(frozen=True, slots=True)
class Request:
    """One child: a job request, and what of the document it is about."""

    body: Mapping[str, Any]
    """As `POST /v1/jobs` takes it, but for a picture, which stands in it as `scan`."""
    part: int
    """From 1, in its stage."""
    pages: tuple[int, ...]
    weight: int
    """What it may cost, compared with its like."""
    scan: int | None = None
    """The picture that goes with it (`reading.Reading.scans`)."""
    gathered: int | None = None
    """The PDF of pages that goes with it (`reading.Reading.gathered`)."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Requests that run side by side."""

    name: str
    """`scans`, `parts`, `step-3`, `merge-1`."""
    requests: tuple[Request, ...]
    later: int = 0
    """The weight of all stages that may follow, at most, about."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of a request."""

    status: str
    """Of a job (`succeeded`, …), `rejected` where it did not become one, `passed_over` where it was not begun."""
    text: str = ""
    json: Any = None
    error: Mapping[str, Any] | None = None
    cost: int = 0
    """Nano-dollars."""
    layout: Any = None
    """What was found on pages that were read, where it was asked for (`documents.forms`)."""
    missing: tuple[int, ...] = ()
    """Of these pages, those that could not be read."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said of some pages."""

    part: int
    pages: tuple[int, ...]
    text: str
    json: Any = None

    @property
    def shown(self) -> Any:
        """Its JSON, where that was asked for, else its text."""
        return self.text if self.json is None else self.json


@dataclass(slots=True)
class Final:
    """What a document came to."""

    answer: Any = None
    error: dict[str, str] | None = None
    """`{"type", "code", "message"}`: why there is no answer."""
    parts: list[dict[str, Any]] = field(default_factory=list)
    """The answers to its parts, where they did not become one: what was paid for is kept."""
    conflicts: list[dict[str, Any]] = field(default_factory=list)
    citations: dict[str, Any] | None = None
    notes: list[dict[str, Any]] = field(default_factory=list)
    """What is to be known of it: `{"code", "message", …}`."""


class Failed(Exception):
    """The document has no answer, and never will."""

    def __init__(self, code: str, message: str, answers: tuple[Answer, ...] = ()) -> None:
        super().__init__(message)
        self.error = {"type": "document_failed", "code": code, "message": message}
        self.answers = answers


def ranges(numbers: tuple[int, ...]) -> str:
    """Numbers in order, in short: `3-5, 9`."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ", ".join(f"{first}-{last}" if first < last else str(first) for first, last in found)
