"""The ways in which checks read a text: in its normal form, and what is hidden in it."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from broker.guardrails.decoding import Decoded, decoded
from broker.guardrails.normal import Normal, normalised
from broker.guardrails.path import Path
from broker.guardrails.spans import Span
from broker.guardrails.walk import Seen

MOST_DECODED_IN_ALL = 2_000_000
"""Characters that are decoded of all texts together."""

SHORT, MOST_SHORT = 64, 4096
"""Characters of a text whose like are read once, and how many such texts are remembered: roles, types and the keys of
rows come again and again."""

SHORTEST_HIDDEN = 12
"""Characters of a text that may have something encoded in it."""


class View(NamedTuple):
    """A text as checks read it, and where its characters stand in the text itself."""

    text: str
    seen: Seen
    hidden: str
    back: Any
    spans: dict[str, list[Span]]
    """What checks found that are alike for all rules."""
    across: tuple[tuple[int, int], ...] = ()
    """Where something was removed: what does not stand across one of them was found before."""


class Views:
    """The views of all texts of a run; texts that are alike are read once."""

    def __init__(self) -> None:
        self._left_to_decode = MOST_DECODED_IN_ALL
        self._short: dict[tuple[object, ...], list[View]] = {}

    def known(self, seen: Seen) -> list[View]:
        """The views of a text, with what was found in one like it."""
        if len(seen.text) > SHORT or seen.seam:
            return list(self.of(seen))
        key = (seen.text, seen.source, seen.is_key)
        if key not in self._short and len(self._short) < MOST_SHORT:
            self._short[key] = list(self.of(seen))
        known = self._short.get(key)
        return [view._replace(seen=seen) for view in known] if known else list(self.of(seen))

    def of(self, seen: Seen) -> Iterator[View]:
        """The views of a text: its normal form first, then what is hidden in it."""
        normal = normalised(seen.text)
        yield View(normal.text, seen, "", normal.back if normal.changes else None, {})
        if len(normal.text) < SHORTEST_HIDDEN:
            return
        for each in decoded(normal.text, self._left_to_decode):
            self._left_to_decode -= len(each.text)
            yield View(each.text, seen, each.how, partial(_back, normal, each), {})


def _back(normal: Normal, hidden: Decoded, begin: int, end: int) -> tuple[int, int]:
    return normal.back(*hidden.where(begin, end))


def stands_across(spans: Sequence[tuple[int, int]], begin: int, end: int) -> bool:
    """True where one of the spans, which are apart and in order, lies between."""
    following = bisect_right(spans, begin, key=lambda span: span[0])
    return following < len(spans) and spans[following][1] < end


def joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans without those that touch each other, in order."""
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if joined and begin <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((begin, end))
    return joined


def pieces_of(seen: Seen, begin: int, end: int) -> Iterator[tuple[Path, int, int]]:
    """Where characters of a text stand in the document: path, begin and end; across a seam, in each text there."""
    if seen.seam is None:
        yield seen.path, begin, end
        return
    at = max(bisect_right(seen.pieces, begin, key=lambda piece: piece.begin) - 1, 0)
    while at < len(seen.pieces) and (piece := seen.pieces[at]).begin < end:
        at += 1
        upto = seen.pieces[at].begin if at < len(seen.pieces) else len(seen.text) - (seen.seam == "pair")
        first, last = max(begin, piece.begin), min(end, upto)
        if first < last:
            yield piece.path, first - piece.begin + piece.offset, last - piece.begin + piece.offset
