"""OpenAI's chat completions and embeddings as a format that many services speak, each with its own differences.

Source: the API reference of OpenAI, `POST /v1/chat/completions` and `POST /v1/embeddings`.
"""

import re
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any

from broker.cached_input import CachedInput
from broker.errors import Refused, Unavailable
from broker.packed_numbers import Vectors
from broker.providers.openai.thinking import reasoned_in, thoughts_of, written
from broker.providers.wire import chat as chats
from broker.providers.wire import exchange, failures, reasoning, saying
from broker.providers.wire.base import Answer, Call
from broker.providers.wire.dialects import COMPATIBLE, Dialect
from broker.providers.wire.embeddings import from_base64, is_vector
from broker.providers.wire.exchange import Json, bad
from broker.providers.wire.history import History, Part, Spoken, prepare
from broker.providers.wire.http_client import ProviderReply, post_json
from broker.providers.wire.own_fields import beside
from broker.providers.wire.several_requests import in_batches
from broker.providers.wire.tools import NAMED, DialectTool
from broker.providers.wire.wrapping import is_plain, unwrapped, wrapped

FINISHES = {"length": "length", "tool_calls": "tool_calls", "function_call": "tool_calls"}
"""Why a model stopped, in the broker's words; all others are `stop`."""

MORE = {
    "generate_image": "broker.providers.openai.images",
    "moderate": "broker.providers.openai.moderation",
    "speak": "broker.providers.openai.audio",
    "transcribe": "broker.providers.openai.audio",
}
"""Tasks beside chat and embeddings, by the module that has a function of that name; loaded on first use."""

REFUSALS = frozenset({"content_filter", "safety", "sensitive", "refusal", "guardrail_intervened"})
FAILURES = frozenset({"error", "network_error", "insufficient_system_resource"})
"""Why a model stopped that refused, and that failed, as the format's services say it."""

MOST_TEXTS = {"float": 64, "base64": 256}
"""To embed in one request, by the form that the numbers come in: replies of some 4 MB, should each have 3,072. As words
a number has up to 22 bytes, as a 32-bit float in base64 five and a third."""

CACHE_WRITES = "cache_write_tokens"

_SPEAKER = re.compile(r"[^\s<|\\/>]{1,64}")
"""What may stand as a message's `name`."""

_CLOSED_WORDS = frozenset({"type", "properties", "required", "additionalProperties", "items", "enum", "title"})
_DEEPEST_STRICT = 5


@dataclass(frozen=True, slots=True)
class OpenAIService:
    """Where the format is spoken, and how it differs there."""

    url: Callable[[str], str]
    """By the last part of OpenAI's own address: `chat/completions`, `images/generations`."""
    headers: Mapping[str, str]
    limit: str = "max_tokens"
    """The name of the limit on an answer's tokens; all compatible servers know this one."""
    seed: str = "seed"
    links: bool = False
    """Whether the service fetches pictures itself."""
    packs: bool = False
    """Whether it surely gives embeddings as base64 where it is asked to."""
    more: Json = field(default_factory=dict)
    """Further fields of a chat."""
    dialect: Dialect = COMPATIBLE
    finishes: Mapping[str, str] = field(default_factory=lambda: FINISHES)
    efforts: Sequence[str] = reasoning.USUAL
    """Words for how much its models think, where the registry says no others."""


def chat(call: Call, service: OpenAIService) -> Answer:
    """One turn of a conversation; see `Provider.invoke`.

    The service takes no schema whose root is not a plain object: the answer to another comes in one.
    """
    wraps = call.output_schema is not None and not is_plain(call.output_schema)
    plain = replace(call, output_schema=wrapped(call.output_schema or {})) if wraps else call
    history = prepare(plain, service.dialect, links=service.links, said=chats.instruction(plain, natively=True))
    asked = beside(request(plain, service, history), call.extra)
    reply = _post(call, service, "chat/completions", asked, places=history.in_place(call))
    tokens, reasoned = (_tokens(reply, "prompt_tokens"), written(reply)), reasoned_in(reply)
    cached = _cached(reply)
    with exchange.charged(tokens, cached):
        choice = exchange.first(reply.body, "choices")
        message, reason = _message(choice), str(choice.get("finish_reason")).lower()
        _check(choice, message, reason)
        text, calls = _text(message.get("content")), _tool_calls(message)
    calls, finish = history.toolbox.named(calls, call), service.finishes.get(reason, "stop")
    if wraps:
        text = unwrapped(saying.json_of(saying.shown(text, finish))) or text
    facts = exchange.facts(reply)
    told = reasoning.Thinking(thoughts_of(message), reasoned)
    answer = chats.answer(
        call, text=text, tool_calls=calls, finish=finish, tokens=tokens, facts=facts, cached=cached, thinking=told
    )
    return history.toolbox.restored(answer)


