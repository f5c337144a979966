"""Hugging Face: Inference Providers behind their router, Inference Endpoints, and servers of TGI and TEI.

Source: Hugging Face's documentation of Inference Providers ("Chat Completion", "Feature Extraction"), of Text
Generation Inference and of Text Embeddings Inference. Chats are OpenAI's format. Models without a chat template are not
asked: what their prompt has to look like, nobody but their maker knows.

`Call.endpoint` ends in `/v1` for OpenAI's format. An endpoint for embeddings that does not is a feature extraction
server's own address. Options of a model: `normalize` of embeddings, and `links` as in `openai.py`.
"""

from typing import Any
from urllib.parse import quote

from broker.errors import BrokerError
from broker.providers import exchange
from broker.providers import openai_format as wire
from broker.providers.base import Answer, Call
from broker.providers.batches import in_batches
from broker.providers.exchange import bad
from broker.providers.http import Reply, post_json
from broker.providers.language import LANGUAGE, perform
from broker.providers.vectors import is_vector

ROUTER = "https://router.huggingface.co"
MOST_TEXTS = 32
"""What a TEI server takes at once, unless it was started otherwise."""

TOO_LONG = ("`inputs` tokens + `max_new_tokens` must be <=", "`inputs` must have less than", wire.TOO_LONG)
"""TGI says so in words alone, as one of its validation errors (422); they go nowhere from there."""


class HuggingFace:
    """Hugging Face's router, or a server of one's own; a model's name there may end in `:{provider}`."""

    tasks = frozenset({"chat", "embed", *LANGUAGE})

    def invoke(self, call: Call) -> Answer:
        """Make the call; see `Provider`."""
        return perform(call, {"chat": _chat, "embed": _embed})


def _chat(call: Call) -> Answer:
    return wire.chat(call, _service(call))


def _embed(call: Call) -> Answer:
    if (call.endpoint or "").rstrip("/").endswith("/v1"):
        return wire.embed(call, _service(call))
    return _extract(call)


def _service(call: Call) -> wire.Service:
    base = exchange.base_url(call, f"{ROUTER}/v1")
    return wire.Service(
        url=lambda name: f"{base}/{name}",
        headers=exchange.headers(call),
        links=call.endpoint is None or call.options.get("links") is True,
        read_error=_read_error,
    )


def _extract(call: Call) -> Answer:
    """A vector for each text by feature extraction, whose reply is the vectors alone."""
    texts = exchange.texts(call)
    own = f"{ROUTER}/hf-inference/models/{quote(call.model, safe='/')}/pipeline/feature-extraction"
    url, headers = exchange.base_url(call, own), exchange.headers(call)
    more = {"normalize": call.options["normalize"]} if "normalize" in call.options else {}

    def ask(some: list[str], left: float) -> tuple[int, Reply]:
        asked = {"inputs": some, **more}
        return len(some), post_json(url, asked, headers=headers, timeout=left, read_error=_read_error)

    vectors: list[Any] = []
    facts: dict[str, str] = {}
    for count, reply in in_batches(texts, MOST_TEXTS, call.timeout, ask):
        if not isinstance(reply.body, list) or len(reply.body) != count or not all(map(is_vector, reply.body)):
            # Models that were not made for sentences give one vector for each token.
            bad("The model's reply is not one vector of numbers for each text.")
        vectors += reply.body
        facts = exchange.facts(reply)
    return Answer({"embeddings": vectors}, input_tokens=exchange.used(None, "".join(texts)), facts=facts)


def _read_error(status: int, body: Any) -> BrokerError | None:
    said = exchange.field(body, "error")
    if status in (400, 413, 422) and isinstance(said, str) and any(words in said for words in TOO_LONG):
        return wire.too_long()
    return wire.read_error(status, body)
