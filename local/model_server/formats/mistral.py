"""Mistral's chat completions: OpenAI's, with rules and errors of its own."""

from local.model_server.exchange import Ask, Json, Kind, Problem, Request
from local.model_server.formats import openai
from local.model_server.rules import mistral as rules

headers, write = openai.headers, openai.write

_ERRORS: dict[Kind, tuple[str, str, str]] = {
    "context": (
        "invalid_request_prompt",
        "3051",
        "Prompt contains 66385 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
    ),
    "throttled": ("rate_limited", "1300", "Rate limit exceeded"),
    "unavailable": ("unreachable_backend", "1100", "Service unavailable."),
}
"""Type, code and words, where they are not OpenAI's."""


def error(problem: Problem, request_id: str) -> Json:
    """Give the body of an error reply, which lies in no `error`."""
    if problem.kind == "credentials":
        return {"message": "Unauthorized", "request_id": request_id}
    if problem.kind in _ERRORS and not problem.message:
        kind, code, words = _ERRORS[problem.kind]
    else:
        inner = openai.error(problem, request_id)["error"]
        kind, code, words = inner["type"], inner["code"], inner["message"]
    return {"object": "error", "message": words, "type": kind, "param": None, "code": code}


def read(request: Request) -> Ask:
    """Read a request."""
    ask = openai.asked(request)
    rules.check(request.body)
    return ask
