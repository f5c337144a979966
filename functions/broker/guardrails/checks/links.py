"""Links of an answer to where nobody said that it may point."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from broker.guardrails.checks.base import About
from broker.guardrails.spans import Span

URL = re.compile(
    r"(?:https?|ftp|wss?):[/\\]{1,8}[^\s<>\"'`\\)\]}|]{1,2048}|(?<![\w/:])//[a-z0-9-]{1,63}\.[^\s<>\"'`)\]}]{2,2048}",
    re.IGNORECASE,
)

ATTRIBUTE = re.compile(r"=\s{0,8}[\"']([^\"'<>]{1,2048}+)")
GAP = re.compile(r"[\t\r\n]")
"""Browsers leave it out of an address in an attribute (WHATWG URL, basic URL parser): `ht`, a line's end and `tps://`."""

SLASHES = re.compile(r"(?:(?<=:)|^)[/\\]+")


class Links:
    """With no domains, every link is one too many."""

    version = "1"
    threshold = 0.0
    reads_original = False

    def find(self, text: str, about: About) -> Iterator[Span]:
        """See `Check.find`."""
        if "/" not in text and "\\" not in text:
            return
        for found in URL.finditer(text):
            if not is_listed(found.group(), about.rule.domains):
                yield Span(*found.span(), "unlisted_link")
        for found in ATTRIBUTE.finditer(text):
            given = found.group(1).strip()
            address = GAP.sub("", given)
            split = URL.match(address) if len(address) < len(given) else None
            if split and not is_listed(split.group(), about.rule.domains):
                yield Span(*found.span(1), "unlisted_link")


def without_gaps(attribute: re.Match[str]) -> str:
    """An attribute as browsers read an address in it."""
    return GAP.sub("", attribute.group())


def is_listed(url: str, domains: tuple[str, ...]) -> bool:
    """True where the host is one of the domains, or below one; what browsers would read as another host is not."""
    # Browsers take a backslash for a slash, any number of slashes for two, and what stands before an @ for a name.
    try:
        host = (urlsplit(SLASHES.sub("//", url, count=1)).hostname or "").rstrip(".").casefold()
    except ValueError:
        return False
    return any(host == domain or host.endswith(f".{domain}") for domain in map(str.casefold, domains))
