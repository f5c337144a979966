"""Which of a client's requests are one call: by its key, by its count of tries, or by the tenant's setting."""

import re
from collections.abc import Callable
from typing import Any

from broker.clock import now_ms
from broker.jobs.idempotency import KEEP_MS
from broker.jobs.repeats import Attempt, fingerprint
from broker.rest.http import Request


def asked_once(request: Request, window_s: Callable[[], int], body: bytes | None = None) -> dict[str, Any]:
    """What `Accept` and `once` are told, by their names: a key and how long to keep it, which try this is, or nothing.

    Args:
        request: with `Idempotency-Key`, which decides alone; or with `x-stainless-retry-count`, as the clients that
            Stainless generates send it (OpenAI's and Anthropic's), which number their tries from 0.
        window_s: the tenant's setting: equal requests within so many seconds are one; 0 for none.
        body: what equal requests have in common, where that is not the bytes that came: forms are cut in other places.
    """
    key = request.idempotency_key
    if key is not None:
        return {"key": key}
    count = request.headers.get("x-stainless-retry-count", "")
    if re.fullmatch("[0-9]{1,3}", count):
        waited = now_ms() - request.sent_at if request.sent_at else 0
        return {"attempt": Attempt(_fingerprint(request, body), int(count), waited)}
    if window := window_s():
        return {"key": f"equal {_fingerprint(request, body)}", "keep_ms": min(window * 1000, KEEP_MS)}
    return {}


def _fingerprint(request: Request, body: bytes | None) -> str:
    path = " ".join(
        [request.method, request.resource, *(f"{name}={each}" for name, each in sorted(request.path.items()))]
    )
    return fingerprint(request.principal, path, (request.body or "").encode() if body is None else body)
