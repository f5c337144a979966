"""What is to be changed in the texts of a document, so that each character is changed once.

Checks find things over each other, and some stand in two texts that are read as one. What touches is one change, by
what is strictest of it; it is replaced in its first text and taken out of those that follow.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from broker.guardrails.policy import STRICTNESS, Action

Place = tuple[str | int, ...]
"""Of a text in its document."""


class Change(NamedTuple):
    """What was found, and what follows: the pieces of texts that it stands in, in the order in which they are read."""

    kind: str
    action: Action
    pieces: list[tuple[Place, int, int]]


class Edit(NamedTuple):
    """Characters of a text of the document that are to be replaced, and how; those of one text are apart, in order."""

    begin: int
    end: int
    kind: str
    """Empty for what goes on from another text, where it was replaced with the rest of it."""
    action: Action
    rest: str = ""
    """What goes on in the texts that follow."""


def edits_of(changes: Sequence[Change], texts: Mapping[Place, str]) -> dict[Place, list[Edit]]:
    """The edits of each text.

    Args:
        changes: as they were found.
        texts: all texts by their place, in the order in which they are read.
    """
    order = {place: number for number, place in enumerate(texts)}
    edits: dict[Place, list[Edit]] = defaultdict(list)
    for kind, action, pieces in _together(changes):
        (place, begin, end), *following = sorted(pieces, key=lambda piece: order[piece[0]])
        rest = "".join(texts[after][first:last] for after, first, last in following)
        edits[place].append(Edit(begin, end, kind, action, rest))
        for after, first, last in following:
            edits[after].append(Edit(first, last, "", action))
    return {place: sorted(edits[place]) for place in edits}


def _together(changes: Sequence[Change]) -> list[Change]:
    """Changes that touch each other made one, with the kind and the action of the strictest; of alike, the longest."""
    joined = list(range(len(changes)))

    def first(number: int) -> int:
        while joined[number] != number:
            joined[number] = number = joined[joined[number]]
        return number

    by_place: dict[Place, list[tuple[int, int, int]]] = defaultdict(list)
    for number, change in enumerate(changes):
        for place, begin, end in change.pieces:
            by_place[place].append((begin, end, number))
    for found in by_place.values():
        found.sort()
        last, owner = found[0][1:]
        for begin, end, number in found[1:]:
            if begin < last:
                joined[first(number)] = first(owner)
            if end > last:
                last, owner = end, number
    groups: dict[int, list[Change]] = defaultdict(list)
    for number, change in enumerate(changes):
        groups[first(number)].append(change)
    return [group[0] if len(group) == 1 else _one(group) for group in groups.values()]


def _one(group: Sequence[Change]) -> Change:
    def weight(change: Change) -> tuple[int, int]:
        return STRICTNESS[change.action], sum(end - begin for _, begin, end in change.pieces)

    strictest = max(group, key=weight)
    pieces: dict[Place, tuple[int, int]] = {}
    for place, begin, end in (piece for change in group for piece in change.pieces):
        known = pieces.get(place, (begin, end))
        pieces[place] = min(begin, known[0]), max(end, known[1])
    return strictest._replace(pieces=[(place, *span) for place, span in pieces.items()])
