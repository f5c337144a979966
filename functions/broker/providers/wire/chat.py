"""What every chat format does alike: read a request in OpenAI's form, and make the answer.

What a single model does not take is said by the options of `abilities`; a conversation is made fit by `history`.
"""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from broker.cached_input import NOT_CACHED, CachedInput
from broker.errors import InvalidRequest, Truncated
from broker.providers.wire import abilities, reasoning, saying, structured
from broker.providers.wire.base import Answer, Call
from broker.providers.wire.exchange import Json, bad, charged, field, texts, used
from broker.providers.wire.sending import taken

PICTURE_TOKENS = 1600
"""What a picture counts for where a service tells no usage: about what the dearer ones charge for a large one."""


def messages(call: Call) -> list[Json]:
    """The conversation in OpenAI's form.

    Raises:
        InvalidRequest: there is none (`no_input`).
    """
    return list(call.input.get("messages") or []) or [{"role": "user", "content": text} for text in texts(call)]


def parameters(call: Call, names: Mapping[str, str]) -> Json:
    """What was asked for, by the service's names (`ours: theirs`)."""
    given = abilities.sent(call.options, call.parameters)
    found = {ours: theirs for ours, theirs in names.items() if ours in given}
    taken(*found)
    return {theirs: given[ours] for ours, theirs in found.items()}


def parameter(call: Call, name: str) -> Any:
    """One that is sent as it is, or None."""
    value = call.parameters.get(name)
    if value is not None:
        taken(name)
    return value


def instruction(call: Call, *, natively: bool) -> str | None:
    """What the model has to be told of its output, if anything; `natively` where the service was given the schema."""
    if call.repair and (call.output_schema is not None or call.fault):
        return structured.repair_instruction(call.output_schema, call.fault)
    return None if call.output_schema is None or natively else structured.instruction(call.output_schema)


def used_tools(message: Json, place: int) -> list[tuple[str, str, Any, str | None]]:
    """The calls that a message of the history made: id, name, arguments as given, thought signature.

    Raises:
        InvalidRequest: one is not in OpenAI's form, or not an assistant's; `param` is its place.
    """
    made = []
    calls = message.get("tool_calls") or []
    for given in calls if isinstance(calls, list) else [None]:
        identity, name = field(given, "id"), field(given, "function", "name")
        if not (isinstance(identity, str) and isinstance(name, str) and name and message["role"] == "assistant"):
            fault = "A tool call has no id, or no function, or is not the assistant's."
            raise InvalidRequest(fault, code="invalid_tool_call", param=f"input.messages.{place}.tool_calls")
        signature = field(given, "extra_content", "google", "thought_signature")
        arguments = field(given, "function", "arguments")
        made.append((identity, name, arguments, signature if isinstance(signature, str) else None))
    return made


def tool_call(identity: Any, name: str, arguments: Json) -> Json:
    """A call of the history in OpenAI's form: arguments are JSON as a text."""
    text = json.dumps(arguments, ensure_ascii=False, allow_nan=False)
    return {"id": str(identity), "type": "function", "function": {"name": name, "arguments": text}}


def answer(
    call: Call,
    *,
    text: str,
    tool_calls: list[Json],
    finish: str,
    tokens: tuple[int | None, int | None],
    facts: dict[str, str],
    thinking: reasoning.Thinking = reasoning.NO_THINKING,
    cached: CachedInput = NOT_CACHED,
) -> Answer:
    """The answer to a chat.

    Args:
        call: what was asked.
        text: all that the model said.
        tool_calls: `{"id", "name", "arguments"}` of each, as the service has them; see `saying.called`.
        finish: `stop`, `length` or `tool_calls`.
        tokens: in and out as the service reported them, None for what it did not report.
        facts: of the attempt.
        thinking: what the model thought before; told where the call asks for it.
        cached: of the tokens in, what the service's prompt cache had to do with.

    Raises:
        Truncated: the limit was reached before anything was said, or in the midst of JSON.
        BadOutput: it is empty, no text, or outside the schema.
    """
    with charged(tokens, cached):
        calls = saying.called(call, tool_calls, finish)
        told = [each for each in thinking.thoughts if any(each.values())] if reasoning.thinks(call) else []
        output = _output(call, saying.shown(text, finish), calls, finish, told)
    said = text + "".join(each["function"]["arguments"] for each in calls)
    return Answer(
        output,
        # Nothing was read, or nothing was said, is what a server tells that does not count.
        input_tokens=tokens[0] or _read(call),
        output_tokens=tokens[1] or used(None, said),
        finish_reason=output["finish_reason"],
        facts=facts,
        reasoning_tokens=thinking.tokens or 0,
        cached=cached,
    )


def _output(call: Call, text: str, calls: list[Json], finish: str, thoughts: list[Json]) -> Json:
    if not text.strip() and not calls:
        if finish == "length":
            _cut_off("The model reached its limit before it said anything.")
        bad("The model's answer is empty.", code="empty_answer")
    if calls and finish == "stop":  # what several services say, of a tool that was forced at least
        finish = "tool_calls"
    output: Json = {"text": text, "finish_reason": finish} | ({"reasoning": thoughts} if thoughts else {})
    if calls:
        output["tool_calls"] = calls
    elif call.output_schema is not None:
        if finish == "length":
            _cut_off("The model reached its limit before its JSON was whole.")
        output["json"] = structured.parse(saying.json_of(text), call.output_schema)
    try:
        structured.check_storable(output)
    except ValueError:
        bad("The model's answer is not text.")
    return output


def _cut_off(message: str) -> NoReturn:
    raise Truncated(message, code="output_truncated", maybe_paid=True)


def _read(call: Call) -> int:
    """An estimate of the prompt, for services that tell no usage; a picture's bytes are not what is paid for."""
    pictures = 0

    def bare(part: Any) -> Any:
        nonlocal pictures
        if isinstance(part, dict) and part.get("type") == "image_url":
            pictures += 1
            return None
        return part

    said = [
        {**each, "content": [bare(part) for part in each["content"]]} if isinstance(each.get("content"), list) else each
        for each in messages(call)
    ]
    rest = [call.input.get("tools"), call.output_schema]
    return used(None, json.dumps([said, rest], ensure_ascii=False)) + PICTURE_TOKENS * pictures
