"""What the model weighs: concepts near each other, by pairs and threes, in windows of a text; and the text's signs."""

import math
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple
from zlib import crc32

from broker.guardrails.detector.concepts import lexicon, meanings
from broker.guardrails.detector.reading import read
from broker.guardrails.detector.signs import NAMES, NUMBERS, signs

WINDOW, STRIDE = 60, 30
"""Words of a window, and from one window to the next: an order inside a long document is not thinned by it."""

PIECE, OVERLAP = 20_000, 600
"""Characters that are read at a time, and how many are read again, so that nothing is lost between two pieces."""

WORDINGS, WORDING = 1 << 15, 3.0
"""Numbers for words and pairs of words, and how much all of a window's count beside one feature."""

NEAR, CLOSE, SPAN = 2, 7, 9
"""Words apart: of a near pair, of a close pair, of three."""

TRIPLED = (
    *("override", "instruction", "prompt", "limit", "prior", "initial", "hidden", "config", "context", "extract"),
    *("show", "you", "persona", "ai", "jailbroken", "free", "not", "refuse", "follow", "new_task", "only", "respond"),
    *("system", "authority", "testing", "all", "from_now", "harm", "quoted", "usual", "workings"),
)
"""The concepts that count by threes."""


class Space(NamedTuple):
    """How features are numbered: concepts, close pairs, near pairs, threes, signs."""

    concepts: int
    tripled: tuple[int, ...]
    """For each concept its number among those that count by threes, or -1."""
    threes: int
    """The first number of the threes."""
    signs: int
    size: int


@cache
def space() -> Space:
    """The numbering, by the lexicon."""
    names = lexicon().names
    threes = len(names) + 2 * len(names) ** 2
    tripled = tuple(TRIPLED.index(name) if name in TRIPLED else -1 for name in names)
    first_sign = threes + len(TRIPLED) ** 3
    return Space(len(names), tripled, threes, first_sign, first_sign + len(NAMES))


def name_of(feature: int) -> str:
    """A feature's stable name: `override`, `override>instruction`, `override+prior+instruction`, `sign:fence`."""
    names, numbers = lexicon().names, space()
    if feature < numbers.concepts:
        return names[feature]
    if feature < numbers.threes:
        near, pair = divmod(feature - numbers.concepts, numbers.concepts**2)
        first, second = divmod(pair, numbers.concepts)
        return f"{names[first]}{'>>' if near else '>'}{names[second]}"
    if feature < numbers.signs:
        rest, third = divmod(feature - numbers.threes, len(TRIPLED))
        first, second = divmod(rest, len(TRIPLED))
        return f"{TRIPLED[first]}+{TRIPLED[second]}+{TRIPLED[third]}"
    return f"sign:{NAMES[feature - numbers.signs]}"


def number_of(name: str) -> int:
    """The number of a feature by its name."""
    names, numbers = lexicon().names, space()
    if name.startswith("sign:"):
        return numbers.signs + NUMBERS[name[5:]]
    if "+" in name:
        first, second, third = (TRIPLED.index(each) for each in name.split("+"))
        return numbers.threes + (first * len(TRIPLED) + second) * len(TRIPLED) + third
    if ">" in name:
        left, right = name.replace(">>", ">").split(">")
        near = numbers.concepts**2 if ">>" in name else 0
        return numbers.concepts + near + names.index(left) * numbers.concepts + names.index(right)
    return names.index(name)


class Window(NamedTuple):
    """What is weighed of one window."""

    features: set[int]
    wording: list[int]
    """Its words and pairs of words, hashed; one may be there often."""

    def share(self) -> float:
        """How much each of `wording` counts: a long window's do not add up to more than a short one's."""
        return WORDING / math.sqrt(max(len(self.wording), 16))


def windows(text: str) -> Iterator[Window]:
    """The features of each window of a text; at least one window."""
    for begin in range(0, max(len(text) - OVERLAP, 1), PIECE - OVERLAP):
        yield from _windows(text[begin : begin + PIECE])


def _windows(text: str) -> Iterator[Window]:
    words, disguises = read(text)
    terms, concepts, leet = meanings(words)
    first_sign = space().signs
    common = {first_sign + NUMBERS[name] for name in signs(text, words, disguises, leet)}
    wording = _hashed(terms)
    features = [(place, _of(concepts, place, of)) for place, of in enumerate(concepts) if of]
    begin = 0
    for first in range(0, max(len(concepts) - STRIDE, 1), STRIDE):
        while begin < len(features) and features[begin][0] < first:
            begin += 1
        window = set(common)
        for place, found in features[begin : begin + WINDOW]:
            if place >= first + WINDOW:
                break
            window.update(found)
        yield Window(window, wording[2 * first : 2 * (first + WINDOW)])


def _hashed(terms: list[str]) -> list[int]:
    """Two numbers for each term: of itself, and of it and the one before."""
    hashed: list[int] = []
    before = b""
    for term in terms:
        own = b"0" if term.isdigit() else term.encode("utf-8", "replace")
        hashed.append(crc32(own) & (WORDINGS - 1))
        hashed.append(crc32(own, crc32(before)) & (WORDINGS - 1))
        before = own
    return hashed


def _of(concepts: list[tuple[int, ...]], place: int, of: tuple[int, ...]) -> list[int]:
    """The features that begin with the word at a place: its concepts, its pairs and threes with words after it."""
    count, tripled, threes, *_ = space()
    near = count * count
    features = list(of)
    warm: set[int] = set()
    for apart, others in enumerate(concepts[place + 1 : place + 1 + SPAN], start=1):
        for second in others:
            if apart <= CLOSE:
                for first in of:
                    features.append(count + first * count + second)
                    if apart <= NEAR:
                        features.append(near + count + first * count + second)
            if tripled[second] >= 0:
                warm.add(tripled[second])
    hot = len(TRIPLED)
    for one in of:
        if (first := tripled[one]) >= 0 and len(warm) > 1:
            group = sorted(warm - {first})
            for index, second in enumerate(group):
                for third in group[index + 1 :]:
                    if first < second:
                        features.append(threes + (first * hot + second) * hot + third)
                    elif first < third:
                        features.append(threes + (second * hot + first) * hot + third)
                    else:
                        features.append(threes + (second * hot + third) * hot + first)
    return features
