"""Values of personal data that are valid, made up here: each kind's own check decides, nothing is anybody's."""

import random
import string
from functools import cache
from itertools import islice
from typing import Any

from broker.guardrails.pii import ids
from broker.guardrails.pii.words import document

SIGNS = {"9": string.digits, "A": string.ascii_uppercase, "X": string.digits + "ABCDEFGHJKLMNPRSTUVWXYZ"}
TRIES = 8_000
"""A number with a date and two check digits is right once in a few thousand."""

COUNT = 2


def values(entry: dict[str, Any]) -> list[tuple[str, bool]]:
    """Two valid numbers of each shape of a kind, if chance finds them, and whether they need no word."""
    return _values(entry["kind"], entry["check"])


@cache
def _values(kind: str, check: str) -> list[tuple[str, bool]]:
    (entry,) = (each for each in kinds() if (each["kind"], each["check"]) == (kind, check))
    row = ids.Row(kind, check, tuple(entry.get("starts", ())), "written" in entry)
    chance = random.Random(kind)
    found: list[tuple[str, bool]] = []
    for alone, shapes in ((True, entry["alone"]), (False, entry["near"])):
        for shape in shapes:
            tried = (_filled(chance, shape, row) for _ in range(TRIES))
            found += [(value, alone) for value in islice((value for value in tried if ids.is_right(row, value)), COUNT)]
    return found


def kinds() -> list[dict[str, Any]]:
    """The kinds of numbers that the data names."""
    found: list[dict[str, Any]] = document()["ids"]
    return found


def _filled(chance: random.Random, shape: str, row: ids.Row) -> str:
    signs = "X" * int(shape[1:]) if shape.startswith("*") else shape
    value = "".join(chance.choice(SIGNS[sign]) if sign in SIGNS else sign for sign in signs)
    start = chance.choice(row.starts) if row.starts else ""
    return start + value[len(start) :]
