"""The little language in which the tables write an issuer's format, and what it compiles to.

`ghp_{base62:36}` is the letters `ghp_` and 36 characters of the alphabet `base62`; `{hex:32-40}` is from 32 to 40 of
them; `{uuid}` is a UUID. Every piece is bounded, and a form compiles to a pattern that is tried at one place only.
"""

import re
from dataclasses import dataclass
from functools import cache

ALPHABETS = {
    "digit": "0-9",
    "hex": "0-9a-f",
    "HEX": "0-9A-F",
    "anyhex": "0-9a-fA-F",
    "lower": "a-z",
    "upper": "A-Z",
    "letter": "a-zA-Z",
    "base36": "0-9a-z",
    "BASE36": "0-9A-Z",
    "base62": "0-9a-zA-Z",
    "base32": "A-Z2-7",
    "bech32": "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L",
    "base58": "1-9A-HJ-NP-Za-km-z",
    "word": "0-9a-zA-Z_",
    "base64url": "0-9a-zA-Z_\\-",
    "base64": "0-9a-zA-Z+/",
    "crypt": "0-9a-zA-Z./",
    "dotted": "0-9a-zA-Z_.\\-",
    "tilde": "0-9a-zA-Z_.~\\-",
    "padded": "0-9a-zA-Z+/=_\\-",
    "percent": "0-9a-zA-Z+/=_.%\\-",
    "loose": "0-9a-zA-Z+/=_.~%^!?#:*;@$&()|{}[\\]\\-",
}
"""By name, the inside of a character class."""

PIECE = re.compile(r"\{(\w+)(?::(\d+)(?:-(\d+))?)?\}")

BEGIN = r"(?:(?<![0-9A-Za-z\-])|(?<=\\[nrt])|(?<=%[0-9A-F][0-9A-F]))"
"""No letter, digit or hyphen stands before a token, but for those of an escape: `\\nghp_…`, `%3Dghp_…`."""

END = r"(?![0-9A-Za-z])"

UUID = "[0-9a-zA-Z]{8}-[0-9a-zA-Z]{4}-[0-9a-zA-Z]{4}-[0-9a-zA-Z]{4}-[0-9a-zA-Z]{12}"
"""Letters above f too: some issuers group random letters as a UUID does."""


Piece = tuple[str, str, int, int]
"""A literal `(literal, "", 0, 0)`, or so many letters of an alphabet `("", alphabet, least, most)`."""


@dataclass(frozen=True, slots=True)
class Form:
    """One format: its text, its pattern, and the longest run of fixed letters, `offset` characters after the begin."""

    text: str
    expression: str
    anchor: str
    offset: int
    longest: int


@cache
def form(text: str) -> Form:
    """The form that a table's text stands for. ValueError for an unknown alphabet or a piece without a length."""
    pieces = _pieces(text)
    expression, longest, anchor, offset, fixed = "", 0, "", 0, True
    for index, (literal, alphabet, least, most) in enumerate(pieces):
        if literal:
            if fixed and len(literal) > len(anchor):
                anchor, offset = literal, longest
            expression += re.escape(literal)
            longest += len(literal)
        elif alphabet == "uuid":
            expression += UUID
            longest += 36
        else:
            expression += _class(alphabet, least, most, pieces[index + 1 : index + 2])
            fixed = fixed and least == most
            longest += most
    return Form(text, expression, anchor, offset, longest)


def _class(alphabet: str, least: int, most: int, following: list[Piece]) -> str:
    """Possessive where what follows cannot be of the same alphabet: no pattern tries a place twice."""
    inside = ALPHABETS[alphabet]
    count = f"{{{least}}}" if least == most else f"{{{least},{most}}}"
    if not following:
        within_sentence = inside.replace(".", "")
        return f"[{inside}]{count}{'' if least == most else '+'}(?![{within_sentence}])"
    literal = following[0][0]
    possessive = least < most and literal and not re.match(f"[{inside}]", literal)
    return f"[{inside}]{count}{'+' if possessive else ''}"


def _pieces(text: str) -> list[Piece]:
    pieces: list[Piece] = []
    place = 0
    for found in PIECE.finditer(text):
        if found.start() > place:
            pieces.append((text[place : found.start()], "", 0, 0))
        alphabet, least, most = found.groups()
        if alphabet != "uuid" and (alphabet not in ALPHABETS or least is None or int(least) > int(most or least)):
            raise ValueError(f"not a form: {text}")
        pieces.append(("", alphabet, int(least or 0), int(most or least or 0)))
        place = found.end()
    if place < len(text):
        pieces.append((text[place:], "", 0, 0))
    return pieces
