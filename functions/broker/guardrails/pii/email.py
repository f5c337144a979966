"""E-mail addresses: as people write them, and the odd forms that RFC 5321 and 6531 allow."""

import re
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address

from broker.guardrails.patterns import pattern
from broker.guardrails.spans import Span
from broker.guardrails.work import Work

LOCAL = pattern(r"(?:[^\s\x00-\x20\"(),:;<>@\[\\\]\x7f-\x9f\u2000-\u200f\u3000\ufffd]){1,64}\Z")
QUOTED = pattern(r'(?<![\w"])"(?:[^"\\\r\n]|\\[^\r\n]){1,62}"\Z')
DOMAIN = pattern(
    r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}(?:(?:xn--[a-z0-9-]{2,59}|[a-z]{2,24})(?![a-z0-9_-])|[^\W\d_a-z]{2,24}(?![\w-]))",
    re.IGNORECASE,
)
ADDRESS = pattern(r"\[?([0-9]{1,3}(?:\.[0-9]{1,3}){3})(?![0-9.]*[0-9])\]?")

GLUED = pattern(r".*[\u0e00-\u0eff\u3040-\u9fff\uac00-\ud7af](?=[!-~]+\Z)")
"""Words of scripts without spaces, right before an address in ASCII."""

PUNCTUATION = "'`*_~|/=?!{}#$%&"
"""Allowed in a local part, but at its beginning or around it most often the text's own."""

LOOK, CLOSE_LOOK = 2, 18
"""Steps of a look at what follows a sign, and of one at what stands before it where that is a domain."""

FILES = frozenset(
    "png jpg jpeg gif svg webp ico pdf html htm css scss js ts tsx jsx mjs json xml yml yaml md txt py rb go java "
    "php sh whl zip gz tgz tar exe dll so lock log csv local localhost lan internal".split()
)
"""What stands for a domain's end in names of files (`logo@2x.png`) and of machines."""


def find_emails(text: str, work: Work) -> Iterator[Span]:
    """The addresses in a text, in order."""
    free, at = 0, text.find("@")
    while at >= 0:
        if not work.take(LOOK):
            return
        end = _domain(text, at + 1)
        begin = _local(text, free, at) if end and work.take(CLOSE_LOOK) else at
        if begin < at:
            free = end
            yield Span(begin, end, "email")
        at = text.find("@", max(at + 1, free))


def _local(text: str, free: int, at: int) -> int:
    """Where the local part that ends here begins; its end if there is none."""
    window = text[max(free, at - 66) : at]
    if window.endswith('"'):
        quoted = QUOTED.search(window)
        return at - len(quoted.group()) if quoted else at
    found = LOCAL.search(window)
    if not found:
        return at
    local = found.group()
    if glued := GLUED.search(local):
        local = local[glued.end() :]
    before = text[at - len(local) - 1 : at - len(local)]
    if "=" in local or "/" in local:
        local = re.split(r"[=/]", local)[-1]
    local = local.lstrip(PUNCTUATION + ".-")
    wrong = (
        not local
        or local[-1] == "."
        or ".." in local
        or len(local) > 64
        or (len(found.group()) == 64 and before.isalnum())
    )
    return at if wrong else at - len(local)


def _domain(text: str, begin: int) -> int:
    """Where the domain that begins here ends; 0 for none."""
    found = DOMAIN.match(text, begin, begin + 255)
    if found:
        last = found.group().rpartition(".")[2].lower()
        path = text[found.end() : found.end() + 2]
        return (
            0 if last in FILES or (path[:1] in (":", "/") and path[1:2].isalpha()) or path[:1] == "(" else found.end()
        )
    address = ADDRESS.match(text, begin)
    if not address:
        return 0
    try:
        IPv4Address(address.group(1))
    except AddressValueError:
        return 0
    return address.end() if address.group().startswith("[") == address.group().endswith("]") else 0
