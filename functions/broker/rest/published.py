"""What anybody may read of the API, without a credential: its OpenAPI document, and a page made of it.

Nothing here is of a tenant. Both are made once in a process and kept, and say by a tag when there is nothing new.
"""

import base64
import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from broker.rest.http import Reply, base_url_of
from broker.rest.representing import is_known

PLACES = (Path(__file__).with_name("openapi.json"), Path(__file__).parents[3] / "schemas" / "openapi.json")
"""Where the document is: beside this file once it is built, and among the schemas before."""

PAGE = "text/html; charset=utf-8"

KEPT_S = 300
"""How long clients may show what they have without asking again."""


PUBLIC_ROUTES = {
    ("GET", "/openapi.json"): "get_document",
    ("GET", "/docs"): "get_page",
    ("GET", "/console"): "get_console",
    ("GET", "/console/{file}"): "get_console_file",
}
"""By method and resource, as `rest.api.ROUTES`; what each is called in the document."""


def published(event: dict[str, Any], public_url: str) -> Reply:
    """Answer a call of `/openapi.json` or `/docs`; `304` where the caller has it already."""
    base_url = base_url_of(event, public_url)
    is_page = event["resource"] == "/docs"
    kind, text = (PAGE, _page(base_url)) if is_page else ("application/json", _document(base_url))
    tag = f'W/"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
    headers = {"content-type": kind, "cache-control": f"public, max-age={KEPT_S}", "etag": tag}
    if is_page:
        headers |= {"content-security-policy": _policy(), "x-content-type-options": "nosniff"}
    sent = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    if is_known(tag, sent.get("if-none-match", "")):
        return Reply(304, None, headers)
    return Reply(200, text, headers)


def _read() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(next(path for path in PLACES if path.exists()).read_text())
    return found


@lru_cache(maxsize=4)
def _document(base_url: str) -> str:
    """The document, with the one server that answers."""
    return json.dumps(_read() | {"servers": [{"url": base_url}]}, ensure_ascii=False, separators=(",", ":"))


@lru_cache(maxsize=4)
def _page(base_url: str) -> str:
    from broker.rest.page import page_of

    return page_of(_read() | {"servers": [{"url": base_url}]})


def _policy() -> str:
    """Nothing is loaded and nothing is run; the page has one sheet of styles, which is named by its digest."""
    from broker.rest.page import STYLE

    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
