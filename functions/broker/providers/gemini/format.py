"""What all calls of Google's Gemini API have alike: one exchange, its errors, and what a candidate says.

Source: the API reference of the Gemini API (v1beta).
"""

from urllib.parse import quote

from broker.cached_input import CachedInput
from broker.errors import Refused
from broker.providers.wire import exchange
from broker.providers.wire.base import Call
from broker.providers.wire.exchange import Json, bad, field
from broker.providers.wire.http_client import ProviderReply, post_json

BASE_URL = "https://generativelanguage.googleapis.com/v1beta"

BLOCKED = "prompt_blocked"
UNBLOCKED = (None, "", "BLOCK_REASON_UNSPECIFIED")
REFUSALS = frozenset(
    {
        *("SAFETY", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "RECITATION"),
        *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "MODEL_ARMOR"),
    }
)
MALFORMED = frozenset({"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "OTHER", "LANGUAGE"})


def post(call: Call, action: str, body: Json, timeout: float) -> ProviderReply:
    """One exchange with the model: `generateContent`, `predict`.

    Raises:
        BrokerError: by `http_client.post_json`.
    """
    url = f"{exchange.base_url(call, BASE_URL)}/models/{quote(call.model, safe='')}:{action}"
    headers = exchange.headers(call, "x-goog-api-key", "{}")
    return post_json(url, body, headers=headers, timeout=timeout)


def answered(reply: ProviderReply) -> tuple[str, list[Json], list[Json]]:
    """Why the model stopped, the parts that it made for the reader, and those that it thought before.

    Raises:
        Refused: it, or the service, would not answer.
        BadOutput: the answer is malformed.
    """
    with exchange.charged(tokens(reply), cached(reply)):
        if field(reply.body, "promptFeedback", "blockReason") not in UNBLOCKED:
            raise Refused("The provider's content policy refused the request.", code=BLOCKED, maybe_paid=True)
        candidate = exchange.first(reply.body, "candidates")
        reason = str(candidate.get("finishReason"))
        if reason in REFUSALS:
            raise Refused("The model refused to answer.", code="model_refused", maybe_paid=True)
        if reason in MALFORMED:
            bad("The model's answer is malformed.")
        found = field(candidate, "content", "parts") or []
        if not isinstance(found, list) or not all(isinstance(part, dict) for part in found):
            bad("The provider's reply has no content.")
    return reason, [part for part in found if not part.get("thought")], [part for part in found if part.get("thought")]


def tokens(reply: ProviderReply) -> tuple[int | None, int | None]:
    """What came in and what went out, where the reply tells."""
    usage = field(reply.body, "usageMetadata")
    return (
        exchange.counted(*(field(usage, name) for name in ("promptTokenCount", "toolUsePromptTokenCount"))),
        exchange.counted(*(field(usage, name) for name in ("candidatesTokenCount", "thoughtsTokenCount"))),
    )


def cached(reply: ProviderReply) -> CachedInput:
    """What of the prompt the service had read before: it keeps by itself what it reads."""
    return CachedInput(exchange.counted(field(reply.body, "usageMetadata", "cachedContentTokenCount")) or 0)


def facts(reply: ProviderReply) -> dict[str, str]:
    """The service's own id of the call."""
    return {"request_id": str(reply.body["responseId"])[:128]} if reply.body.get("responseId") else {}
