"""Anthropic's Messages API.

Source: the API reference of Anthropic, `POST /v1/messages`, "Structured outputs", "Handling stop reasons", "Errors". It
takes no OpenAI forms, so messages and tools are rewritten both ways. What it cannot take (`seed`) is left out.

JSON to a schema comes by its output format where the schema is closed, by a forced tool where it is another object and
the request has no tools of its own, and by instruction else. Options of a model: `structured: "tool"` for models that
are older than the output format, `version` of the API, `links: true` where an endpoint of one's own fetches `https`
pictures, `caller: true` where it may be told whose call it is (`metadata.user_id`), and those of `wire.abilities`.
"""

import json
from typing import Any

from broker.errors import BrokerError, ContextExceeded, CredentialRejected, Refused, Unavailable
from broker.providers.openai.format import is_closed
from broker.providers.wire import chat as chats
from broker.providers.wire import exchange
from broker.providers.wire.abilities import cannot
from broker.providers.wire.base import Answer, Blob, Call
from broker.providers.wire.dialects import ANTHROPIC
from broker.providers.wire.exchange import Json, bad, field
from broker.providers.wire.history import History, Part, Turn, prepare
from broker.providers.wire.http import Reply, post_json
from broker.providers.wire.language import LANGUAGE, perform
from broker.providers.wire.media import Link, encoded
from broker.providers.wire.tools import NAMED
from broker.providers.wire.wrapping import is_plain

BASE_URL = "https://api.anthropic.com/v1"
VERSION = "2023-06-01"

DEFAULT_LIMIT = 4096
"""Sent where the call has none: it cannot be left out."""
HOTTEST = 1.0
"""Its temperature ends where OpenAI's is half way."""

PARAMETERS = {"temperature": "temperature", "top_p": "top_p", "stop": "stop_sequences"}
CHOICES = {"auto": {"type": "auto"}, "none": {"type": "none"}, "required": {"type": "any"}}

FINISHES = {"max_tokens": "length", "model_context_window_exceeded": "length", "tool_use": "tool_calls"}
"""Why a model stopped, in the broker's words; all others are `stop`."""

ANSWER_TOOL = "answer"
"""The tool that an answer to a schema is forced through."""

_CONTEXT = (ContextExceeded, "The prompt is longer than the model's context window.")
_UNPAID = (CredentialRejected, "The provider's account has no credit left.")
KINDS: dict[str, tuple[type[BrokerError], str]] = {
    "billing_error": _UNPAID,
    "overloaded_error": (Unavailable, "The provider is overloaded."),
}
"""Types of an error that say more than its status (529 is Anthropic's own, for an overload)."""
WORDS: dict[str, tuple[type[BrokerError], str]] = {
    "prompt is too long": _CONTEXT,
    "exceed context limit": _CONTEXT,
    "credit balance is too low": _UNPAID,
    "content filtering policy": (Refused, "The provider's content policy refused the request."),
}
"""An `invalid_request_error` has no code. What it says is looked for here, and goes nowhere from here."""


class Anthropic:
    """Anthropic's models, at `Call.endpoint` (which ends in `/v1`) or at Anthropic's own platform."""

    tasks = frozenset({"chat", *LANGUAGE})

    def invoke(self, call: Call) -> Answer:
        """Make the call; see `Provider`."""
        return perform(call, {"chat": _chat})


def _chat(call: Call) -> Answer:
    history = prepare(call, ANTHROPIC, links=_is_own(call) or call.options.get("links") is True)
    asked, forced = _request(call, history)
    headers = exchange.headers(call, "x-api-key", "{}")
    headers["anthropic-version"] = str(call.options.get("version", VERSION))
    url = f"{exchange.base_url(call, BASE_URL)}/messages"
    reply = post_json(url, asked, headers=headers, timeout=call.timeout, read_error=_read_error)
    return history.toolbox.restored(_answer(call, reply, forced), call)


