"""Embeddings on Amazon Bedrock: Titan, which takes a text at a time, and Cohere's, which take up to 96.

Source: Amazon Bedrock User Guide, "Amazon Titan Embeddings G1 - Text", "Amazon Titan Multimodal Embeddings G1",
"Cohere Embed v3", "Cohere Embed v4".

Options of a model: `dimensions`; `input_type` of Cohere's (`search_document` where it is not said).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from broker.packed_numbers import Vectors
from broker.providers.bedrock.invoke import Exchanger, Json, exchanges, family
from broker.providers.bedrock.service_errors import bad
from broker.providers.wire.base import Answer, Call
from broker.providers.wire.embeddings import is_vector
from broker.providers.wire.exchange import texts as texts_of
from broker.token_estimates import estimate


def _titan(texts: list[str], call: Call) -> Json:
    return {"inputText": texts[0]}


def _titan_2(texts: list[str], call: Call) -> Json:
    return _titan(texts, call) | _dimensions(call, "dimensions")


def _titan_multimodal(texts: list[str], call: Call) -> Json:
    length = _dimensions(call, "outputEmbeddingLength")
    return _titan(texts, call) | ({"embeddingConfig": length} if length else {})


def _cohere(texts: list[str], call: Call) -> Json:
    return {"texts": texts, "input_type": call.options.get("input_type", "search_document")}


def _cohere_4(texts: list[str], call: Call) -> Json:
    return _cohere(texts, call) | {"embedding_types": ["float"]} | _dimensions(call, "output_dimension")


def _dimensions(call: Call, name: str) -> Json:
    return {name: call.options["dimensions"]} if "dimensions" in call.options else {}


def _one(body: Json) -> Any:
    return [body.get("embedding")]


def _several(body: Json) -> Any:
    """Cohere's come by type where a type was asked for."""
    found = body.get("embeddings")
    return found.get("float") if isinstance(found, dict) else found


@dataclass(frozen=True, slots=True)
class Family:
    """How models are asked: texts in an exchange at most, the body, the vectors of a reply, and their usual length."""

    most: int
    body: Callable[[list[str], Call], Json]
    vectors: Callable[[Json], Any]
    dimensions: int


FAMILIES = {
    "titan-embed-text-v2": Family(1, _titan_2, _one, 1024),
    "titan-embed-image": Family(1, _titan_multimodal, _one, 1024),
    "titan-embed": Family(1, _titan, _one, 1536),
    "cohere.embed-v4": Family(96, _cohere_4, _several, 1536),
    "cohere.embed": Family(96, _cohere, _several, 1024),
}
"""By a part of the model's id: the first that fits."""


def embed(call: Call, ask: Exchanger) -> Answer:
    """Embed one text or several; see `Provider`. Tokens are the service's count, else an estimate."""
    texts, kind = texts_of(call), family(call, FAMILIES)
    groups = [texts[place : place + kind.most] for place in range(0, len(texts), kind.most)]
    vectors = Vectors()
    tokens = 0
    facts: dict[str, str] = {}
    replies = exchanges(call, ask, (kind.body(group, call) for group in groups))
    for group, reply in zip(groups, replies, strict=True):
        found = kind.vectors(reply.body)
        if not isinstance(found, list) or len(found) != len(group) or not all(map(is_vector, found)):
            bad("The model's embeddings are not one vector of numbers for each text.")
        vectors.add(found)
        reported = reply.input_tokens()
        tokens += estimate("".join(group)) if reported is None else reported
        facts = reply.facts()
    return Answer({"embeddings": vectors}, input_tokens=tokens, facts=facts)
