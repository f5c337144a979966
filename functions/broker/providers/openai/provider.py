"""OpenAI's chat completions and embeddings, as OpenAI and every compatible server (vLLM, Ollama, …) speak them.

Options of a model: `links` is true where a compatible server fetches `https` pictures itself and may do so: what it
can reach, a tenant can then make it fetch. `caller` is true where it may be told whose call it is
(`safety_identifier`), as OpenAI is, and `prompt_cache_key` where it takes that field. `dimensions` of embeddings, where
it is not the model's own number. And those of `wire.abilities`.
"""

from typing import Any

from broker.providers.openai import format as openai_format
from broker.providers.wire import exchange
from broker.providers.wire.abilities import cannot
from broker.providers.wire.base import Answer, Call
from broker.providers.wire.dialects import COMPATIBLE, OPENAI
from broker.providers.wire.language import LANGUAGE, perform

BASE_URL = "https://api.openai.com/v1"

OWN_HOSTS = ("openai.com", "openai.azure.com")
"""Where the limit is called `max_completion_tokens`: reasoning models there reject `max_tokens`, and all reject both at
once."""

UNSTREAMED = {"stream": False}
"""Said to compatible servers, some of which stream unless they are told not to."""


class OpenAI:
    """OpenAI and compatible servers. `Call.endpoint` is a base URL that ends in `/v1`."""

    tasks = frozenset({"chat", "embed", *openai_format.MORE, *LANGUAGE})

    def invoke(self, call: Call) -> Answer:
        """Make the call; see `Provider`."""
        return perform(call, {"chat": _chat, "embed": _embed, **dict.fromkeys(openai_format.MORE, _more)})


def _chat(call: Call) -> Answer:
    return openai_format.chat(call, service(call))


def _embed(call: Call) -> Answer:
    return openai_format.embed(call, service(call))


def _more(call: Call) -> Answer:
    return openai_format.more(call, service(call))


def service(call: Call) -> openai_format.OpenAIService:
    """OpenAI, or the server that the model is registered with."""
    base = exchange.base_url(call, BASE_URL)
    own = exchange.is_host(base, *OWN_HOSTS)
    return openai_format.OpenAIService(
        url=lambda name: f"{base}/{name}",
        headers=exchange.headers(call),
        limit="max_completion_tokens" if own else "max_tokens",
        links=own or call.options.get("links") is True,
        packs=own,
        dialect=OPENAI if own else COMPATIBLE,
        more=({} if own else UNSTREAMED) | _caller(call, own) | prompt_cache(call, own),
    )


def prompt_cache(call: Call, takes: bool) -> dict[str, Any]:
    """What tells the service which requests begin alike, and how long to keep what it read; it keeps it by itself."""
    if not (takes or call.options.get("prompt_cache_key") is True) or cannot(call.options, "prompt_cache"):
        return {}
    key = {"prompt_cache_key": call.cache_key} if call.cache_key else {}
    match call.cache_ttl:
        case "24h":
            return key | {"prompt_cache_retention": "24h"}
        case "30m" | "12h" as ttl:
            return key | {"prompt_cache_options": {"ttl": ttl}}
    return key


def _caller(call: Call, own: bool) -> dict[str, str]:
    """Whose call it is, where the service has a field for it: `metadata` is for answers that it keeps."""
    shown = call.caller and (own or call.options.get("caller") is True)
    return {"safety_identifier": call.caller["tenant"]} if shown else {}
