"""Azure OpenAI: OpenAI's format at a resource of one's own, where a model is a deployment.

Source: Azure OpenAI REST API reference (v1, and the dated data plane), "Content filtering".

Options of a model: `api_version`. A date (`2024-10-21`) means the paths by deployment; without one, or with `preview`,
the v1 paths are used. A deployment's name says nothing of its model: `family` does, for transcription (`whisper`,
`diarize`) and for pictures, where it is `gpt-image` unless it is told otherwise. All others are as in `openai.images`
and `openai_audio`.
"""

from dataclasses import replace
from urllib.parse import quote

from broker.errors import Unavailable
from broker.providers.openai import format as openai_format
from broker.providers.openai.provider import prompt_cache
from broker.providers.wire import exchange
from broker.providers.wire.base import Answer, Call
from broker.providers.wire.dialects import AZURE
from broker.providers.wire.language import LANGUAGE, perform

UNDATED = ("v1", "preview", "latest")

PICTURES = "gpt-image"


class Azure:
    """Azure OpenAI. `Call.endpoint` is the resource (`https://{name}.openai.azure.com`), the model a deployment."""

    tasks = frozenset({"chat", "embed", "generate_image", "speak", "transcribe", *LANGUAGE})

    def invoke(self, call: Call) -> Answer:
        """Make the call; see `Provider`."""
        own = {"chat": _chat, "embed": _embed, "generate_image": _generate_image, "speak": _more, "transcribe": _more}
        return perform(call, own)


def _chat(call: Call) -> Answer:
    return openai_format.chat(call, _service(call))


def _embed(call: Call) -> Answer:
    return openai_format.embed(call, _service(call))


def _generate_image(call: Call) -> Answer:
    return _more(replace(call, options={"family": PICTURES, **call.options}))


def _more(call: Call) -> Answer:
    return openai_format.more(call, _service(call))


def _service(call: Call) -> openai_format.OpenAIService:
    if not call.endpoint:
        raise Unavailable("The model is registered without its resource's address.", code="bad_endpoint")
    version = str(call.options.get("api_version", ""))
    dated = bool(version) and version not in UNDATED
    base = call.endpoint.rstrip("/").removesuffix("/openai/v1")
    path = f"openai/deployments/{quote(call.model, safe='')}" if dated else "openai/v1"
    query = f"?api-version={quote(version, safe='')}" if version else ""
    return openai_format.OpenAIService(
        url=lambda name: f"{base}/{path}/{name}{query}",
        headers=exchange.headers(call, "api-key", "{}"),
        limit="max_completion_tokens",
        links=True,
        packs=True,
        dialect=AZURE,
        more=({"user": call.caller["tenant"]} if call.caller else {}) | prompt_cache(call, not dated),
    )
