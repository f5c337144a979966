"""The numbers that card networks issue: first digits and lengths."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Literal, NamedTuple

Needs = Literal["nothing", "groups", "words"]
"""What beside its digits says that a number is a card: where others look alike, the usual groups or words near."""


class Network(NamedTuple):
    """One range: first and last prefix (of as many digits each), and the lengths of its numbers."""

    name: str
    first: str
    last: str
    lengths: frozenset[int]
    needs: Needs


class Issued(NamedTuple):
    """The network of a number, and how much its first digits say."""

    name: str
    needs: Needs


def _rows(name: str, prefixes: str, lengths: str, needs: Needs = "nothing") -> list[Network]:
    ends = [int(end) for end in lengths.split("-")]
    allowed = frozenset(range(ends[0], ends[-1] + 1))
    rows = []
    for prefix in prefixes.split():
        first, _, last = prefix.partition("-")
        rows.append(Network(name, first, last or first, allowed, needs))
    return rows


NETWORKS: tuple[Network, ...] = (
    *_rows("elo", "401178-401179 431274 438935 451416 457393 457631-457632 504175 506699-506778", "16"),
    *_rows("elo", "509000-509999 627780 636297 636368 650031-650033 650035-650051 650405-650439", "16"),
    *_rows("elo", "650485-650538 650541-650598 650700-650718 650720-650727 650901-650978", "16"),
    *_rows("elo", "651652-651679 655000-655019 655021-655058", "16"),
    *_rows("hipercard", "606282 637095 637568 637599 637609 637612", "16"),
    *_rows("hipercard", "384100 384140 384160", "16-19"),
    *_rows("troy", "9792", "16"),
    *_rows("verve", "506099-506198 650002-650027 507865-507964", "16-19"),
    *_rows("dankort", "5019 4571", "16"),
    *_rows("visa", "4", "16"),
    *_rows("visa", "4", "19"),
    *_rows("visa", "4", "13", "words"),
    *_rows("mir", "2200-2204", "16-19"),
    *_rows("mastercard", "51-55 2221-2720", "16"),
    *_rows("american_express", "34 37", "15"),
    *_rows("diners_club", "300-305 3095 36 38-39", "14"),
    *_rows("diners_club", "300-305 3095 36 38-39", "16-19", "words"),
    *_rows("jcb", "3528-3589", "16-19"),
    *_rows("jcb", "2131 1800", "15"),
    *_rows("discover", "6011 644-649 65", "16-19"),
    *_rows("union_pay", "62 81", "16-19"),
    *_rows("insta_payment", "637-639", "16"),
    *_rows("laser", "6304 6706 6709 6771", "16-19"),
    *_rows("maestro", "5018 5020 5038 5893 6304 6759 6761-6763", "13-19"),
    *_rows("maestro", "5018 5020 5038 5893 6304 6706 6709 6759 6761-6763 6771", "12-15", "groups"),
    *_rows("rupay", "508 353 356 60 82", "16"),
    *_rows("bc_card", "6556 9420 9445 9490", "16"),
    *_rows("maestro", "50 56-69", "16"),
    *_rows("maestro", "50 56-69", "12-19", "words"),
    *_rows("uatp", "1", "15", "groups"),
)
"""Source: the networks' published issuer ranges (ISO/IEC 7812); the narrower range stands first."""

LENGTHS = {
    digit: frozenset(length for row in NETWORKS if row.first[0] <= digit <= row.last[0] for length in row.lengths)
    for digit in "123456789"
}
"""How long numbers are, by their first digit."""

PREFIX = 6
SHORTEST = 12

ByLength = tuple[tuple[int, Issued], ...]
"""How long numbers are, the longest first, and who issues them."""


def issued(prefix: str) -> ByLength:
    """What numbers with these six first digits may be."""
    rows, lengths = _by_four_digits(prefix[:4])
    return _lengths(row for row in rows if _covers(row, prefix)) if lengths is None else lengths


@lru_cache(maxsize=10_000)
def _by_four_digits(prefix: str) -> tuple[list[Network], ByLength | None]:
    """The ranges that such numbers may lie in, and what the numbers may be, if four digits say it."""
    rows = [row for row in _by_two_digits(prefix[:2]) if _covers(row, prefix)]
    return rows, None if any(len(row.first) > len(prefix) for row in rows) else _lengths(rows)


@lru_cache(maxsize=100)
def _by_two_digits(prefix: str) -> list[Network]:
    return [row for row in NETWORKS if _covers(row, prefix)]


def _covers(row: Network, prefix: str) -> bool:
    digits = min(len(prefix), len(row.first))
    return row.first[:digits] <= prefix[:digits] <= row.last[:digits]


def _lengths(rows: Iterable[Network]) -> ByLength:
    found: dict[int, Issued] = {}
    for row in rows:
        for length in row.lengths:
            found.setdefault(length, Issued(row.name, row.needs))
    return tuple(sorted(found.items(), reverse=True))
