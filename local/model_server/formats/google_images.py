"""Gemini's pictures by generateContent, and Imagen's by predict."""

import base64

from local.model_server.brain.moderation import scores
from local.model_server.brain.painting import paint
from local.model_server.exchange import Json, Problem, Request, mapping, text_of, tokens
from local.model_server.misbehaviour import allow

_MOST = 4
_SIDE = 1024
_TOKENS = 1120
"""Of one picture."""


def wanted(request: Request) -> bool:
    """Tell whether generateContent is asked for a picture."""
    return "IMAGE" in (_config(request).get("responseModalities") or [])


def generate(request: Request) -> Json:
    """Paint one picture of the first text."""
    allow(request.orders, "refuse", "empty")
    contents = request.body.get("contents")
    prompt = text_of(contents[0].get("parts"), "contents.parts") if isinstance(contents, list) and contents else ""
    if not prompt:
        raise Problem("invalid", "* GenerateContentRequest.contents: contents is not specified\n")
    config = _config(request)
    size = _size(mapping(config.get("imageConfig"), "image_config").get("aspectRatio"))
    candidate: Json = {"finishReason": "IMAGE_SAFETY"} if _refused(request, prompt) else {"finishReason": "STOP"}
    if candidate["finishReason"] == "STOP" and "empty" not in request.orders:
        made = {"mimeType": "image/png", "data": _painted(prompt, size, config.get("seed", 0))}
        candidate["content"] = {"role": "model", "parts": [{"inlineData": made}]}
    used = {"promptTokenCount": tokens(len(prompt))}
    if "content" in candidate:
        used["candidatesTokenCount"] = _TOKENS
    return {"candidates": [candidate], "usageMetadata": used, "responseId": request.seed[:22]}


def predict(request: Request) -> Json:
    """Paint up to four pictures of the first instance; refused ones are left out."""
    allow(request.orders, "refuse", "empty")
    instances = request.body.get("instances")
    prompt = mapping(instances[0], "instances").get("prompt") if isinstance(instances, list) and instances else None
    parameters = mapping(request.body.get("parameters"), "parameters")
    count = parameters.get("sampleCount", _MOST)
    if not isinstance(prompt, str) or not prompt or not isinstance(count, int) or not 1 <= count <= _MOST:
        raise Problem("invalid", "Image generation failed with the following error: the instance is invalid.")
    if _refused(request, prompt) or "empty" in request.orders:
        return {}
    size = _size(parameters.get("aspectRatio"))
    pictures = [_painted(prompt, size, number) for number in range(count)]
    return {"predictions": [{"mimeType": "image/png", "bytesBase64Encoded": each} for each in pictures]}


def _config(request: Request) -> Json:
    return mapping(request.body.get("generationConfig"), "generation_config")


def _refused(request: Request, prompt: str) -> bool:
    return "refuse" in request.orders or max(scores(prompt).values()) > 0.5


def _size(ratio: object) -> tuple[int, int]:
    """Width and height of a ratio, about a million pixels."""
    width, _, height = str(ratio or "1:1").partition(":")
    try:
        shape = (int(width) / int(height)) ** 0.5
    except (ValueError, ZeroDivisionError):
        raise Problem("invalid", f"Invalid aspect ratio: {ratio}") from None
    return round(_SIDE * shape), round(_SIDE / shape)


def _painted(prompt: str, size: tuple[int, int], number: int) -> str:
    return base64.b64encode(paint(prompt, *size, number)).decode()
