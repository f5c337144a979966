"""Words near a place: one pass over a text finds all of a vocabulary, then each question is a look-up."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, NamedTuple, TypeVar

from broker.guardrails.work import Work

Tag = TypeVar("Tag")

LEADS = tuple(" \n\t\"'`(<[{>|*_=:;,./#-")
"""What stands before a word."""

SHORT = 3


class Mention(NamedTuple, Generic[Tag]):
    """A word of the vocabulary in a text: where it is, and what it stands for."""

    begin: int
    end: int
    tag: Tag


class Mentions(Generic[Tag]):
    """The words of a vocabulary that a text has, in the order of their ends."""

    def __init__(self, found: list[Mention[Tag]]):
        self._found = found
        self._ends = [each.end for each in found]

    def all(self) -> Iterator[Mention[Tag]]:
        """All of them."""
        return iter(self._found)

    def within(self, first: int, last: int) -> bool:
        """True when one of them ends in this part of the text."""
        at = bisect_left(self._ends, first)
        return at < len(self._ends) and self._ends[at] <= last

    def before(self, place: int, reach: int) -> Iterator[Mention[Tag]]:
        """Those that end at most `reach` characters before a place, the nearest first."""
        first, last = bisect_left(self._ends, place - reach), bisect_right(self._ends, place)
        return (self._found[at] for at in range(last - 1, first - 1, -1))

    def after(self, place: int, reach: int) -> Iterator[Mention[Tag]]:
        """Those that begin behind a place and end at most `reach` characters behind it, the nearest first."""
        first, last = bisect_right(self._ends, place), bisect_right(self._ends, place + reach)
        return (self._found[at] for at in range(first, last) if self._found[at].begin >= place)


class Vocabulary(Generic[Tag]):
    """Words in lower case, each with what it stands for; `*` at an end lets the word go on there: `passport*`."""

    def __init__(self, words: Iterable[tuple[str, Tag]]):
        from ahocorasick_rs import AhoCorasick, Implementation

        tags: dict[str, list[Tag]] = {}
        for word, tag in words:
            tags.setdefault(word, []).append(tag)
        patterns: list[str] = []
        self._tags: list[tuple[int, bool, bool, list[Tag]]] = []
        for word, listed in tags.items():
            starts, stops = word[0] != "*", word[-1] != "*" and not _joined(word[-1])
            # Two or three letters are in many words: they are looked for with the sign that parts them from others.
            leads = LEADS if starts and word.isascii() and len(word) <= SHORT else ("",)
            for lead in leads:
                patterns.append(lead + word.strip("*"))
                self._tags.append((len(lead), starts and not lead, stops, listed))
        self._search = AhoCorasick(patterns, implementation=Implementation.ContiguousNFA)

    def mentions(self, text: str, work: Work, begin: int = 0, end: int | None = None) -> Mentions[Tag]:
        """Find all between two places, as far as the work goes; a word may be cut there."""
        begin = max(begin, 0)
        return Mentions(list(self._mentions("\n" + lower(text[begin:end]), work, begin - 1)))

    def _mentions(self, text: str, work: Work, offset: int) -> Iterator[Mention[Tag]]:
        # One sign stands before the text.
        for word, begin, end in self._search.find_matches_as_indexes(text, overlapping=True):
            lead, starts, stops, tags = self._tags[word]
            if not work.take(len(tags)):
                return
            if starts and _goes_on(text[begin - 1]) and not _joined(text[begin]):
                continue
            if stops and _goes_on(text[end : end + 1]):
                continue
            for tag in tags:
                yield Mention(begin + lead + offset, end + offset, tag)


def of_kinds(words: Mapping[str, Iterable[str]]) -> Vocabulary[str]:
    """A vocabulary by kind."""
    return Vocabulary((word, kind) for kind, listed in words.items() for word in listed)


def lower(text: str) -> str:
    """The text in lower case, as long as it was."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(low if len(low := char.lower()) == 1 else char for char in text)


def _goes_on(char: str) -> bool:
    return char.isalpha() and not _joined(char)


def _joined(char: str) -> bool:
    """True for letters of scripts that put no spaces between words, or join particles to them."""
    return (
        "\u0e00" <= char <= "\u0eff"
        or "\u1100" <= char <= "\u11ff"
        or "\u3040" <= char <= "\u9fff"
        or "\uac00" <= char <= "\ud7af"
    )
