"""OpenAI's chat completions and embeddings as a format that many services speak, each with its own differences.

Source: the API reference of OpenAI, `POST /v1/chat/completions` and `POST /v1/embeddings`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from broker.errors import Refused, Unavailable
from broker.providers.wire import chat as chats
from broker.providers.wire import exchange, failures
from broker.providers.wire.base import Answer, Call
from broker.providers.wire.exchange import Json, bad
from broker.providers.wire.http import Reply, post_json
from broker.providers.wire.media import inlined
from broker.providers.wire.vectors import is_vector

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

_CLOSED_WORDS = frozenset({"type", "properties", "required", "additionalProperties", "items", "enum", "title"})
_DEEPEST_STRICT = 5


def as_they_are(messages: list[Json]) -> list[Json]:
    """For services that take the messages as OpenAI does."""
    return messages


@dataclass(frozen=True, slots=True)
class Service:
    """Where the format is spoken, and how it differs there."""

    url: Callable[[str], str]
    """By the last part of OpenAI's own address: `chat/completions`, `images/generations`."""
    headers: Mapping[str, str]
    limit: str = "max_tokens"
    """The name of the limit on an answer's tokens; all compatible servers know this one."""
    seed: str = "seed"
    links: bool = False
    """Whether the service fetches pictures itself."""
    more: Json = field(default_factory=dict)
    """Further fields of a chat."""
    messages: Callable[[list[Json]], list[Json]] = as_they_are
    finishes: Mapping[str, str] = field(default_factory=lambda: FINISHES)


def chat(call: Call, service: Service) -> Answer:
    """One turn of a conversation; see `Provider.invoke`."""
    reply = _post(call, service, "chat/completions", request(call, service))
    tokens = (_tokens(reply, "prompt_tokens"), _tokens(reply, "completion_tokens"))
    with exchange.charged(tokens):
        choice = exchange.first(reply.body, "choices")
        message, reason = _message(choice), str(choice.get("finish_reason")).lower()
        _check(choice, message, reason)
        text, calls = _text(message.get("content")), _tool_calls(message)
    finish = service.finishes.get(reason, "stop")
    return chats.answer(call, text=text, tool_calls=calls, finish=finish, tokens=tokens, facts=exchange.facts(reply))


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


def request(call: Call, service: Service) -> Json:
    """The body of a chat.

    Raises:
        InvalidRequest: it has no text, or a picture that cannot be had.
    """
    told = [_inlined(message, call, place, service.links) for place, message in enumerate(chats.messages(call))]
    messages = service.messages(told)
    if said := chats.instruction(call, told=True):
        messages = [*messages, {"role": "user", "content": said}]
    names = {"temperature": "temperature", "top_p": "top_p", "stop": "stop", "seed": service.seed}
    asked: Json = {"model": call.model, "messages": messages}
    asked |= {name: call.input[name] for name in ("tools", "tool_choice") if call.input.get(name)}
    asked |= chats.parameters(call, names | {"max_output_tokens": service.limit}) | service.more
    if call.output_schema is not None:
        schema = {"name": "answer", "schema": call.output_schema, "strict": is_closed(call.output_schema)}
        asked["response_format"] = {"type": "json_schema", "json_schema": schema}
    return asked


def embed(call: Call, service: Service) -> Answer:
    """A vector for each text; see `Provider.invoke`."""
    texts = exchange.texts(call)
    reply = _post(call, service, "embeddings", {"model": call.model, "input": texts})
    exchange.first(reply.body, "data")
    rows = reply.body["data"]
    if len(rows) != len(texts) or not all(isinstance(row, dict) for row in rows):
        bad("The provider's reply has another number of embeddings.")
    places = [row.get("index", place) for place, row in enumerate(rows)]
    if set(map(type, places)) != {int} or sorted(places) != list(range(len(texts))):
        bad("The provider's embeddings are numbered wrongly.")
    ordered = [row.get("embedding") for _, row in sorted(zip(places, rows, strict=True), key=lambda each: each[0])]
    if not all(is_vector(each) for each in ordered):
        bad("The provider's embeddings are no vectors of numbers.")
    used = _tokens(reply, "prompt_tokens") or exchange.used(None, "".join(texts))
    return Answer({"embeddings": ordered}, input_tokens=used, facts=exchange.facts(reply))


def more(call: Call, service: Service) -> Answer:
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


def _post(call: Call, service: Service, name: str, body: Json) -> Reply:
    url = service.url(name)
    places = service.messages is as_they_are
    return post_json(url, body, headers=service.headers, timeout=call.timeout, places=places)


def _inlined(message: Json, call: Call, place: int, links: bool) -> Json:
    content = message.get("content")
    if not isinstance(content, list):
        return message
    where = f"input.messages.{place}"
    return {**message, "content": [inlined(part, call.media, where, links=links) for part in content]}


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


def _tokens(reply: Reply, name: str) -> int | None:
    return exchange.counted(exchange.field(reply.body, "usage", name))
