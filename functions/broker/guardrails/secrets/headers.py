"""Credentials in headers of HTTP: Authorization and its like, and cookies that are a session."""

import base64
import binascii
import re
from collections.abc import Iterator

from broker.guardrails.secrets.issued import Scan
from broker.guardrails.secrets.randomness import is_placeholder, looks_random
from broker.guardrails.spans import Span

HEADER = re.compile(
    r"\\{0,2}[\"']?\s{0,3}[:=,]\s{0,3}\\{0,2}[\"']?(?:(?P<scheme>[A-Za-z]{3,12})\s{1,3})?(?P<value>[^\s\"'`<>,;\\]{8,2000}+)"
)
COOKIE = re.compile(r"[\"']?\s{0,2}=\s{0,2}[\"']?(?P<value>[A-Za-z0-9+/%_.~=-]{16,2000}+)")

SURE_OF_HEADER = 0.8


def find_header(scan: Scan, begin: int, end: int) -> Iterator[Span]:
    """The credential of an Authorization header (RFC 9110, section 11.6.2), whatever its scheme."""
    found = HEADER.match(scan.text, end) if scan.may_try(begin) else None
    if found:
        scan.tried(found.end())
    if not found or is_placeholder(found["value"]):
        return
    value, basic = found["value"], (found["scheme"] or "").lower() == "basic"
    if _is_user_and_password(value) if basic else looks_random(value.rstrip("="), 12 if found["scheme"] else 20):
        yield Span(*found.span("value"), "authorization_header", SURE_OF_HEADER)


def find_cookie(scan: Scan, begin: int, end: int) -> Iterator[Span]:
    """The value of a cookie whose name is that of a session."""
    found = COOKIE.match(scan.text, end) if scan.may_try(begin) else None
    if found:
        scan.tried(found.end())
    if found and not is_placeholder(found["value"]) and looks_random(found["value"]):
        yield Span(*found.span("value"), "session_cookie", SURE_OF_HEADER)


def _is_user_and_password(value: str) -> bool:
    """Whether base64 is that of `user:password` (RFC 7617)."""
    try:
        plain = base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return b":" in plain and all(32 <= c < 127 for c in plain)
