"""Anthropic's Messages API.

Source: the API reference of Anthropic, `POST /v1/messages`, "Structured outputs", "Handling stop reasons", "Errors". It
takes no OpenAI forms, so messages and tools are rewritten both ways. What it cannot take (`seed`) is left out.

JSON to a schema comes by its output format where the schema is closed, by a forced tool where it is another object and
the request has no tools of its own, and by instruction else. Options of a model: `structured: "tool"` for models that
are older than the output format, `version` of the API, `links: true` where an endpoint of one's own fetches `https`
pictures.
"""

import json
from typing import Any

from broker.errors import Refused
from broker.providers.openai.format import is_closed
from broker.providers.wire import chat as chats
from broker.providers.wire import exchange
from broker.providers.wire.base import Answer, Blob, Call
from broker.providers.wire.exchange import Json, bad, field
from broker.providers.wire.http import Reply, post_json
from broker.providers.wire.language import LANGUAGE, perform
from broker.providers.wire.media import Link, encoded, parts
from broker.providers.wire.structured import loads

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
    asked, forced = _request(call)
    headers = exchange.headers(call, "x-api-key", "{}")
    headers["anthropic-version"] = str(call.options.get("version", VERSION))
    url = f"{exchange.base_url(call, BASE_URL)}/messages"
    reply = post_json(url, asked, headers=headers, timeout=call.timeout)
    return _answer(call, reply, forced)


def _request(call: Call) -> tuple[Json, bool]:
    """The body, and whether the answer is forced through a tool."""
    system, turns = _turns(call)
    limit = chats.parameters(call, {"max_output_tokens": "max_tokens"}).get("max_tokens", DEFAULT_LIMIT)
    asked: Json = {"model": call.model, "max_tokens": limit, "messages": turns}
    asked |= chats.parameters(call, PARAMETERS)
    if "temperature" in asked:
        asked["temperature"] = min(asked["temperature"], HOTTEST)
    tools = [_tool(each) for each in chats.functions(call)]
    choice = chats.choice(call)
    schema, told, forced = call.output_schema, True, False
    if schema is None or (is_closed(schema) and call.options.get("structured") != "tool"):
        asked |= {"output_config": {"format": {"type": "json_schema", "schema": schema}}} if schema else {}
    elif schema.get("type") == "object" and not tools:
        forced = True
        tools = [{"name": ANSWER_TOOL, "description": "Gives the answer.", "input_schema": schema}]
        choice = (chats.NAMED, ANSWER_TOOL)
    else:
        told = False
    if said := chats.instruction(call, told=told):
        system.append({"type": "text", "text": said})
    if system:
        asked["system"] = system
    if tools:
        asked["tools"] = tools
        if choice:
            word, name = choice
            asked["tool_choice"] = CHOICES.get(word) or {"type": "tool", "name": name}
    return asked, forced


def _turns(call: Call) -> tuple[list[Json], list[Json]]:
    """System blocks and turns; turns of one role that follow each other are one, and the user's is the first."""
    system: list[Json] = []
    turns: list[Json] = []
    links = call.endpoint is None or call.options.get("links") is True
    for place, message in enumerate(chats.messages(call)):
        found = parts(message.get("content"), call.media, f"input.messages.{place}", links=links)
        if message["role"] in ("system", "developer"):
            system += [_block(each) for each in chats.only_texts(found, place)]
            continue
        blocks = [_block(each) for each in found]
        role = "assistant" if message["role"] == "assistant" else "user"
        if message["role"] == "tool":
            result = {"type": "tool_result", "tool_use_id": str(message.get("tool_call_id"))}
            blocks = [result | ({"content": blocks} if blocks else {})]
        for identity, name, arguments in chats.used_tools(message, place):
            blocks.append({"type": "tool_use", "id": identity, "name": name, "input": arguments})
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    if not turns or turns[0]["role"] != "user":
        turns.insert(0, {"role": "user", "content": [{"type": "text", "text": chats.OPENING}]})
    return system, turns


def _block(part: str | Blob | Link) -> Json:
    match part:
        case str():
            return {"type": "text", "text": part}
        case Link(url):
            return {"type": "image", "source": {"type": "url", "url": url}}
        case Blob(media_type=media_type):
            source = {"type": "base64", "media_type": media_type, "data": encoded(part)}
            return {"type": "image", "source": source}


def _tool(function: Json) -> Json:
    schema = {"name": function["name"], "input_schema": function["parameters"]}
    return schema | ({"description": function["description"]} if "description" in function else {})


def _answer(call: Call, reply: Reply, forced: bool) -> Answer:
    usage = field(reply.body, "usage")
    tokens = (_read(usage), exchange.counted(field(usage, "output_tokens")))
    finish = FINISHES.get(str(field(reply.body, "stop_reason")), "stop")
    with exchange.charged(tokens):
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
    facts = exchange.facts(reply, "request-id")
    return chats.answer(call, text=text, tool_calls=calls, finish=finish, tokens=tokens, facts=facts)


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


def _dumped(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):
        bad("The model's answer is too deep to read.")
