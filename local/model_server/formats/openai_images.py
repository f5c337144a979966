"""OpenAI's pictures."""

import base64
import re

from local.model_server.brain.moderation import scores
from local.model_server.brain.painting import paint
from local.model_server.exchange import CREATED, Json, Problem, Request, tokens
from local.model_server.misbehaviour import allow

_GPT = "gpt-image"
_SIZE = re.compile(r"([1-9]\d{1,3})x([1-9]\d{1,3})")
_MOST_PIXELS = 4096 * 4096
_PIXELS_PER_TOKEN = 1000


def generate(request: Request) -> Json:
    """Paint the prompt. Models named `gpt-image…` count tokens and know `output_format`, others `response_format`."""
    allow(request.orders, "refuse", "empty")
    body, gpt = request.body, request.model.startswith(_GPT)
    prompt, count = body.get("prompt"), body.get("n", 1)
    if not isinstance(prompt, str) or not prompt.strip():
        raise Problem("invalid", "Missing required parameter: 'prompt'.", "prompt", "missing_required_parameter")
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= 10:
        raise Problem("invalid", "'n' must be an integer from 1 to 10.", "n", "invalid_value")
    width, height = _size(body.get("size", "1024x1024"))
    known = {"output_format": "png"} if gpt else {"response_format": "b64_json"}
    for name in ("output_format", "response_format"):
        if name in body and name not in known:
            raise Problem("invalid", f"Unknown parameter: '{name}'.", name, "unknown_parameter")
        if body.get(name, known.get(name)) != known.get(name):
            raise Problem("invalid", f"Only '{known[name]}' is made here.", name, "invalid_value")
    if "refuse" in request.orders or max(scores(prompt).values()) > 0.5:
        code = "moderation_blocked" if gpt else "content_policy_violation"
        raise Problem("invalid", "Your request was rejected by the safety system.", code=code)
    made = 0 if "empty" in request.orders else count
    pictures = [base64.b64encode(paint(prompt, width, height, number)).decode() for number in range(made)]
    reply: Json = {"created": CREATED, "data": [{"b64_json": each} for each in pictures]}
    if gpt:
        into, out = tokens(len(prompt)), made * (width * height // _PIXELS_PER_TOKEN + 1)
        reply["usage"] = {"input_tokens": into, "output_tokens": out, "total_tokens": into + out}
        reply |= {"output_format": "png", "size": f"{width}x{height}", "background": "opaque"}
    return reply


def _size(given: object) -> tuple[int, int]:
    found = _SIZE.fullmatch("1024x1024" if given == "auto" else str(given))
    width, height = (int(found.group(1)), int(found.group(2))) if found else (0, 0)
    if not 0 < width * height <= _MOST_PIXELS:
        raise Problem("invalid", f"Invalid value: '{given}'.", "size", "invalid_value")
    return width, height
