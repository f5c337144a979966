"""What the model weighs: concepts near each other, by pairs and threes, in windows of a text; and the text's signs."""

import math
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from itertools import combinations
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

EACH_PIECE, PAIRS_OF_STEP = 35, 8
"""Steps that a piece takes whatever is in it, and how many pairs of words with a meaning are looked at in one."""

MOST_NUMBERS, MOST_MADE = 1 << 16, 50_000
"""Numbers that words get by their concepts; of pairs of them, how many have their features kept in memory."""

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
        """How much each of `wording` counts."""
        return share(len(self.wording))


class Piece(NamedTuple):
    """What is weighed of one piece of a text."""

    signs: set[int]
    """The features of the piece as a whole, which each of its windows has."""
    blocks: list[set[int]]
    """Those that begin in each `STRIDE` words; a window has two such blocks."""
    wording: list[int]
    """Two numbers for each word."""

    def places(self) -> Iterator[tuple[int, int, int]]:
        """Of each window its first block, and where its wording begins and ends."""
        words = len(self.wording) // 2
        for block, first in enumerate(range(0, max(words - STRIDE, 1), STRIDE)):
            yield block, 2 * first, 2 * min(first + WINDOW, words)

    def features(self, block: int) -> set[int]:
        """All features of the window that begins with a block."""
        return self.signs.union(*self.blocks[block : block + WINDOW // STRIDE])


def share(wording: int) -> float:
    """How much each of so many counts: those of a long window do not add up to more than a short one's."""
    return WORDING / math.sqrt(max(wording, 16))


def windows(text: str, work: Work) -> Iterator[Window]:
    """The features of each window of a text, as far as the work goes; at least one window."""
    for piece in pieces(text, work):
        for block, begin, end in piece.places():
            yield Window(piece.features(block), piece.wording[begin:end])


def pieces(text: str, work: Work) -> Iterator[Piece]:
    """The pieces of a text, as far as the work goes; at least one."""
    for begin in range(0, max(len(text) - OVERLAP, 1), PIECE - OVERLAP):
        if begin and work.spent:
            return
        yield _piece(text[begin : begin + PIECE], work)


def _piece(text: str, work: Work) -> Piece:
    words, disguises = read(text)
    terms, concepts, leet = meanings(words)
    first_sign = space().signs
    work.take(EACH_PIECE + len(terms))
    return Piece(
        {first_sign + NUMBERS[name] for name in signs(text, words, disguises, leet)},
        _blocks(concepts, work),
        _hashed(terms),
    )


def _hashed(terms: list[str]) -> list[int]:
    """Two numbers for each term: of itself, and of it and the one before."""
    encoded = {term: b"0" if term.isdigit() else term.encode("utf-8", "replace") for term in set(terms)}
    crcs = {term: crc32(own) for term, own in encoded.items()}
    alone = [crcs[term] for term in terms]
    hashed = [0] * (2 * len(terms))
    hashed[0::2] = alone
    hashed[1::2] = map(crc32, [encoded[term] for term in terms], [0, *alone])
    return [number & (WORDINGS - 1) for number in hashed]


class _Numbers(dict[tuple[int, ...], int]):
    """A number for all concepts that a word has together: there are not many more than the lexicon has entries."""

    def __init__(self) -> None:
        super().__init__({(): 0})
        self.concepts: list[tuple[int, ...]] = [()]
        self.hot = [0]
        """Those that count by threes, as bits."""

    def __missing__(self, of: tuple[int, ...]) -> int:
        number = self[of] = len(self.concepts)
        self.concepts.append(of)
        self.hot.append(sum(1 << hot for hot in {space().tripled[concept] for concept in of} if hot >= 0))
        return number


class _Made(dict[int, tuple[int, ...]]):
    """What becomes of two words by their numbers, worked out when it is first asked for."""

    def __init__(self, make: Callable[[int, int], tuple[int, ...]]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, both: int) -> tuple[int, ...]:
        made = self._make(*divmod(both, MOST_NUMBERS))
        if len(self) < MOST_MADE:
            self[both] = made
        return made


def _pairs(first: int, second: int) -> tuple[int, ...]:
    """The close pairs of one word's concepts with those of a later one."""
    concepts, count = _numbers.concepts, space().concepts
    return tuple(count + one * count + other for one in concepts[first] for other in concepts[second])


def _near_pairs(first: int, second: int) -> tuple[int, ...]:
    """The same for words that are near: near pairs are close ones too."""
    close = _pairs(first, second)
    return (*close, *(pair + space().concepts ** 2 for pair in close))


_numbers = _Numbers()
_close, _near = _Made(_pairs), _Made(_near_pairs)


def _blocks(concepts: list[tuple[int, ...]], work: Work) -> list[set[int]]:
    """The features that begin in each block: concepts, and the pairs and threes with those that follow."""
    numbers = list(map(_numbers.__getitem__, concepts))
    hits = [place for place, number in enumerate(numbers) if number]
    words = [numbers[place] for place in hits]
    hots = list(map(_numbers.hot.__getitem__, words))
    hits.append(len(numbers) + STRIDE + SPAN)  # behind all, so that each search below ends
    blocks = []
    at = pairs = steps = 0
    for end in range(STRIDE, len(numbers) + STRIDE, STRIDE):
        first = at
        near, close, threes = set[int](), set[int](), set[tuple[int, int]]()
        while (place := hits[at]) < end:
            number, hot, other = words[at] * MOST_NUMBERS, 0, at + 1
            while hits[other] - place <= NEAR:
                near.add(number + words[other])
                hot |= hots[other]
                other += 1
            while hits[other] - place <= CLOSE:
                close.add(number + words[other])
                hot |= hots[other]
                other += 1
            while hits[other] - place <= SPAN:
                hot |= hots[other]
                other += 1
            if hots[at] and hot & (hot - 1):  # two at least
                threes.add((hots[at], hot))
            pairs += other - at
            at += 1
        alone = map(_numbers.concepts.__getitem__, set(words[first:at]))
        made = [_threes(*both) for both in threes]
        steps += sum(map(len, made))
        blocks.append(set().union(*alone, *map(_near.__getitem__, near), *map(_close.__getitem__, close), *made))
    work.take(steps + pairs // PAIRS_OF_STEP)
    return blocks


def _bits(hot: int) -> list[int]:
    return [number for number in range(hot.bit_length()) if hot >> number & 1]


@lru_cache(maxsize=MOST_MADE)
def _threes(own: int, others: int) -> tuple[int, ...]:
    """The threes of each of a word's concepts with each two of others, whatever their order; both as bits."""
    threes, count = space().threes, len(TRIPLED)
    three = {
        tuple(sorted((first, *two))) for first in _bits(own) for two in combinations(_bits(others & ~(1 << first)), 2)
    }
    return tuple(threes + (low * count + middle) * count + high for low, middle, high in three)
