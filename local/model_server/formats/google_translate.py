"""Google Translate's second version: a translation that can be told from its text, and no more."""

from local.model_server.exchange import Json, Problem, Request
from local.model_server.misbehaviour import allow


def translations(request: Request) -> Json:
    """Translate each text, by naming the language before it."""
    allow(request.orders)
    texts, target = request.body.get("q"), request.body.get("target")
    if not isinstance(texts, list) or not isinstance(target, str):
        raise Problem("invalid", "Required: q, target")
    detected = {} if request.body.get("source") else {"detectedSourceLanguage": "en"}
    return {"data": {"translations": [{"translatedText": f"[{target}] {text}", **detected} for text in texts]}}
