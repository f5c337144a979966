"""Numbers in a text: their digits in plain form, their check digit, and what a longer identifier is."""

from broker.guardrails.characters import beyond_ascii, replaced
from broker.guardrails.patterns import pattern

ZEROS = "\u0660\u06f0\u0966\u09e6\u0e50\uff10"
"""Zero of the Arabic-Indic, Persian, Devanagari, Bengali, Thai and full-width digits."""

SPACES = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
HYPHENS = "\u00ad\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d"
OTHER = {"\uff0b": "+", "\uff0e": ".", "\uff1a": ":", "\uff0f": "/", "\uff20": "@", "\uff08": "(", "\uff09": ")"}

PLAIN = {
    **{chr(ord(zero) + digit): str(digit) for zero in ZEROS for digit in range(10)},
    **dict.fromkeys(SPACES, " "),
    **dict.fromkeys(HYPHENS, "-"),
    **OTHER,
}

UNUSUAL = pattern("[" + "".join(PLAIN) + "]")

DOUBLED = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))
SINGLE = bytes.maketrans(b"0123456789", bytes(range(10)))

IDENTIFIER = pattern(r"[A-Za-z0-9_]")
ADDRESS = pattern(r"[^\s\"'<>|,;(){}\[\]]{1,300}")
REACH = 300
"""How far an address is followed to either side, in characters."""


def plain(text: str) -> str:
    """The text with the digits, spaces and hyphens of other scripts as ASCII ones, each at the place where it was."""
    return replaced(text, {char: PLAIN[char] for char in set(UNUSUAL.findall(beyond_ascii(text)))})


def luhn(digits: str) -> bool:
    """True when the check digit is right (ISO/IEC 7812-1, annex B)."""
    read = digits.encode()
    return (sum(read[-1::-2].translate(SINGLE)) + sum(read[-2::-2].translate(DOUBLED))) % 10 == 0


def in_address(text: str, begin: int, end: int) -> bool:
    """True when the characters lie in the host or the path of a URL, an ARN or a file; what follows `?` is no path."""
    before = text[max(0, begin - REACH) : begin]
    start = len(before) - len(_tail(before))
    head = before[start:]
    return ("://" in head or head.startswith(("arn:", "urn:", "/"))) and not _asked(head)


def _tail(before: str) -> str:
    """The last characters that an address may have."""
    found = ADDRESS.match(before[::-1])
    return found.group()[::-1] if found else ""


def _asked(head: str) -> bool:
    return "?" in head or "#" in head