def _message(choice: Json) -> Json:
    """The message of a choice; servers of completions give its text alone."""
    if isinstance(text := choice.get("text"), str) and choice.get("message") is None:
        return {"content": text}
    message = choice.get("message")
    if not isinstance(message, dict):
        bad("The provider's reply has no message.")
    return message


def _check(choice: Json, message: Json, reason: str) -> None:
    """Raise what a choice says in an answer's place."""
    if status := failures.in_reply(choice):  # OpenRouter's, of a model that failed in the midst of it
        raise failures.failure_in_reply(status, choice)
    if message.get("refusal") or reason in REFUSALS:
        raise Refused("The model refused to answer.", code="model_refused", maybe_paid=True)
    if reason in FAILURES:
        raise Unavailable("The model failed while it answered.", code="model_failed", maybe_paid=True)


def request(call: Call, service: OpenAIService, history: History) -> Json:
    """The body of a chat."""
    messages = [message for turn in history.turns for message in _messages(turn, service.dialect)]
    names = {"temperature": "temperature", "top_p": "top_p", "stop": "stop", "seed": service.seed}
    asked: Json = {"model": call.model, "messages": messages}
    if tools := history.toolbox.tools:
        asked["tools"] = [{"type": "function", "function": _function(each)} for each in tools]
        if choice := history.toolbox.choice:
            word, name = choice
            asked["tool_choice"] = {"type": "function", "function": {"name": name}} if word == NAMED else word
    asked |= chats.parameters(call, names | {"max_output_tokens": service.limit}) | service.more
    if (wanted := reasoning.wanted(call)) and call.options.get("reasoning") != "always":
        effort = reasoning.effort_of(call, wanted, service.efforts)
        asked |= {"reasoning_effort": effort} if effort else {}
    if call.output_schema is not None:
        schema = {"name": "answer", "schema": call.output_schema, "strict": is_closed(call.output_schema)}
        asked["response_format"] = {"type": "json_schema", "json_schema": schema}
    return asked


def embed(call: Call, service: OpenAIService) -> Answer:
    """A vector for each text, in several requests where there are many; see `Provider.invoke`.

    A thousand embeddings of 3,072 numbers are 67 MB in words. So as few come at once as little memory holds.
    """
    texts = exchange.texts(call)
    form = "base64" if service.packs and len(texts) > MOST_TEXTS["float"] else "float"
    asked: Json = {"model": call.model} | ({"encoding_format": form} if form == "base64" else {})
    if "dimensions" in call.options:
        asked["dimensions"] = call.options["dimensions"]
    vectors = Vectors()
    used = 0
    facts: dict[str, str] = {}

    def ask(some: list[str], left: float) -> tuple[list[str], ProviderReply]:
        return some, _post(replace(call, timeout=left), service, "embeddings", {**asked, "input": some})

    for some, reply in in_batches(texts, MOST_TEXTS[form], call.timeout, ask):
        vectors.add(_vectors(reply, len(some)))
        used += _tokens(reply, "prompt_tokens") or exchange.used(None, "".join(some))
        facts = exchange.facts(reply)
    return Answer({"embeddings": vectors}, input_tokens=used, facts=facts)


def _vectors(reply: ProviderReply, wanted: int) -> list[Any]:
    """A reply's vectors in order: lists of numbers, or those that were packed."""
    exchange.first(reply.body, "data")
    rows = reply.body["data"]
    if len(rows) != wanted or not all(isinstance(row, dict) for row in rows):
        bad("The provider's reply has another number of embeddings.")
    places = [row.get("index", place) for place, row in enumerate(rows)]
    if set(map(type, places)) != {int} or sorted(places) != list(range(wanted)):
        bad("The provider's embeddings are numbered wrongly.")
    ordered = [row.get("embedding") for _, row in sorted(zip(places, rows, strict=True), key=lambda each: each[0])]
    try:
        ordered = [from_base64(each) if isinstance(each, str) else each for each in ordered]
    except ValueError:
        bad("The provider's embeddings are no vectors of numbers.")
    if not all(isinstance(each, array) or is_vector(each) for each in ordered):
        bad("The provider's embeddings are no vectors of numbers.")
    return ordered


