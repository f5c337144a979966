"""JSON Web Tokens (RFC 7519), and cookies that are a session."""

import base64
import binascii
import json
import re
from collections.abc import Iterator

from broker.guardrails.secrets.issued import Scan
from broker.guardrails.secrets.randomness import is_placeholder, looks_random
from broker.guardrails.spans import Span

JWT = re.compile(
    r"(?:(?<![0-9A-Za-z_\-.])|(?<=\\[nrt]))eyJ[A-Za-z0-9_-]{8,2000}+={0,2}\.[A-Za-z0-9_/+-]{8,8000}+={0,2}"
    r"(?:\.[A-Za-z0-9_/+=-]{0,8000}+){1,3}+"
)
COOKIE = re.compile(r"[\"']?\s{0,2}[=:]\s{0,2}[\"']?(?P<value>[A-Za-z0-9+/%_.~=-]{16,2000}+)")


def find_jwt(scan: Scan, begin: int, end: int) -> Iterator[Span]:
    """A token whose first part is JSON with `alg`: signed or encrypted."""
    found = JWT.match(scan.text, begin)
    if found and is_header(found.group().partition(".")[0]):
        yield Span(begin, begin + len(found.group().rstrip(".")), "jwt")


def is_header(part: str) -> bool:
    """Whether base64 is that of a JSON object that names an algorithm."""
    try:
        header = json.loads(base64.urlsafe_b64decode(part.rstrip("=") + "=" * (-len(part.rstrip("=")) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return False
    return isinstance(header, dict) and ("alg" in header or "typ" in header)


def find_cookie(scan: Scan, begin: int, end: int) -> Iterator[Span]:
    """The value of a cookie whose name is that of a session."""
    found = COOKIE.match(scan.text, end)
    if found and not is_placeholder(found["value"]) and looks_random(found["value"], 16):
        yield Span(*found.span("value"), "session_cookie", 0.8)
