"""What an engine's answer means: what it found and how surely, or that it gave no verdict."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

MOST_FINDS = 10_000
"""Of one verdict that are kept. Of a text with more, nobody says that all was taken out."""

FAILED = "engine_failed"
"""The kind of a finding where an engine gave no verdict."""

NOT_ALL = "not_all_read"
"""Where a text was too long for it."""

OUTSIDE = "outside_residency"
"""Where it was not asked, for a route demands that unredacted data stays elsewhere."""

FLAGGED = "flagged"
"""The kind of what a service flags without a category that says why."""

REFUSED = "refused"
"""The kind of what an engine's provider refused to read: that is as good as a find."""

SURE = 0.5
"""Scores from which on an engine has found something, unless a rule says otherwise."""


class Unreadable(ValueError):
    """An answer that is no verdict."""


class TooMany(ValueError):
    """A verdict with more finds than are kept."""


@dataclass(frozen=True, slots=True)
class Find:
    """One thing that was found."""

    kind: str
    score: float
    """From 0 to 1."""
    begin: int = 0
    end: int = 0
    """Where it stands in the text that the engine got; 0 both where it judges a text as a whole."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one engine said to one question."""

    finds: tuple[Find, ...] = ()
    failed: str = ""
    """Why there is none: a kind of a finding."""
    version: str = ""
    """Of the engine and of what it was asked by."""

    def to_item(self) -> dict[str, Any]:
        """The form that is kept; never a word of the text."""
        finds = [[find.kind, round(find.score * 1000), find.begin, find.end] for find in self.finds]
        return {"finds": finds, "failed": self.failed, "version": self.version}

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        """Read it back."""
        finds = tuple(Find(kind, score / 1000, begin, end) for kind, score, begin, end in item["finds"])
        return cls(finds, item["failed"], item["version"])


def judged(output: Any, kinds: Iterable[str], topics: tuple[str, ...] = ()) -> tuple[Find, ...]:
    """Read a judge's answer.

    Args:
        output: the answer of a chat model to `questions.judge_request`.
        kinds: that it may have found.
        topics: what the kinds are the numbers of, if they are.

    Raises:
        Unreadable: it is no verdict. Whatever else a model says, it is none: a text that talked it into something else
            has not passed.
        TooMany: as `recognised`.
    """
    verdict = output.get("json") if isinstance(output, Mapping) else None
    rows = verdict.get("finds") if isinstance(verdict, Mapping) else None
    known = set(kinds)
    if not isinstance(rows, list):
        raise Unreadable("there is no list of finds")
    found = []
    for row in rows:
        kind, score = (row.get("kind"), row.get("score")) if isinstance(row, Mapping) else (None, None)
        if kind not in known or type(score) is not int or not 0 <= score <= 100:
            raise Unreadable("a find is none")
        found.append(Find(topics[int(kind) - 1] if topics else kind, score / 100))
    return _surest(found)


def moderated(output: Any) -> tuple[Find, ...]:
    """Read the answer to the task `moderate`: its categories with their scores, and where they stand, if it says so.

    One that was flagged without any category that says why is sure of something.

    Raises:
        Unreadable: it is no verdict.
        TooMany: as `recognised`.
    """
    flagged, categories = (
        (output.get("flagged"), output.get("categories")) if isinstance(output, Mapping) else (None, None)
    )
    if not isinstance(flagged, bool) or not isinstance(categories, Mapping):
        raise Unreadable("it says neither yes nor no")
    found = [Find(_name(kind), _score(score)) for kind, score in categories.items()]
    spans = output.get("spans") or ()
    placed = [Find(_name(each["category"]), _score(each["score"]), *_span(each)) for each in spans]
    where = {find.kind for find in placed}
    found = [find for find in found if find.kind not in where] + placed
    if flagged and not any(find.score >= SURE for find in found):
        found.append(Find(FLAGGED, 1.0))
    return _surest(found)


def recognised(output: Any) -> tuple[Find, ...]:
    """Read the answer to the task `entities` with the feature `pii`.

    Raises:
        Unreadable: it has no list of them.
        TooMany: there are more than `MOST_FINDS`; what is left out would pass.
    """
    rows = output.get("pii") if isinstance(output, Mapping) else None
    if not isinstance(rows, list):
        raise Unreadable("there is no list of personal data")
    return _surest([Find(_name(row["type"]), _score(row["score"]), *_span(row)) for row in rows])


def _surest(found: list[Find]) -> tuple[Find, ...]:
    if len(found) > MOST_FINDS:
        raise TooMany(f"there are {len(found)} finds")
    return tuple(sorted(found, key=lambda find: -find.score))


def _span(found: Mapping[str, Any]) -> tuple[int, int]:
    begin, end = found["begin"], found["end"]
    if type(begin) is not int or type(end) is not int or not 0 <= begin < end:
        raise Unreadable("a place is none")
    return begin, end


def _name(category: Any) -> str:
    return str(category).lower().replace("/", "_").replace("-", "_").replace(" ", "_")[:64]


def _score(score: Any) -> float:
    if type(score) not in (int, float) or not 0 <= score <= 1:
        raise Unreadable("a score is none")
    return float(score)
