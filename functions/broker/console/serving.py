"""Gives out the console: a page and its modules, which stand in `static/` as they are sent.

They are the same for every stack and for anybody, and hold nothing of a tenant. What the page shows, it asks of the
REST API, with the credential of whoever reads it.
"""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from broker.errors import NotFound
from broker.rest.http import Reply, error_reply
from broker.rest.representing import is_known

STATIC = Path(__file__).with_name("static")

PAGE = "index.html"

SETTINGS = "config.json"
"""What differs by stack; no file."""

KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}

POLICY = "; ".join(
    (
        "default-src 'none'",
        *("script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'"),
        *("base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"),
        *("require-trusted-types-for 'script'", "trusted-types 'none'"),
    )
)
"""All that the page loads and calls is of its own origin, and no text becomes markup (W3C, "Trusted Types")."""

HEADERS = {
    # Asked again each time, so that no page ever runs with modules of two releases; what is the same is a 304.
    "cache-control": "no-cache",
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def served(event: dict[str, Any], region: str) -> Reply:
    """Answer a call of `/console` or `/console/{file}`; `304` where the caller has it already, `404` of other names."""
    name = (event.get("pathParameters") or {}).get("file", PAGE)
    found = json.dumps({"region": region}) if name == SETTINGS else _files().get(name)
    if found is None:
        refused = NotFound("There is no such file.", code="unknown_route")
        return error_reply(refused, event["requestContext"]["requestId"])
    tag = f'W/"{hashlib.sha256(found.encode()).hexdigest()[:32]}"'
    headers = {"content-type": KINDS[Path(name).suffix], "etag": tag, **HEADERS}
    sent = {header.lower(): value for header, value in (event.get("headers") or {}).items()}
    if is_known(tag, sent.get("if-none-match", "")):
        return Reply(304, None, headers)
    return Reply(200, found, headers)


@cache
def _files() -> dict[str, str]:
    """By name: a name that was asked for is looked up, and never made a path."""
    return {each.name: each.read_text() for each in STATIC.iterdir() if each.suffix in KINDS}
