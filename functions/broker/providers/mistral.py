"""Mistral's chat completions and embeddings: OpenAI's format, with its own rules for a conversation.

Source: the API reference of Mistral AI, `POST /v1/chat/completions` and `POST /v1/embeddings`.

Options of a model: `safe_prompt` (true puts Mistral's safety prompt before the conversation), and those of
`wire.abilities`. The service takes no name of a caller.
"""

from broker.providers.openai import format as openai_format
from broker.providers.wire import exchange
from broker.providers.wire.base import Answer, Call
from broker.providers.wire.dialects import MISTRAL
from broker.providers.wire.language import LANGUAGE, perform

BASE_URL = "https://api.mistral.ai/v1"

FINISHES = {**openai_format.FINISHES, "model_length": "length"}
"""`model_length`: the model's window was full before the limit was reached."""


EFFORTS = ("none", "high")
"""Its models think, or they do not."""


class Mistral:
    """Mistral's models, at `Call.endpoint` or at Mistral's own platform."""

    tasks = frozenset({"chat", "embed", *LANGUAGE})

    def invoke(self, call: Call) -> Answer:
        """Make the call; see `Provider`."""
        return perform(call, {"chat": _chat, "embed": _embed})


def _chat(call: Call) -> Answer:
    return openai_format.chat(call, _service(call))


def _embed(call: Call) -> Answer:
    return openai_format.embed(call, _service(call))


def _service(call: Call) -> openai_format.OpenAIService:
    base = exchange.base_url(call, BASE_URL)
    return openai_format.OpenAIService(
        url=lambda name: f"{base}/{name}",
        headers=exchange.headers(call),
        seed="random_seed",
        links=True,
        more={"safe_prompt": True} if call.options.get("safe_prompt") is True else {},
        dialect=MISTRAL,
        finishes=FINISHES,
        efforts=EFFORTS,
    )
