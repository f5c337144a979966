"""Tokens made up by the forms of the tables, so that no file holds anything that looks like one."""

import random
import re

from broker.guardrails.secrets.forms import ALPHABETS, PIECE

PRINTABLE = [chr(code) for code in range(33, 127)]


def token(form: str, random: random.Random) -> str:
    """One token of a form, of the shortest length; it begins with a letter or digit, and has digits early."""

    def piece(found: re.Match[str]) -> str:
        alphabet, least, _ = found.groups()
        if alphabet == "uuid":
            return "-".join(_letters("hex", size, random) for size in (8, 4, 4, 4, 12))
        return _letters(alphabet, int(least), random)

    return PIECE.sub(piece, form)


def _letters(alphabet: str, size: int, random: random.Random) -> str:
    letters = [each for each in PRINTABLE if re.match(f"[{ALPHABETS[alphabet]}]", each)]
    made = [random.choice(letters) for _ in range(size)]
    plain = [each for each in letters if each.isalnum()]
    digits = [each for each in letters if each.isdigit()] or plain
    for place in (0, size - 1):
        made[place] = random.choice(plain)
    for place in range(2, size - 1, 7):
        made[place] = random.choice(digits)
    return "".join(made)