def _request(call: Call, history: History) -> tuple[Json, bool]:
    """The body, and whether the answer is forced through a tool."""
    limit = chats.parameters(call, {"max_output_tokens": "max_tokens"}).get("max_tokens", DEFAULT_LIMIT)
    asked: Json = {"model": call.model, "max_tokens": limit, "messages": [_turn(each) for each in history.turns]}
    asked |= chats.parameters(call, PARAMETERS)
    if "temperature" in asked:
        asked["temperature"] = min(asked["temperature"], HOTTEST)
    tools = [each.function("input_schema") for each in history.toolbox.tools]
    choice = history.toolbox.choice
    how = _how(call, bool(tools))
    if how == "format":
        asked["output_config"] = {"format": {"type": "json_schema", "schema": call.output_schema}}
    elif how == "tool":
        tools = [{"name": ANSWER_TOOL, "description": "Gives the answer.", "input_schema": call.output_schema}]
        choice = (NAMED, ANSWER_TOOL)
    said = chats.instruction(call, told=how != "words")
    if system := [*history.system, *([said] if said else [])]:
        asked["system"] = [_block(each) for each in system]
    if tools:
        asked["tools"] = tools
        if choice:
            word, name = choice
            asked["tool_choice"] = CHOICES.get(word) or {"type": "tool", "name": name}
    if call.caller and (_is_own(call) or call.options.get("caller") is True):
        asked["metadata"] = {"user_id": call.caller["tenant"]}
    return asked, how == "tool"


def _how(call: Call, has_tools: bool) -> str:
    """How the model is told of a schema: by the output `format`, a forced `tool`, or in `words`."""
    schema = call.output_schema
    if schema is not None and is_closed(schema) and call.options.get("structured") != "tool":
        return "format"
    forces = not has_tools and not cannot(call.options, "forced_tools")
    if schema is not None and forces and schema.get("type") == "object" and is_plain(schema):
        return "tool"
    return "words"


def _is_own(call: Call) -> bool:
    """Whether it is Anthropic's own platform."""
    return call.endpoint is None or exchange.is_host(call.endpoint, "anthropic.com")


def _turn(turn: Turn) -> Json:
    content: list[Json] = []
    for result in turn.results:
        told = [_block(each) for each in result.parts]
        content.append({"type": "tool_result", "tool_use_id": result.id, "content": told})
    content += [_block(each) for each in turn.parts]
    content += [{"type": "tool_use", "id": use.id, "name": use.name, "input": use.arguments} for use in turn.uses]
    return {"role": turn.role, "content": content}


def _block(part: Part) -> Json:
    match part:
        case Link(url):
            return {"type": "image", "source": {"type": "url", "url": url}}
        case Blob(media_type=media_type):
            source = {"type": "base64", "media_type": media_type, "data": encoded(part)}
            return {"type": "image", "source": source}
    return {"type": "text", "text": part}


def _answer(call: Call, reply: Reply, forced: bool) -> Answer:
    reason = field(reply.body, "stop_reason")
    if reason == "refusal":
        raise Refused("The model refused to answer.", code="model_refused", maybe_paid=True)
    blocks = field(reply.body, "content")
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        bad("The provider's reply has no content.")
    text = "".join(str(block.get("text") or "") for block in blocks if block.get("type") == "text")
    uses = [block for block in blocks if block.get("type") == "tool_use"]
    finish = FINISHES.get(str(reason), "stop")
    if forced and uses:
        text, uses = _dumped(uses[0].get("input")), []
        finish = "stop" if finish == "tool_calls" else finish
    usage = field(reply.body, "usage")
    return chats.answer(
        call,
        text=text,
        tool_calls=[chats.tool_call(block.get("id"), block.get("name"), block.get("input")) for block in uses],
        finish=finish,
        tokens=(_read(usage), exchange.counted(field(usage, "output_tokens"))),
        facts=exchange.facts(reply, "request-id"),
    )


def _read(usage: Any) -> int | None:
    """What was read anew, and what came from or went to the prompt cache."""
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    return exchange.counted(*(field(usage, name) for name in names))


def _dumped(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):
        bad("The model's answer is too deep to read.")


def _read_error(status: int, body: Any) -> BrokerError | None:
    kind = field(body, "error", "type")
    if kind in KINDS:
        error, message = KINDS[kind]
        return error(message, code=kind)
    if status == 400:
        said = str(field(body, "error", "message"))
        for words, (error, message) in WORDS.items():
            if words in said:
                return error(message)
    return None
