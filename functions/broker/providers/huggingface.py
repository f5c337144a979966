"""Hugging Face: Inference Providers behind their router, Inference Endpoints, and servers of TGI and TEI.

Source: Hugging Face's documentation of Inference Providers ("Chat Completion", "Feature Extraction", "Text to Image"),
of Text Generation Inference and of Text Embeddings Inference. Chats are OpenAI's format. Models without a chat template
are not asked: what their prompt has to look like, nobody but their maker knows.

`Call.endpoint` ends in `/v1` for OpenAI's format. An endpoint for embeddings that does not is a feature extraction
server's own address, and so is one for pictures. Options of a model: `normalize` of embeddings, `links` as in
`openai.py`, `image` for further parameters of pictures (`{"num_inference_steps": 4}`).
"""

from urllib.parse import quote

from broker.packed_numbers import Vectors
from broker.providers.openai import format as openai_format
from broker.providers.wire import chat as chats
from broker.providers.wire import exchange, pictures
from broker.providers.wire.base import Answer, Blob, Call
from broker.providers.wire.embeddings import is_vector
from broker.providers.wire.exchange import bad
from broker.providers.wire.gathering import Part, gather
from broker.providers.wire.http_client import ProviderReply, post_for_bytes, post_json
from broker.providers.wire.language import LANGUAGE, perform
from broker.providers.wire.picture_parts import sniffed
from broker.providers.wire.several_requests import in_batches

ROUTER = "https://router.huggingface.co"
MODELS = f"{ROUTER}/hf-inference/models"
MOST_TEXTS = 32
"""What a TEI server takes at once, unless it was started otherwise."""


class HuggingFace:
    """Hugging Face's router, or a server of one's own; a model's name there may end in `:{provider}`."""

    tasks = frozenset({"chat", "embed", "generate_image", *LANGUAGE})

    def invoke(self, call: Call) -> Answer:
        """Make the call; see `Provider`."""
        return perform(call, {"chat": _chat, "embed": _embed, "generate_image": _generate_image})


def _chat(call: Call) -> Answer:
    return openai_format.chat(call, _service(call))


def _embed(call: Call) -> Answer:
    if (call.endpoint or "").rstrip("/").endswith("/v1"):
        return openai_format.embed(call, _service(call))
    return _extract(call)


def _service(call: Call) -> openai_format.OpenAIService:
    base = exchange.base_url(call, f"{ROUTER}/v1")
    return openai_format.OpenAIService(
        url=lambda name: f"{base}/{name}",
        headers=exchange.headers(call),
        links=call.endpoint is None or call.options.get("links") is True,
        more={"stream": False},
    )


def _extract(call: Call) -> Answer:
    """A vector for each text by feature extraction, whose reply is the vectors alone."""
    texts = exchange.texts(call)
    own = f"{MODELS}/{quote(call.model, safe='/')}/pipeline/feature-extraction"
    url, headers = exchange.base_url(call, own), exchange.headers(call)
    more = {"normalize": call.options["normalize"]} if "normalize" in call.options else {}

    def ask(some: list[str], left: float) -> tuple[int, ProviderReply]:
        asked = {"inputs": some, **more}
        return len(some), post_json(url, asked, headers=headers, timeout=left)

    vectors = Vectors()
    facts: dict[str, str] = {}
    for count, reply in in_batches(texts, MOST_TEXTS, call.timeout, ask):
        if not isinstance(reply.body, list) or len(reply.body) != count or not all(map(is_vector, reply.body)):
            # Models that were not made for sentences give one vector for each token.
            bad("The model's reply is not one vector of numbers for each text.")
        vectors.add(reply.body)
        facts = exchange.facts(reply)
    return Answer({"embeddings": vectors}, input_tokens=exchange.used(None, "".join(texts)), facts=facts)


def _generate_image(call: Call) -> Answer:
    """One picture in each exchange, whose reply is its bytes alone; see `gathering.gather`."""
    url = exchange.base_url(call, f"{MODELS}/{quote(call.model, safe='/')}")
    headers = exchange.headers(call) | {"accept": pictures.media_type(call, ("png", "jpeg", "webp"))}
    text, size, seed = pictures.prompt(call), pictures.size(call), chats.parameter(call, "seed")
    shape = {} if size is None else {"width": size[0], "height": size[1]}

    def paint(places: list[int], left: float) -> Part:
        chosen = {} if seed is None else {"seed": seed + places[0]}
        parameters = shape | chosen | dict(call.options.get("image", {}))
        asked = {"inputs": text, **({"parameters": parameters} if parameters else {})}
        reply = post_for_bytes(url, asked, headers=headers, timeout=left)
        kind = sniffed(reply.body)
        if kind is None:
            bad("The model's reply is no picture.")
        return Part([Blob(reply.body, kind)], facts=exchange.facts(reply))

    return gather(call, 1, paint)
