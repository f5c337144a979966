"""OpenAI's embeddings, moderations and list of models."""

import base64
import struct

from local.model_server.brain.moderation import CATEGORIES, scores
from local.model_server.brain.vectors import DIMENSIONS, embed
from local.model_server.exchange import CREATED, Json, Problem, Request, items, text_of, tokens
from local.model_server.misbehaviour import allow

MODELS = ("small", "medium", "large", "embed", "moderate", "picture", "gpt-image", "speech", "whisper")
_FLAG_AT = 0.5
_MOST_INPUTS = 2048


def embeddings(request: Request) -> Json:
    """Embed one text or up to 2,048; the usual client asks for base64 of little-endian 32-bit floats."""
    allow(request.orders)
    body = request.body
    size = body.get("dimensions", DIMENSIONS)
    if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= 4096:
        raise Problem("invalid", "'dimensions' must be an integer from 1 to 4096.", "dimensions")
    encoding = body.get("encoding_format", "float")
    if encoding not in ("float", "base64"):
        raise Problem("invalid", f"Invalid value: '{encoding}'.", "encoding_format", "invalid_value")
    texts = _texts(body.get("input"))
    vectors = [embed(text, size) for text in texts]
    used = sum(tokens(len(text)) for text in texts)
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _base64(vector) if encoding == "base64" else vector}
            for index, vector in enumerate(vectors)
        ],
        "model": request.model,
        "usage": {"prompt_tokens": used, "total_tokens": used},
    }


def moderations(request: Request) -> Json:
    """Moderate one text, several, or one list of parts, which counts as one input."""
    allow(request.orders)
    given = request.body.get("input")
    in_parts = isinstance(given, list) and given and all(isinstance(part, dict) for part in given)
    texts = [text_of(items(given, "input"), "input")] if in_parts else _texts(given)
    return {
        "id": f"modr-{request.seed[:32]}",
        "model": request.model,
        "results": [_verdict(text) for text in texts],
    }


def models() -> Json:
    """List the models that are offered; calls may name others."""
    return {
        "object": "list",
        "data": [{"id": name, "object": "model", "created": CREATED, "owned_by": "local"} for name in MODELS],
    }


def _texts(given: object) -> list[str]:
    if isinstance(given, list) and given and all(isinstance(number, int) for number in given):
        given = [given]
    entries = given if isinstance(given, list) else [given]
    # Lists of token numbers stand for a text that only a tokenizer knows; their numbers are as good as words.
    texts = [" ".join(map(str, entry)) if isinstance(entry, list) else entry for entry in entries]
    found = [text for text in texts if isinstance(text, str) and text]
    if not found or len(found) > _MOST_INPUTS or len(found) < len(texts):
        raise Problem("invalid", "'$.input' is invalid: an input must be a text that is not empty.", "input")
    return found


def _base64(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _verdict(text: str) -> Json:
    found = scores(text)
    flags = {category: score >= _FLAG_AT for category, score in found.items()}
    return {
        "flagged": any(flags.values()),
        "categories": flags,
        "category_scores": found,
        "category_applied_input_types": {category: ["text"] for category in CATEGORIES},
    }
