"""Cohere's chat and embeddings, version 2.

Source: the API reference of Cohere, `POST /v2/chat` and `POST /v2/embed`.

Options of a model: `safety_mode` (`CONTEXTUAL`, `STRICT`, `OFF`), `links` (true where its endpoint fetches `https`
pictures), for embeddings `input_type` (`search_document` unless said) and `dimensions`, and those of
`wire.abilities`. The service takes no name of a caller.
"""

from typing import Any

from broker.errors import BrokerError, ModelTimedOut, Refused, Unavailable
from broker.packed_numbers import Vectors
from broker.providers.wire import chat as chats
from broker.providers.wire import exchange
from broker.providers.wire.base import Answer, Blob, Call
from broker.providers.wire.dialects import COHERE
from broker.providers.wire.embeddings import is_vector
from broker.providers.wire.exchange import Json, bad, field
from broker.providers.wire.history import History, Part, Spoken, prepare
from broker.providers.wire.http_client import ProviderReply, post_json
from broker.providers.wire.language import LANGUAGE, perform
from broker.providers.wire.own_fields import beside
from broker.providers.wire.picture_parts import Link, data_url
from broker.providers.wire.reasoning import Thinking, budget_of, thought, wanted
from broker.providers.wire.several_requests import in_batches
from broker.providers.wire.tools import NAMED
from broker.providers.wire.wrapping import is_plain

BASE_URL = "https://api.cohere.com/v2"
MOST_TEXTS = 96

PARAMETERS = {
    "max_output_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "p",
    "stop": "stop_sequences",
    "seed": "seed",
}
CHOICES = {"none": "NONE", "required": "REQUIRED", NAMED: "REQUIRED"}
"""It cannot be told to use one tool of several, so of those it is shown that one alone."""

FINISHES = {"MAX_TOKENS": "length", "ERROR_LIMIT": "length", "TOOL_CALL": "tool_calls"}
"""Why a model stopped, in the broker's words; all others are `stop`."""
REFUSALS = frozenset({"ERROR_TOXIC"})
FAILURES: dict[str, type[BrokerError]] = {"ERROR": Unavailable, "TIMEOUT": ModelTimedOut}

BLOCKED = 498
"""The status for a request or a reply that holds a word of the provider's deny list."""


class Cohere:
    """Cohere's models, at `Call.endpoint` (which ends in `/v2`) or at Cohere's own platform."""

    tasks = frozenset({"chat", "embed", *LANGUAGE})

    def invoke(self, call: Call) -> Answer:
        """Make the call; see `Provider`."""
        return perform(call, {"chat": _chat, "embed": _embed})


def _chat(call: Call) -> Answer:
    links = call.endpoint is None or call.options.get("links") is True
    # In its JSON mode, too, the model has to be told: else it may write blanks without end.
    history = prepare(call, COHERE, links=links, said=chats.instruction(call, natively=False))
    reply = _post(call, "chat", beside(_request(call, history), call.extra), call.timeout)
    tokens = (_tokens(reply, "input_tokens"), _tokens(reply, "output_tokens"))
    reason = str(field(reply.body, "finish_reason"))
    with exchange.charged(tokens):
        if reason in REFUSALS:
            raise Refused("The model refused to answer.", code="model_refused", maybe_paid=True)
        if reason in FAILURES:
            raise FAILURES[reason]("The model failed while it answered.", code="model_failed", maybe_paid=True)
        text, calls, thoughts = _said(field(reply.body, "message"))
    calls, finish = history.toolbox.named(calls, call), FINISHES.get(reason, "stop")
    told, facts = Thinking(thoughts), _facts(reply)
    answer = chats.answer(call, text=text, tool_calls=calls, finish=finish, tokens=tokens, facts=facts, thinking=told)
    return history.toolbox.restored(answer)


def _said(message: Any) -> tuple[str, list[Json], list[Json]]:
    """A message's text, its calls of tools, and what the model thought before."""
    if not isinstance(message, dict):
        bad("The provider's reply has no message.")
    content, calls = message.get("content") or [], message.get("tool_calls") or []
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if not isinstance(content, list) or not all(isinstance(each, dict) for each in content):
        bad("The provider's reply has a message that is no text.")
    text = "".join(str(each.get("text") or "") for each in content if each.get("type") == "text")
    thoughts = [thought(str(each.get("thinking") or "")) for each in content if each.get("type") == "thinking"]
    return text, [_called(each) for each in calls] if isinstance(calls, list) else [], thoughts


