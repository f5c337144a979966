"""Payment card numbers: digits in the ranges that networks issue, with a right check digit, and in nothing longer."""

from collections.abc import Iterator
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import NamedTuple

from broker.guardrails.card_networks import LENGTHS, PREFIX, SHORTEST, Issued, issued
from broker.guardrails.card_words import Near, is_card_word
from broker.guardrails.iban import in_iban
from broker.guardrails.numbers import DOUBLED, SINGLE, in_address, plain
from broker.guardrails.patterns import pattern
from broker.guardrails.spans import Span
from broker.guardrails.work import Work

DIGIT, SIGN, DOT, RETURN, OTHER = b"9", b" ", b"d", b"r", b"x"
SIGNS = {b" -\n": SIGN, b".": DOT, b"\r": RETURN, b"0123456789": DIGIT}
CLASSES = b"".join(
    next((name for signs, name in SIGNS.items() if bytes([code]) in signs), OTHER) for code in range(256)
)
"""What may stand between groups is one sign; a line may end with a carriage return."""

GROUPS = pattern(rb"(r?[ d]?)(9+)")
PARTS = pattern(rb"r?[ d]|r")
NO_SIGNS = dict.fromkeys(b" .-\n\r")

CHAIN = pattern(rb"9(?<!99)(?<!9[ dr]9)(?<!9r[ d]9)(?:r?[ d]?9){%d,}" % (SHORTEST - 1))
"""From its first digit on: where that is too short, so is all behind it."""

PIECE = pattern(rb"9{4,}+(?:r?[ d]9{3,}+)*(?:r?[ d]9{1,2}(?!9))?")
"""In a long chain, groups as cards have them."""

LONG = 80
"""Characters from which on a chain is no single card, in whatever groups."""

EACH_PIECE = 10
"""Steps that a piece takes beside one for every other of its signs."""

GROUP = pattern(r"[0-9]+")

USUAL = pattern(r"4{3,4}[1-4]?|465|456|464|6[0-9]{1,2}")
"""The lengths of groups that people and forms write: fours; 4, 6, 5 (American Express); 4, 6, 4 (Diners Club)."""

SPARE = {True: 12, False: 4}
"""How many digits beside its cards a chain may have, in usual groups and in others: more of them make a table."""

LETTERS_BEFORE = pattern(r"(?<![A-Za-z0-9_./@+-])[A-Za-z]{1,20}[-/]?\Z")
LETTERS_AFTER = pattern(r"([A-Za-z]{1,20})(?![A-Za-z0-9_/@+-])")
LONGER_AFTER = pattern(r"[_@%]|-\w|/(?![0-9]{1,4}(?!\w))\w|\.(?!0(?!\w)|[A-Z][a-z])\w")
"""What makes a number the beginning of something longer; an expiry date (`/12/27`) does not."""


class Chain:
    """Groups of digits that one sign each parts."""

    def __init__(self, text: str, classes: bytes, begin: int, end: int) -> None:
        """What stands in a text from `begin` to `end`."""
        self._text, self._begin, self._end = text, begin, end
        self.digits = text[begin:end].translate(NO_SIGNS)
        self.offsets = list(accumulate(map(len, PARTS.split(classes[begin:end])), initial=0))
        """How many digits stand before each group, and before the end."""

    @cached_property
    def groups(self) -> list[tuple[int, int]]:
        """Where each begins and ends in the text."""
        return [group.span() for group in GROUP.finditer(self._text, self._begin, self._end)]

    @cached_property
    def sums(self) -> tuple[list[int], list[int]]:
        """Before each digit: the sum of those before, the first and each second doubled; the second and each second."""
        digits = self.digits.encode()
        single, doubled = digits.translate(SINGLE), digits.translate(DOUBLED)
        even, odd = bytearray(single), bytearray(single)
        even[0::2], odd[1::2] = doubled[0::2], doubled[1::2]
        return list(accumulate(even, initial=0)), list(accumulate(odd, initial=0))


class Found(NamedTuple):
    """A card in the groups `first` to `last` (exclusive) of a chain."""

    first: int
    last: int
    kind: str
    usual: bool


