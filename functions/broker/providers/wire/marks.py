"""Marks of a prompt cache, on their way from a request to dialects that have them: Anthropic's, and Bedrock's.

A part that is marked keeps its mark through all that `history` does to a conversation. Where a request wishes that the
whole be kept, its instructions and its end are marked. The dialect has the last word on how many there may be.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from broker.prompt_marks import LONG, MARK, MOST_MARKS, SHORT
from broker.providers.wire.abilities import cannot
from broker.providers.wire.base import Blob, Call


class MarkedText(str):
    """A text with a mark behind it."""

    __slots__ = ("mark",)
    mark: str


Part = TypeVar("Part")


def mark_of(holder: Any) -> str:
    """For how long a part, message, tool or call of a request wants all before its end kept; empty for no mark."""
    given = holder.get(MARK) if isinstance(holder, Mapping) else None
    return str(given.get("ttl", SHORT)) if isinstance(given, Mapping) else ""


def of_part(part: Any) -> str:
    """The same of a part of a turn."""
    return str(getattr(part, "mark", ""))


def marked(part: Part, mark: str) -> Part:
    """A part of a turn with a mark; one that dialects with marks have no form for stays as it is."""
    if not mark or of_part(part):
        return part
    if isinstance(part, str):
        made = MarkedText(part)
        made.mark = mark
        return made  # type: ignore[return-value]  # it is the same text
    if isinstance(part, Blob) or hasattr(part, "mark"):
        return replace(part, mark=mark)  # type: ignore[type-var]
    return part


def wish(call: Call) -> str:
    """For how long a call wants its whole prompt kept, in the words of marks; empty for no wish."""
    if not call.cache_ttl or cannot(call.options, "prompt_cache"):
        return ""
    return SHORT if call.cache_ttl == SHORT else LONG


def settled(marks: Sequence[str]) -> list[str]:
    """Marks in the order of the prompt as the services take them, and empty for those that are left out.

    Of more than they take, the last: these keep most, and what earlier ones kept is found from there. Marks of earlier
    turns of a conversation may be out of order; then none is for longer than one before it.
    """
    allowed = len(marks) - MOST_MARKS
    shortest, made = LONG, []
    for place, mark in enumerate(marks):
        if place < allowed:
            made.append("")
            continue
        shortest = SHORT if SHORT in (shortest, mark) else LONG
        made.append(shortest)
    return made
