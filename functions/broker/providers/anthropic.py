"""Anthropic's Messages API.

Source: the API reference of Anthropic, `POST /v1/messages`, "Structured outputs", "Handling stop reasons", "Errors". It
takes no OpenAI forms, so messages and tools are rewritten both ways. What it cannot take (`seed`) is left out.

JSON to a schema comes by its output format where the schema is closed, by a forced tool where it is another object and
the request has no tools of its own, and by instruction else. Options of a model: `structured: "tool"` for models that
are older than the output format, `version` of the API, `links: true` where an endpoint of one's own fetches `https`
pictures, `caller: true` where it may be told whose call it is (`metadata.user_id`), those of `wire.abilities`, and
those of `wire.reasoning`.
"""

import json
from typing import Any

from broker.cached_input import CachedInput
from broker.errors import Refused
from broker.prompt_marks import MARK, SHORT
from broker.providers.openai.format import is_closed
from broker.providers.wire import anthropic_thinking as thinking
from broker.providers.wire import chat as chats
from broker.providers.wire import exchange
from broker.providers.wire.abilities import cannot
from broker.providers.wire.base import Answer, Blob, Call
from broker.providers.wire.dialects import ANTHROPIC
from broker.providers.wire.exchange import Json, bad, field
from broker.providers.wire.history import History, Part, Spoken, prepare
from broker.providers.wire.http_client import ProviderReply, post_json
from broker.providers.wire.language import LANGUAGE, perform
from broker.providers.wire.marks import of_part, settled, wish
from broker.providers.wire.own_fields import beside
from broker.providers.wire.picture_parts import Link, encoded
from broker.providers.wire.reasoning import Thinking
from broker.providers.wire.structured import loads
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

FINISHES = {
    **dict.fromkeys(("max_tokens", "model_context_window_exceeded"), "length"),
    "pause_turn": "length",  # the turn would go on if it were sent back
    "tool_use": "tool_calls",
}
"""Why a model stopped, in the broker's words; all others are `stop`."""

ANSWER_TOOL = "answer"
"""The tool that an answer to a schema is forced through."""


class Anthropic:
    """Anthropic's models, at `Call.endpoint` (which ends in `/v1`) or at Anthropic's own platform."""

    tasks = frozenset({"chat", *LANGUAGE})

    def invoke(self, call: Call) -> Answer:
        """Make the call; see `Provider`."""
        return perform(call, {"chat": _chat})


def _chat(call: Call) -> Answer:
    call = thinking.fitted(call)
    history = prepare(call, ANTHROPIC, links=_is_own(call) or call.options.get("links") is True)
    asked, forced = _request(call, history)
    asked = beside(asked, call.extra)
    headers = exchange.headers(call, "x-api-key", "{}")
    headers["anthropic-version"] = str(call.options.get("version", VERSION))
    url = f"{exchange.base_url(call, BASE_URL)}/messages"
    reply = post_json(url, asked, headers=headers, timeout=call.timeout)
    return history.toolbox.restored(_answer(call, reply, forced, history))


def _request(call: Call, history: History) -> tuple[Json, bool]:
    """The body, and whether the answer is forced through a tool."""
    limit = chats.parameters(call, {"max_output_tokens": "max_tokens"}).get("max_tokens", DEFAULT_LIMIT)
    asked: Json = {"model": call.model, "max_tokens": limit, "messages": [_turn(each) for each in history.turns]}
    asked |= chats.parameters(call, PARAMETERS)
    if "temperature" in asked:
        asked["temperature"] = min(asked["temperature"], HOTTEST)
    if thought := thinking.asked(call, history):
        asked |= thought
        thinking.without_heat(asked, "temperature", "top_p")
    tools = [_kept(each.function("input_schema"), each.mark) for each in history.toolbox.tools]
    choice = history.toolbox.choice
    how = _how(call, bool(tools))
    if how == "format":
        form = {"type": "json_schema", "schema": call.output_schema}
        asked["output_config"] = asked.get("output_config", {}) | {"format": form}
    elif how == "tool":
        tools = [{"name": ANSWER_TOOL, "description": "Gives the answer.", "input_schema": call.output_schema}]
        choice = (NAMED, ANSWER_TOOL)
    said = chats.instruction(call, natively=how != "words")
    if system := [*history.system, *([said] if said else [])]:
        asked["system"] = [_kept(_block(each), of_part(each)) for each in system]
    if tools:
        asked["tools"] = tools
        if choice:
            word, name = choice
            asked["tool_choice"] = CHOICES.get(word) or {"type": "tool", "name": name}
    if call.caller and (_is_own(call) or call.options.get("caller") is True):
        asked["metadata"] = {"user_id": call.caller["tenant"]}
    _mark(call, asked)
    return asked, how == "tool"


