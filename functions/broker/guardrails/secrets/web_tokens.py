"""JSON Web Tokens (RFC 7519)."""

import base64
import binascii
import json
import re
from collections.abc import Iterator

from broker.guardrails.secrets.issued import Scan
from broker.guardrails.spans import Span

JWT = re.compile(
    r"(?:(?<![0-9A-Za-z_\-.])|(?<=\\[nrt]))eyJ[A-Za-z0-9_-]{8,2000}+={0,2}\.[A-Za-z0-9_/+-]{8,8000}+={0,2}"
    r"(?:\.[A-Za-z0-9_/+=-]{0,8000}+){1,3}"
)
"""Three parts when signed (RFC 7515), five when encrypted (RFC 7516)."""


def find_jwt(scan: Scan, begin: int, end: int) -> Iterator[Span]:
    """A token whose first part is JSON that names an algorithm."""
    found = JWT.match(scan.text, begin)
    if found and _is_header(found.group().partition(".")[0].rstrip("=")):
        yield Span(begin, begin + len(found.group().rstrip(".")), "jwt")


def _is_header(part: str) -> bool:
    try:
        header = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return False
    return isinstance(header, dict) and not header.keys().isdisjoint(("alg", "typ"))
