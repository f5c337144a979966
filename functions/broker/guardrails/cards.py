"""Payment card numbers: digits in the ranges that networks issue, with a right check digit."""

import re
from collections.abc import Iterator

RUN = re.compile(r"\d+(?:[ -]\d+)*", re.ASCII)

RANGES: tuple[tuple[int, int, frozenset[int]], ...] = (
    (4, 4, frozenset({13, 16, 19})),
    (51, 55, frozenset({16})),
    (2221, 2720, frozenset({16})),
    (34, 34, frozenset({15})),
    (37, 37, frozenset({15})),
    (300, 305, frozenset({14})),
    (36, 36, frozenset({14})),
    (38, 39, frozenset({14})),
    (6011, 6011, frozenset({16, 19})),
    (644, 659, frozenset({16, 19})),
    (3528, 3589, frozenset({16})),
    (62, 62, frozenset({16, 17, 18, 19})),
)
"""First and last prefix, and the lengths. Source: the networks' published issuer ranges (ISO/IEC 7812)."""

SHORTEST, LONGEST = 13, 19


def card_numbers(text: str) -> Iterator[str]:
    """The card numbers in a text, digits only; a number may be written in groups with single spaces or hyphens."""
    for run in RUN.finditer(text):
        groups = re.split("[ -]", run.group())
        begin = 0
        while begin < len(groups):
            found = _longest_card(groups, begin)
            if found:
                yield "".join(groups[begin : begin + found])
            begin += found or 1


def _longest_card(groups: list[str], begin: int) -> int:
    """How many groups from `begin` on make a card number; 0 for none."""
    digits, found = "", 0
    for count, group in enumerate(groups[begin : begin + LONGEST], start=1):
        digits += group
        if len(digits) > LONGEST:
            break
        if len(digits) >= SHORTEST and _issued(digits) and luhn(digits):
            found = count
    return found


def _issued(digits: str) -> bool:
    return any(
        len(digits) in lengths and first <= int(digits[: len(str(first))]) <= last for first, last, lengths in RANGES
    )


def luhn(digits: str) -> bool:
    """True when the check digit is right (ISO/IEC 7812-1, annex B)."""
    doubled = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
    odd, even = digits[-1::-2], digits[-2::-2]
    return (sum(map(int, odd)) + sum(doubled[int(each)] for each in even)) % 10 == 0
