"""What all calls of Google's Gemini API have alike: one exchange, its errors, and what a candidate says.

Source: the API reference of the Gemini API (v1beta).
"""

import re
from typing import Any
from urllib.parse import quote

from broker.errors import BrokerError, ContextExceeded, CredentialRejected, Refused, Throttled
from broker.providers.wire import exchange
from broker.providers.wire.base import Call
from broker.providers.wire.exchange import Json, bad, field
from broker.providers.wire.http import Reply, post_json

BASE_URL = "https://generativelanguage.googleapis.com/v1beta"

BLOCKED = "prompt_blocked"
REFUSALS = frozenset(
    {
        *("SAFETY", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "RECITATION"),
        *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"),
    }
)
MALFORMED = frozenset({"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "OTHER", "LANGUAGE"})

BAD_KEYS = frozenset({"API_KEY_INVALID", "API_KEY_EXPIRED", "API_KEY_SERVICE_BLOCKED", "BILLING_DISABLED"})
"""Reasons in an error's details: a wrong key is a 400 here."""
UNPAID = "FAILED_PRECONDITION"
"""What an account without billing is told where the free use does not apply."""
TOO_LONG = "exceeds the maximum number of tokens"
"""It says so in words alone; they are looked for in a 400, and go nowhere from there."""

_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


def post(call: Call, action: str, body: Json, timeout: float) -> Reply:
    """One exchange with the model: `generateContent`, `predict`.

    Raises:
        BrokerError: by `http.post_json`.
    """
    url = f"{exchange.base_url(call, BASE_URL)}/models/{quote(call.model, safe='')}:{action}"
    headers = exchange.headers(call, "x-goog-api-key", "{}")
    return post_json(url, body, headers=headers, timeout=timeout, read_error=_read_error)


def answered(reply: Reply) -> tuple[str, list[Json]]:
    """Why the model stopped, and the parts that it made for the reader.

    Raises:
        Refused: it, or the service, would not answer.
        BadOutput: the answer is malformed.
    """
    if field(reply.body, "promptFeedback", "blockReason"):
        raise Refused("The provider's content policy refused the request.", code=BLOCKED, maybe_paid=True)
    candidate = exchange.first(reply.body, "candidates")
    reason = candidate.get("finishReason")
    if reason in REFUSALS:
        raise Refused("The model refused to answer.", code="model_refused", maybe_paid=True)
    if reason in MALFORMED:
        bad("The model's answer is malformed.")
    found = field(candidate, "content", "parts") or []
    if not isinstance(found, list) or not all(isinstance(part, dict) for part in found):
        bad("The provider's reply has no content.")
    return str(reason), [part for part in found if not part.get("thought")]


def tokens(reply: Reply) -> tuple[int | None, int | None]:
    """What came in and what went out, where the reply tells."""
    usage = field(reply.body, "usageMetadata")
    return (
        exchange.counted(*(field(usage, name) for name in ("promptTokenCount", "toolUsePromptTokenCount"))),
        exchange.counted(*(field(usage, name) for name in ("candidatesTokenCount", "thoughtsTokenCount"))),
    )


def facts(reply: Reply) -> dict[str, str]:
    """The service's own id of the call."""
    return {"request_id": str(reply.body["responseId"])[:128]} if reply.body.get("responseId") else {}


def _read_error(status: int, body: Any) -> BrokerError | None:
    told = field(body, "error")
    listed = field(told, "details")
    details = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    if BAD_KEYS & {str(each.get("reason")) for each in details}:
        return CredentialRejected("The provider does not accept the broker's key.", code="bad_key")
    if field(told, "status") == UNPAID:
        return CredentialRejected("The provider's account may not use the model.", code="not_enabled")
    if status == 400 and TOO_LONG in str(field(told, "message")):
        return ContextExceeded("The prompt is longer than the model's context window.")
    delays = [_SECONDS.match(str(each.get("retryDelay"))) for each in details]
    for delay in filter(None, delays):  # in the body, where others have a header
        if status == 429:
            return Throttled("The provider asks for a pause.", code="http_429", retry_after=float(delay[0]))
    return None