def find_cards(text: str, work: Work | None = None) -> Iterator[Span]:
    """The card numbers in a text, in order; a number may stand in groups with one space, hyphen, dot or line break."""
    text, work = plain(text), work or Work()
    classes = text.encode("latin-1", "replace").translate(CLASSES)
    if classes.count(DIGIT) < SHORTEST:
        return
    near = Near(text, work)
    for run in CHAIN.finditer(classes):
        begin, end = run.span()
        long = end - begin > LONG
        for piece in PIECE.finditer(classes, begin, end) if long else (run,):
            if not work.take(EACH_PIECE + (piece.end() - piece.start()) // 2):
                return
            if long or _may_begin(text, begin, run.group()):
                yield from _cards(text, near, Chain(text, classes, *piece.span()))


def _may_begin(text: str, begin: int, shape: bytes) -> bool:
    """False where no number in groups of these lengths begins with a digit that such numbers begin with."""
    return any(not lengths.isdisjoint(LENGTHS.get(text[begin + at], ())) for at, lengths in _lengths_in(shape))


@lru_cache(maxsize=4096)
def _lengths_in(shape: bytes) -> tuple[tuple[int, frozenset[int]], ...]:
    """Where groups begin in a chain, and the lengths of the numbers that do so there.

    Addresses of machines and times stand in each line of a log: with a dot in it, only usual groups are a card.
    """
    groups = [(each.start(2), len(each.group(2)), DOT in each.group(1)) for each in GROUPS.finditer(shape)]
    found = []
    for first, (at, _, _) in enumerate(groups):
        lengths, whole, form, dotted = set(), 0, "", False
        for place, (_, length, dot) in enumerate(groups[first:]):
            whole, form, dotted = whole + length, form + str(min(length, 9)), dotted or (dot and place > 0)
            if whole >= SHORTEST and (not dotted or USUAL.fullmatch(form)):
                lengths.add(whole)
        if lengths:
            found.append((at, frozenset(lengths)))
    return tuple(found)


def _cards(text: str, near: Near, chain: Chain) -> Iterator[Span]:
    found = list(_numbers(text, near, chain))
    if not found:
        return
    spare = len(chain.digits) - sum(chain.offsets[each.last] - chain.offsets[each.first] for each in found)
    for each in found:
        begin, end = chain.groups[each.first][0], chain.groups[each.last - 1][1]
        if each.last - each.first == 1 or spare <= SPARE[each.usual] or near.card(begin, end):
            yield Span(begin, end, each.kind)


def _numbers(text: str, near: Near, chain: Chain) -> Iterator[Found]:
    """Whole groups with the length and the check digit of a network: the longest at each place, none over another."""
    offsets, digits = chain.offsets, chain.digits
    group_at = {offset: group for group, offset in enumerate(offsets)}
    free = 0
    for first, begin in enumerate(offsets):
        if len(digits) - begin < SHORTEST:
            return
        if begin < free:
            continue
        for length, network in issued(digits[begin : begin + PREFIX]):
            last = group_at.get(begin + length)
            if last is None:
                continue
            # The last digit of a card is not doubled, the one before it is.
            sum_before = chain.sums[offsets[last] % 2]
            checked = (sum_before[offsets[last]] - sum_before[begin]) % 10 == 0
            if (checked or network.name == "union_pay") and (
                found := _judged(text, near, chain, first, last, network, checked)
            ):
                free = offsets[last]
                yield found
                break


def _judged(text: str, near: Near, chain: Chain, first: int, last: int, network: Issued, checked: bool) -> Found | None:
    """What the form of the groups and the text around them say."""
    groups = chain.groups[first:last]
    begin, end = groups[0][0], groups[-1][1]
    usual = USUAL.fullmatch("".join([str(min(stop - start, 9)) for start, stop in groups])) is not None
    if not checked and not near.union_pay(begin, end):
        return None
    if not usual and "." in text[begin:end]:
        return None
    if network.needs != "nothing" and not (
        (network.needs == "groups" and usual) or ((usual or len(groups) == 1) and near.card(begin, end))
    ):
        return None
    if not _begins(text, begin, chain) or not _ends(text, end, chain) or near.something_else(begin):
        return None
    if in_address(text, begin, end) or in_iban(text, begin, end):
        return None
    return Found(first, last, network.name, usual)


def _begins(text: str, begin: int, chain: Chain) -> bool:
    """True when nothing before makes the number the end of something longer."""
    sign = text[begin - 1 : begin]
    if begin > chain.groups[0][0]:
        return sign in " \n"
    if sign.isascii() and sign.isalpha():
        word = LETTERS_BEFORE.search(text[max(0, begin - 24) : begin])
        return word is not None and is_card_word(word.group())
    if sign in ("-", "/"):
        word = LETTERS_BEFORE.search(text[max(0, begin - 24) : begin])
        return (word is not None and is_card_word(word.group()[:-1])) or (
            sign == "-" and not text[begin - 2 : begin - 1].strip()
        )
    return sign == "" or sign not in "._@+%$€£~"


def _ends(text: str, end: int, chain: Chain) -> bool:
    """True when nothing behind makes the number the beginning of something longer."""
    sign = text[end : end + 1]
    if end < chain.groups[-1][1]:
        return sign in " \r\n"
    if sign.isascii() and sign.isalpha():
        word = LETTERS_AFTER.match(text, end)
        return word is not None and is_card_word(word.group())
    return LONGER_AFTER.match(text, end) is None
