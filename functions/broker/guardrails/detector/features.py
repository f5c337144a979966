"""What the model weighs: concepts near each other, by pairs and threes, in windows of a text; and the text's signs."""

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import combinations, count
from typing import NamedTuple
from zlib import crc32

from broker.guardrails.detector.concepts import lexicon, meanings
from broker.guardrails.detector.reading import read
from broker.guardrails.detector.signs import NAMES, NUMBERS, signs
from broker.guardrails.work import Work

WINDOW, STRIDE = 60, 30
"""Words of a window, and from one window to the next: an order inside a long document is not thinned by it."""

PIECE, OVERLAP = 20_000, 600
"""Characters that are read at a time, and how many are read again, so that nothing is lost between two pieces."""

EACH_PIECE = 80
"""Steps that a piece takes whatever is in it."""

WORDINGS, WORDING = 1 << 15, 3.0
"""Numbers for words and pairs of words, and how much all of a window's count beside one feature."""

NEAR, CLOSE, SPAN = 2, 7, 9
"""Words apart: of a near pair, of a close pair, of three."""

TRIPLED = (
    *("override", "instruction", "prompt", "limit", "prior", "initial", "hidden", "config", "context", "extract"),
    *("show", "you", "persona", "ai", "jailbroken", "free", "not", "refuse", "follow", "new_task", "only", "respond"),
    *("system", "authority", "testing", "all", "from_now", "harm", "quoted", "usual", "workings"),
    *("stakes", "double", "plea", "rapport", "mind"),
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


def windows(text: str, work: Work) -> Iterator[Window]:
    """The features of each window of a text, as far as the work goes; at least one window."""
    for begin in range(0, max(len(text) - OVERLAP, 1), PIECE - OVERLAP):
        if begin and work.spent:
            return
        yield from _windows(text[begin : begin + PIECE], work)


def _windows(text: str, work: Work) -> Iterator[Window]:
    words, disguises = read(text)
    terms, concepts, leet = meanings(words)
    first_sign = space().signs
    common = {first_sign + NUMBERS[name] for name in signs(text, words, disguises, leet)}
    wording = _hashed(terms)
    numbers = array("H", map(_number, concepts)).tobytes()
    hits = [place for place, of in enumerate(concepts) if of]
    around = [numbers[2 * place : 2 * (place + SPAN + 1)] for place in hits]
    features = {each: _of(each) for each in set(around)}
    work.take(EACH_PIECE + len(terms) + len(hits) + sum(map(len, features.values())))
    for first in range(0, max(len(concepts) - STRIDE, 1), STRIDE):
        here = set(around[bisect_left(hits, first) : bisect_left(hits, first + WINDOW)])
        yield Window(common.union(*(features[each] for each in here)), wording[2 * first : 2 * (first + WINDOW)])


def _hashed(terms: list[str]) -> list[int]:
    """Two numbers for each term: of itself, and of it and the one before."""
    encoded = {term: b"0" if term.isdigit() else term.encode("utf-8", "replace") for term in set(terms)}
    coded = {term: (own, crc32(own)) for term, own in encoded.items()}
    hashed: list[int] = []
    before = 0
    for term in terms:
        own, alone = coded[term]
        hashed += (alone & (WORDINGS - 1), crc32(own, before) & (WORDINGS - 1))
        before = alone
    return hashed


_meant: dict[int, tuple[int, ...]] = {}
"""All concepts that words were seen to have together, by the number that `_number` gave them."""

_free = count()


@cache
def _number(of: tuple[int, ...]) -> int:
    """A number of two bytes for a word's concepts: there are not many more of them than the lexicon has entries."""
    number = next(_free)
    _meant[number] = of
    return number


@lru_cache(maxsize=4096)
def _of(numbers: bytes) -> list[int]:
    """The features that begin with the first of these words: its concepts, its pairs and threes with the others.

    Args:
        numbers: of the words' concepts. Where the same come again, as in tables, nothing is to be worked out.
    """
    of, *following = [_meant[number] for number in array("H", numbers)]
    hot = _hot(of)
    features = list(of)
    warm: set[int] = set()
    for apart, others in enumerate(following, start=1):
        if others:
            if apart <= CLOSE:
                features += _pairs(of, others, apart <= NEAR)
            warm.update(_hot(others))
    if hot and len(warm) > 1:
        group = frozenset(warm)
        for first in hot:
            features += _threes(first, group)
    return features


@lru_cache(maxsize=50_000)
def _hot(of: tuple[int, ...]) -> tuple[int, ...]:
    """Those of a word's concepts that count by threes, by their numbers there."""
    tripled = space().tripled
    return tuple(tripled[concept] for concept in of if tripled[concept] >= 0)


@lru_cache(maxsize=50_000)
def _pairs(of: tuple[int, ...], others: tuple[int, ...], near: bool) -> tuple[int, ...]:
    """The pairs of one word's concepts with those of a later one; near pairs are close ones too."""
    count = space().concepts
    close = tuple(count + first * count + second for first in of for second in others)
    return (*close, *(pair + count * count for pair in close)) if near else close


@lru_cache(maxsize=4096)
def _threes(first: int, others: frozenset[int]) -> tuple[int, ...]:
    """The threes of a concept with each two of others, whatever their order."""
    _, _, threes, *_ = space()
    hot = len(TRIPLED)
    below, above = (sorted(filter(side, others)) for side in (first.__gt__, first.__lt__))
    return (
        *(threes + (low * hot + middle) * hot + first for low, middle in combinations(below, 2)),
        *(threes + (low * hot + first) * hot + high for low in below for high in above),
        *(threes + (first * hot + middle) * hot + high for middle, high in combinations(above, 2)),
    )