def _request(call: Call, history: History) -> Json:
    messages = [message for turn in history.turns for message in _messages(turn)]
    asked: Json = {"model": call.model, "messages": messages, "stream": False}
    asked |= chats.parameters(call, PARAMETERS) | _thinking(call)
    tools, choice = history.toolbox.tools, history.toolbox.choice
    if choice:
        word, name = choice
        tools = [each for each in tools if word != NAMED or each.name == name]
        asked |= {"tool_choice": CHOICES[word]} if word in CHOICES else {}
    if tools:
        asked["tools"] = [{"type": "function", "function": each.function()} for each in tools]
    elif _has_format(call):
        asked["response_format"] = {"type": "json_object", "json_schema": call.output_schema}
    if "safety_mode" in call.options and not tools:
        asked["safety_mode"] = call.options["safety_mode"]
    return asked


def _thinking(call: Call) -> Json:
    asked = wanted(call)
    if asked is None:
        return {}
    if asked.is_off:
        return {"thinking": {"type": "disabled"}}
    budget = {} if asked.effort is None and asked.budget is None else {"token_budget": budget_of(call, asked, 1)}
    return {"thinking": {"type": "enabled", **budget}}


def _has_format(call: Call) -> bool:
    """Its JSON mode makes objects only, and not beside tools."""
    schema = call.output_schema or {}
    return not call.input.get("tools") and schema.get("type") == "object" and is_plain(schema)


def _messages(turn: Spoken) -> list[Json]:
    """A turn as messages: each of its results is one, as is the rest of it."""
    made: list[Json] = [
        {"role": "tool", "tool_call_id": each.id, "content": [_part(part) for part in each.parts]}
        for each in turn.results
    ]
    rest: Json = {"role": turn.role}
    if turn.parts:
        rest["content"] = [_part(each) for each in turn.parts]
    if turn.uses:
        rest["tool_calls"] = [
            {"id": use.id, "type": "function", "function": {"name": use.name, "arguments": use.text}}
            for use in turn.uses
        ]
    return [*made, rest] if len(rest) > 1 else made


def _part(part: Part) -> Json:
    match part:
        case Link(url):
            return {"type": "image_url", "image_url": {"url": url}}
        case Blob():
            return {"type": "image_url", "image_url": {"url": data_url(part)}}
    return {"type": "text", "text": part}


def _called(given: Any) -> Json:
    function = field(given, "function")
    if not isinstance(function, dict) or "arguments" not in function:
        bad("The model's tool call is malformed.")
    return {"id": given.get("id"), "name": function.get("name"), "arguments": function["arguments"]}


def _embed(call: Call) -> Answer:
    """Embed, at most 96 texts in one request."""
    texts = exchange.texts(call)
    asked = {
        "model": call.model,
        "input_type": call.options.get("input_type", "search_document"),
        "embedding_types": ["float"],
    }
    if "dimensions" in call.options:
        asked["output_dimension"] = call.options["dimensions"]
    vectors = Vectors()
    tokens = 0
    facts: dict[str, str] = {}

    def ask(some: list[str], left: float) -> tuple[list[str], ProviderReply]:
        return some, _post(call, "embed", {**asked, "texts": some}, left)

    for some, reply in in_batches(texts, MOST_TEXTS, call.timeout, ask):
        rows = field(reply.body, "embeddings", "float")
        if not isinstance(rows, list) or len(rows) != len(some) or not all(is_vector(each) for each in rows):
            bad("The provider's reply is not one vector of numbers for each text.")
        vectors.add(rows)
        reported = exchange.counted(field(reply.body, "meta", "billed_units", "input_tokens"))
        tokens += reported or exchange.used(None, "".join(some))
        facts = _facts(reply)
    return Answer({"embeddings": vectors}, input_tokens=tokens, facts=facts)


def _post(call: Call, path: str, body: Json, timeout: float) -> ProviderReply:
    url = f"{exchange.base_url(call, BASE_URL)}/{path}"
    return post_json(url, body, headers=exchange.headers(call), timeout=timeout, read_error=_read_error)


def _read_error(status: int, body: Any) -> BrokerError | None:
    if status == BLOCKED:
        return Refused("The provider's content policy refused the request.", code="blocked_word")
    return None


def _tokens(reply: ProviderReply, name: str) -> int | None:
    """What is billed, which leaves out what the service itself puts before a conversation; else all of it."""
    usage = field(reply.body, "usage")
    billed = exchange.counted(field(usage, "billed_units", name))
    return exchange.counted(field(usage, "tokens", name)) if billed is None else billed


def _facts(reply: ProviderReply) -> dict[str, str]:
    return exchange.facts(reply, "x-debug-trace-id")
