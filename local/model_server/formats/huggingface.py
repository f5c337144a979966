"""Hugging Face's text to image: a picture as its bytes alone, and its errors."""

from local.model_server.brain import painting
from local.model_server.brain.moderation import scores
from local.model_server.exchange import Binary, Json, Problem, Request, mapping
from local.model_server.misbehaviour import allow

_LARGEST = 2048


def error(problem: Problem, request_id: str) -> Json:
    """Give the body of an error reply."""
    return {"error": problem.message or problem.kind}


def headers(problem: Problem | None, request_id: str) -> dict[str, str]:
    """Add the id of the call."""
    return {"x-request-id": request_id}


def paint(request: Request) -> Binary:
    """Paint `inputs`."""
    allow(request.orders)
    text, parameters = request.body.get("inputs"), mapping(request.body.get("parameters"), "parameters")
    if not isinstance(text, str) or not text.strip():
        raise Problem("invalid", "inputs must be a text")
    if max(scores(text).values()) > 0.5:
        raise Problem("invalid", "NSFW content detected")
    width, height = (parameters.get(name, 512) for name in ("width", "height"))
    if not all(isinstance(each, int) and 1 <= each <= _LARGEST for each in (width, height)):
        raise Problem("invalid", f"width and height must be from 1 to {_LARGEST}")
    return Binary(painting.paint(text, width, height, parameters.get("seed", 0)), "image/png")
