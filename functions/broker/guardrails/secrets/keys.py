"""Private keys: PEM and PGP blocks (RFC 7468, RFC 9580), PuTTY's, JWK with its private part (RFC 7518)."""

import base64
import re
from collections.abc import Iterator

from broker.guardrails.secrets.issued import Scan
from broker.guardrails.spans import Span

HEADING = re.compile(r"-{5}\s{0,3}BEGIN[ A-Z0-9_-]{0,60}?PRIVATE KEY(?: BLOCK)?\s{0,3}-{5}", re.I)
BODY = re.compile(r"(?:[A-Za-z0-9+/=\s\"'`,.:()\\]|-(?!-)){0,16384}")
"""As source code and JSON quote it too. RSA keys of 16,384 bits have 12,500 characters."""

CLOSING = re.compile(r"-{0,5}\s{0,3}END[ A-Z0-9_-]{0,60}-{0,5}", re.I)
MATERIAL = re.compile(r"[A-Za-z0-9+/=]{20}")
ENCODED = re.compile(r"LS0tLS1CRUdJTi[A-Za-z0-9+/]{58,20000}+={0,2}")
"""Begins with the base64 of `-----BEGIN`."""

PUTTY = re.compile(r"Private-Lines: \d{1,3}\s{1,2}(?:[A-Za-z0-9+/=]{1,80}+\s{0,2}){1,200}")
PUTTY_HEADERS = 4096
JWK = re.compile(r"\s{0,3}:\s{0,3}\"(?P<value>[A-Za-z0-9_-]{20,1000}+)\"")
JWK_SIZE = 2048


def find_pem(scan: Scan, begin: int, end: int) -> Iterator[Span]:
    """A private key from its heading to its end, or as far as base64 goes when the end is missing."""
    text = scan.text
    if not (heading := HEADING.match(text, begin)):
        return
    body = BODY.match(text, heading.end())
    stop = body.end() if body else heading.end()
    if closing := CLOSING.match(text, stop):
        stop = closing.end()
    if MATERIAL.search(text, heading.end(), stop) or not text[heading.end() : heading.end() + 20].strip():
        yield Span(begin, stop, "private_key")


def find_encoded_pem(scan: Scan, begin: int, end: int) -> Iterator[Span]:
    """A private key's PEM block in base64, as Kubernetes and CI settings carry it."""
    found = ENCODED.match(scan.text, begin)
    if found and b"PRIVATE KEY" in base64.b64decode(found.group()[:72]):
        yield Span(begin, found.end(), "private_key")


def find_putty(scan: Scan, begin: int, end: int) -> Iterator[Span]:
    """A private key in PuTTY's own format."""
    lines = scan.text.find("Private-Lines: ", end, end + PUTTY_HEADERS)
    if lines >= 0 and (found := PUTTY.match(scan.text, lines)):
        yield Span(begin, found.end(), "private_key")


def find_jwk(scan: Scan, begin: int, end: int) -> Iterator[Span]:
    """The private part `d` of a JSON Web Key: only where `kty` stands near."""
    found = JWK.match(scan.text, end)
    if found and '"kty"' in scan.text[max(0, begin - JWK_SIZE) : found.end() + JWK_SIZE]:
        yield Span(*found.span("value"), "private_key")
