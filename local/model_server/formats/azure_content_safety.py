"""Azure AI Content Safety: severities by the word lists of `brain.moderation`, attacks by what they mostly say."""

import re

from local.model_server.brain.moderation import scores
from local.model_server.exchange import Json, Kind, Problem, Request
from local.model_server.misbehaviour import allow

MOST_CHARACTERS = 10_000
MOST_DOCUMENTS = 5

_ATTACK = re.compile(r"\b(?:ignore|disregard|forget) (?:all|any|your|the|previous|prior)\b", re.IGNORECASE)
_HARMS = {"Hate": "hate", "SelfHarm": "self-harm", "Sexual": "sexual", "Violence": "violence"}
_CODES: dict[Kind, tuple[str, str]] = {
    "invalid": ("InvalidRequestBody", "The request body is invalid."),
    "context": ("InvalidRequestBody", "The text is too long."),
    "too_large": ("InvalidRequestBody", "The request body is too large."),
    "credentials": ("401", "Access denied due to invalid subscription key or wrong API endpoint."),
    "forbidden": ("403", "Access denied due to Virtual Network/Firewall rules."),
    "not_found": ("404", "Resource not found"),
    "method": ("405", "Method not allowed"),
    "throttled": ("TooManyRequests", "The requests-per-second has exceeded the quota of the tier."),
    "server": ("InternalError", "An internal error occurred."),
    "unavailable": ("ServerBusy", "The server cannot process the request for now."),
}


def error(problem: Problem, request_id: str) -> Json:
    """Give the body of an error reply."""
    code, words = _CODES[problem.kind]
    return {"error": {"code": code, "message": problem.message or words, "details": []}}


def headers(problem: Problem | None, request_id: str) -> dict[str, str]:
    """Add the request id, and of an error its code."""
    return {"apim-request-id": request_id} | ({"x-ms-error-code": _CODES[problem.kind][0]} if problem else {})


def analyze(request: Request) -> Json:
    """Tell how severe a text is, in four steps or in eight."""
    allow(request.orders)
    found = scores(_checked(request.body.get("text")))
    step = 1 if request.body.get("outputType") == "EightSeverityLevels" else 2
    worst = {name: max(found[each] for each in found if each.startswith(kind)) for name, kind in _HARMS.items()}
    rows = [{"category": name, "severity": round(score * 7) // step * step} for name, score in worst.items()]
    return {"blocklistsMatch": [], "categoriesAnalysis": rows}


def shield(request: Request) -> Json:
    """Tell whether a prompt and documents attack the model that will read them."""
    allow(request.orders)
    documents = request.body.get("documents", [])
    if not isinstance(documents, list) or len(documents) > MOST_DOCUMENTS:
        raise Problem("invalid", f"There may be {MOST_DOCUMENTS} documents at most.")
    prompt = _checked(request.body.get("userPrompt", ""))
    _checked("".join(map(_checked, documents)))
    return {
        "userPromptAnalysis": {"attackDetected": bool(_ATTACK.search(prompt))},
        "documentsAnalysis": [{"attackDetected": bool(_ATTACK.search(each))} for each in documents],
    }


def _checked(text: object) -> str:
    if not isinstance(text, str) or len(text) > MOST_CHARACTERS:
        raise Problem("invalid", f"A text has {MOST_CHARACTERS} characters at most.")
    return text
