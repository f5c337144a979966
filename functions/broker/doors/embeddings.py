"""OpenAI's `POST /v1/embeddings`: a body as a job of the task `embed`, and an answer as a list of embeddings.

Source: OpenAI's API reference, "Create embeddings", and its Python package, which asks for base64 by itself.
"""

import base64
import json
import sys
from array import array
from collections.abc import Iterator, Sequence
from typing import Any

from broker.doors.openai import SAID_PLACES, told_back
from broker.doors.reading import Asked, Fields, Json, refuse

PLACES = {"input": "input", "input.text": "input", **SAID_PLACES}


def job_of(body: Any) -> Asked:
    """The body as a job request.

    Raises:
        InvalidRequest: it has a field that has no place in a job, by the field's name.
    """
    fields = Fields(body)
    text = fields.need("input")
    first = text[0] if isinstance(text, list) and text else None
    if isinstance(first, int | list) and not isinstance(first, bool):
        refuse("input", "tokens are not supported: send texts (of LangChain: check_embedding_ctx_length=False)")
    job: Json = {"task": "embed", "model": fields.need("model"), "input": {"text": text}}
    job |= told_back(fields, calls=False)
    form_of(fields)
    fields.end()
    return Asked(job, PLACES)


def form_of(fields: Fields) -> str:
    """In which form the numbers are wanted: `float` or `base64`."""
    form = fields.take("encoding_format")
    if form not in (None, "float", "base64"):
        refuse("encoding_format", "only float or base64 is supported")
    return str(form or "float")


def list_of(view: Json, rows: Sequence[Sequence[float]], form: str) -> Json:
    """A finished job's view, and its numbers, as a list of embeddings in the order of the texts."""
    tokens = view["usage"]["input_tokens"]
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": number, "embedding": packed(row) if form == "base64" else row}
            for number, row in enumerate(rows)
        ],
        "model": view["model"],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def answer_of(view: Json, asked: Json, body: Json) -> Json:
    """The list of a body: a finished job's view with its answer, and the request as it is kept."""
    return list_of(view, view["output"]["embeddings"], form_of(Fields(body)))


def pieces_of(view: Json, answer: bytes, body: Json) -> Iterator[bytes]:
    """The same as JSON in pieces, of an answer in JSON: one embedding after the other is more than a text."""
    form = form_of(Fields(body))
    before, _, after = _json(list_of(view, [], form)).partition(b'"data":[')
    yield before + b'"data":['
    for number, row in enumerate(_texts(answer)):
        entry = {"object": "embedding", "index": number}
        numbers = _json(packed(json.loads(row))) if form == "base64" else row
        yield b"," * bool(number) + _json(entry)[:-1] + b',"embedding":' + numbers + b"}"
    yield after


def _texts(answer: bytes) -> Iterator[bytes]:
    """The embeddings of an answer in JSON, `{"embeddings":[[…],[…]]}`, each as it is written there."""
    start = answer.index(b"[") + 1
    while (start := answer.find(b"[", start)) >= 0:
        end = answer.index(b"]", start) + 1
        yield answer[start:end]
        start = end


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def packed(row: Sequence[float]) -> str:
    """Numbers as 32-bit floats, the lowest byte first, in base64."""
    numbers = array("f", row)
    if sys.byteorder == "big":
        numbers.byteswap()
    return base64.b64encode(numbers.tobytes()).decode()
