"""Mistral's chat completions and embeddings: OpenAI's format, with its own rules for a conversation.

Source: the API reference of Mistral AI, `POST /v1/chat/completions` and `POST /v1/embeddings`.

Options of a model: `safe_prompt` (true puts Mistral's safety prompt before the conversation).
"""

import hashlib
import re
from typing import Any

from broker.providers.openai import format as openai_format
from broker.providers.wire import exchange
from broker.providers.wire.base import Answer, Call
from broker.providers.wire.chat import OPENING
from broker.providers.wire.exchange import Json
from broker.providers.wire.language import LANGUAGE, perform

BASE_URL = "https://api.mistral.ai/v1"

FINISHES = {**openai_format.FINISHES, "model_length": "length"}
"""`model_length`: the model's window was full before the limit was reached."""

_IDENTITY = re.compile("[a-zA-Z0-9]{9}")


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


def _service(call: Call) -> openai_format.Service:
    base = exchange.base_url(call, BASE_URL)
    return openai_format.Service(
        url=lambda name: f"{base}/{name}",
        headers=exchange.headers(call),
        seed="random_seed",
        links=True,
        more={"safe_prompt": True} if call.options.get("safe_prompt") is True else {},
        messages=_messages,
        finishes=FINISHES,
    )


def _messages(messages: list[Json]) -> list[Json]:
    """As it takes them: no developers, no empty turns of the model, and somebody at the end whom it can answer."""
    taken = [_message(each) for each in messages if each["role"] != "assistant" or _says(each)]
    if not taken or taken[-1]["role"] not in ("user", "tool"):
        taken.append({"role": "user", "content": OPENING})
    return taken


def _message(message: Json) -> Json:
    taken = {**message, "role": "system" if message["role"] == "developer" else message["role"]}
    if message.get("tool_call_id"):
        taken["tool_call_id"] = _identity(message["tool_call_id"])
    if message.get("tool_calls"):
        taken["tool_calls"] = [
            {**each, "id": _identity(each["id"])} if isinstance(each, dict) and each.get("id") else each
            for each in message["tool_calls"]
        ]
    return taken


def _says(message: Json) -> bool:
    return bool(message.get("content") or message.get("tool_calls"))


def _identity(given: Any) -> str:
    """Nine letters and digits, which is the form that it insists on; other providers' calls have longer ones."""
    given = str(given)
    return given if _IDENTITY.fullmatch(given) else hashlib.sha256(given.encode()).hexdigest()[:9]
