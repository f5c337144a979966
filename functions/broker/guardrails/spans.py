"""Where in a text something was found."""

from typing import NamedTuple


class Span(NamedTuple):
    """Characters `begin` to `end` (exclusive) of a text, and what they are, such as `github_token` or `iban`."""

    begin: int
    end: int
    kind: str
    score: float = 1.0
    """How sure the check is: 0 to 1. What a checksum or an issuer's own prefix proves is 1."""
    reasons: tuple[str, ...] = ()
    """What made the score, where it is made of several things; never the text."""