def more(call: Call, service: OpenAIService) -> Answer:
    """One of the tasks of `MORE`; see `Provider.invoke`."""
    answer: Answer = getattr(import_module(MORE[call.task]), call.task)(call, service)
    return answer


def is_closed(schema: Any, depth: int = 0) -> bool:
    """True for what strict modes surely take; OpenAI's rejects any other schema, where the loose mode tries."""
    if not isinstance(schema, dict) or depth > _DEEPEST_STRICT or not schema.keys() <= _CLOSED_WORDS | {"description"}:
        return False
    properties, inner = schema.get("properties", {}), []
    if schema.get("type") == "object":
        if schema.get("additionalProperties") is not False or set(schema.get("required", ())) != set(properties):
            return False
        inner = list(properties.values())
    elif depth == 0 or not isinstance(schema.get("type"), str):
        return False
    if schema.get("type") == "array":
        inner = [schema.get("items")]
    return all(is_closed(each, depth + 1) for each in inner)


def _post(call: Call, service: OpenAIService, name: str, body: Json, *, places: bool = True) -> ProviderReply:
    url = service.url(name)
    return post_json(url, body, headers=service.headers, timeout=call.timeout, places=places)


def _function(tool: DialectTool) -> Json:
    strict = {"strict": True} if tool.strict and is_closed(tool.parameters) else {}
    return tool.function() | strict


def _messages(turn: Spoken, dialect: Dialect) -> list[Json]:
    """A turn as messages: each of its results is one, as is the rest of it."""
    made: list[Json] = [
        {"role": "tool", "tool_call_id": each.id, "content": _content(each.parts)} for each in turn.results
    ]
    if not (turn.parts or turn.uses):
        return made
    rest: Json = {"role": turn.role, "content": _content(turn.parts)}
    if turn.uses:
        rest["tool_calls"] = [
            {"id": use.id, "type": "function", "function": {"name": use.name, "arguments": use.text}}
            for use in turn.uses
        ]
    if dialect.speakers and isinstance(turn.speaker, str) and _SPEAKER.fullmatch(turn.speaker):
        rest["name"] = turn.speaker
    return [*made, rest]


def _content(parts: Sequence[Part]) -> Any:
    """A text alone where there is one, as all servers take it; None where there is nothing."""
    if not parts or (len(parts) == 1 and isinstance(parts[0], str)):
        return parts[0] if parts else None
    return [{"type": "text", "text": each} if isinstance(each, str) else each for each in parts]


def _text(content: Any) -> str:
    """A message's text; some services give it in parts, among parts that are not for the reader (reasoning)."""
    if isinstance(content, list):
        shown = [part for part in content if isinstance(part, dict) and part.get("type") == "text"]
        content = "".join(str(part.get("text") or "") for part in shown)
    if not isinstance(content, str | None):
        bad("The provider's reply has a message that is no text.")
    return content or ""


def _tool_calls(message: Json) -> list[Json]:
    """The calls of a message, or the one that it has in the format's older form."""
    given = message.get("tool_calls")
    calls = [_tool_call(each) for each in given] if isinstance(given, list) else []
    if not calls and message.get("function_call"):
        calls = [_tool_call({"function": message["function_call"]})]
    return calls


def _tool_call(given: Any) -> Json:
    function = exchange.field(given, "function")
    if not isinstance(function, dict) or "arguments" not in function:
        bad("The model's tool call is malformed.")
    return {"id": given.get("id"), "name": function.get("name"), "arguments": function["arguments"]}


def _cached(reply: ProviderReply) -> CachedInput:
    """What of the prompt came from the service's prompt cache and, where it charges for that, went there."""
    details = exchange.field(reply.body, "usage", "prompt_tokens_details")
    read, written = (exchange.counted(exchange.field(details, name)) or 0 for name in ("cached_tokens", CACHE_WRITES))
    return CachedInput(read, written)


def _tokens(reply: ProviderReply, name: str) -> int | None:
    return exchange.counted(exchange.field(reply.body, "usage", name))