def _mark(call: Call, asked: Json) -> None:
    """Mark what a call wishes to be kept, and leave no mark that the service does not take."""
    turns = [turn["content"] for turn in asked["messages"]]
    blocks = [block for content in turns for block in content]
    before = [*asked.get("tools", ()), *asked.get("system", ())]
    if ttl := wish(call):
        if before and not any(MARK in each for each in [*before, *blocks]):
            _kept(before[-1], ttl)
        if MARK not in blocks[-1]:
            _kept(blocks[-1], ttl)
    holders = [each for each in [*before, *blocks] if MARK in each]
    marks = [str(each.pop(MARK).get("ttl", SHORT)) for each in holders]
    for each, mark in zip(holders, settled(marks), strict=True):
        if not cannot(call.options, "prompt_cache"):
            _kept(each, mark)


def _kept(block: Json, mark: str) -> Json:
    """A block with a mark, where there is one."""
    if mark:
        block[MARK] = {"type": "ephemeral"} | ({"ttl": mark} if mark != SHORT else {})
    return block


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


def _turn(turn: Spoken) -> Json:
    content: list[Json] = thinking.sent_back(turn)
    for result in turn.results:
        blocks = [_block(each) for each in result.parts]
        content.append(_kept({"type": "tool_result", "tool_use_id": result.id, "content": blocks}, result.mark))
    content += [_kept(_block(each), of_part(each)) for each in turn.parts]
    for use in turn.uses:
        used = {"type": "tool_use", "id": use.id, "name": use.name, "input": use.arguments}
        content.append(_kept(used, use.mark))
    return {"role": turn.role, "content": content}


def _block(part: Part) -> Json:
    match part:
        case Link(url):
            return {"type": "image", "source": {"type": "url", "url": url}}
        case Blob(media_type=media_type):
            source = {"type": "base64", "media_type": media_type, "data": encoded(part)}
            return {"type": "image", "source": source}
    return {"type": "text", "text": part}


def _answer(call: Call, reply: ProviderReply, forced: bool, history: History) -> Answer:
    usage = field(reply.body, "usage")
    tokens, cached = (_read(usage), exchange.counted(field(usage, "output_tokens"))), _cached(usage)
    finish = FINISHES.get(str(field(reply.body, "stop_reason")), "stop")
    with exchange.charged(tokens, cached):
        if field(reply.body, "stop_reason") == "refusal":
            raise Refused("The model refused to answer.", code="model_refused", maybe_paid=True)
        blocks = field(reply.body, "content")
        if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
            bad("The provider's reply has no content.")
        text = "".join(str(block.get("text") or "") for block in blocks if block.get("type") == "text")
        uses = [block for block in blocks if block.get("type") == "tool_use"]
        if forced and uses:
            text, uses = _dumped(unwrapped(uses[0].get("input"), call.output_schema or {})), []
            finish = "stop" if finish == "tool_calls" else finish
    calls = [{"id": each.get("id"), "name": each.get("name"), "arguments": each.get("input")} for each in uses]
    facts, calls = exchange.facts(reply, "request-id"), history.toolbox.named(calls, call)
    told = Thinking(thinking.thoughts_of(blocks), thinking.tokens_of(usage))
    return chats.answer(
        call, text=text, tool_calls=calls, finish=finish, tokens=tokens, facts=facts, cached=cached, thinking=told
    )


def unwrapped(given: Any, schema: Json) -> Any:
    """The answer as the schema means it: models put it into a field of the tool's name, or write a list as a text."""
    properties = schema.get("properties")
    known: Json = properties if isinstance(properties, dict) else {}
    if isinstance(given, dict) and given.keys() == {ANSWER_TOOL} and ANSWER_TOOL not in known:
        given = given[ANSWER_TOOL]
    if not isinstance(given, dict):
        return given
    return {name: _structure(value, known.get(name)) for name, value in given.items()}


def _structure(value: Any, schema: Any) -> Any:
    kind = {"array": list, "object": dict}.get(str(field(schema, "type")))
    if not isinstance(value, str) or kind is None:
        return value
    try:
        found = loads(value)
    except ValueError:
        return value
    return found if isinstance(found, kind) else value


def _read(usage: Any) -> int | None:
    """What was read anew, and what came from or went to the prompt cache."""
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    return exchange.counted(*(field(usage, name) for name in names))


def _cached(usage: Any) -> CachedInput:
    """What came from the prompt cache, and what went there, by how long it stays."""
    written = exchange.counted(field(usage, "cache_creation_input_tokens")) or 0
    hour = exchange.counted(field(usage, "cache_creation", "ephemeral_1h_input_tokens")) or 0
    read = exchange.counted(field(usage, "cache_read_input_tokens")) or 0
    return CachedInput(read, max(written - hour, 0), min(hour, written))


def _dumped(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):
        bad("The model's answer is too deep to read.")
