"""What every chat format does alike: read a conversation in OpenAI's form, and make the answer.

A registered model's option `without` lists parameters that the model rejects (`["temperature", "top_p"]`); they are
not sent to it.
"""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from broker.errors import InvalidRequest, Rejected, Truncated
from broker.providers.wire import saying, structured
from broker.providers.wire.base import Answer, Blob, Call
from broker.providers.wire.exchange import Json, bad, charged, texts, used
from broker.providers.wire.media import Link

OPENING = "Begin."
"""Said by the user where a conversation begins, or ends, with nobody to answer to: several services take no other."""

PICTURE_TOKENS = 1600
"""What a picture counts for where a service tells no usage: about what the dearer ones charge for a large one."""

NAMED = "named"


def messages(call: Call) -> list[Json]:
    """The conversation in OpenAI's form.

    Raises:
        InvalidRequest: there is none (`no_input`).
    """
    return list(call.input.get("messages") or []) or [{"role": "user", "content": text} for text in texts(call)]


def only_texts(found: list[str | Blob | Link], place: int) -> list[str]:
    """The parts of a system's or a developer's message.

    Raises:
        Rejected: a picture is among them; `param` is its place.
    """
    said = [part for part in found if isinstance(part, str)]
    if len(said) < len(found):
        message = "Instructions take no pictures."
        raise Rejected(message, code="unsupported_content", param=f"input.messages.{place}.content")
    return said


def parameters(call: Call, names: Mapping[str, str]) -> Json:
    """What was asked for, by the service's names (`ours: theirs`)."""
    left_out = call.options.get("without", ())
    return {
        theirs: call.parameters[ours]
        for ours, theirs in names.items()
        if call.parameters.get(ours) is not None and ours not in left_out
    }


def instruction(call: Call, *, told: bool) -> str | None:
    """What the model has to be told about its output, if anything; `told` where the service was given the schema."""
    if call.output_schema is None or (told and not call.repair):
        return None
    make = structured.repair_instruction if call.repair else structured.instruction
    return make(call.output_schema)


def functions(call: Call) -> list[Json]:
    """The tools as `{"name", "parameters"}`, and `description` where there is one.

    Raises:
        InvalidRequest: they are not in the form of OpenAI's functions.
    """
    try:
        found = [tool["function"] for tool in call.input.get("tools") or []]
        return [
            {"name": each["name"], "parameters": each.get("parameters") or {"type": "object", "properties": {}}}
            | ({"description": each["description"]} if each.get("description") else {})
            for each in found
        ]
    except (KeyError, TypeError, AttributeError):
        raise _no_tools("input.tools") from None


def choice(call: Call) -> tuple[str, str] | None:
    """The choice of a tool: `auto`, `none` or `required`, or `named` and the name; None where nothing was said.

    Raises:
        InvalidRequest: it is none of these.
    """
    match call.input.get("tool_choice"):
        case None:
            return None
        case "auto" | "none" | "required" as word:
            return word, ""
        case {"function": {"name": str(name)}}:
            return NAMED, name
        case _:
            raise _no_tools("input.tool_choice")


def used_tools(message: Json, place: int) -> list[tuple[str, str, Json]]:
    """The calls that an assistant's message of the history made: id, name and arguments of each.

    Raises:
        InvalidRequest: one is not in OpenAI's form; `param` is its place.
    """
    made = []
    for given in message.get("tool_calls") or []:
        try:
            arguments = structured.loads(given["function"]["arguments"] or "{}")
            if not isinstance(arguments, dict):
                raise ValueError
            made.append((str(given["id"]), str(given["function"]["name"]), arguments))
        except (KeyError, TypeError, ValueError):
            raise InvalidRequest(
                "A tool call has no id, no function or no JSON arguments.",
                code="invalid_tool_call",
                param=f"input.messages.{place}.tool_calls",
            ) from None
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
) -> Answer:
    """The answer to a chat.

    Args:
        call: what was asked.
        text: all that the model said.
        tool_calls: `{"id", "name", "arguments"}` of each, as the service has them; see `saying.called`.
        finish: `stop`, `length` or `tool_calls`.
        tokens: in and out as the service told them, None for what it did not tell.
        facts: of the attempt.

    Raises:
        Truncated: the limit was reached before anything was said, or in the midst of JSON.
        BadOutput: it is empty, no text, or outside the schema.
    """
    with charged(tokens):
        calls = saying.called(call, tool_calls, finish)
        output = _output(call, saying.shown(text, finish), calls, finish)
    said = text + "".join(each["function"]["arguments"] for each in calls)
    return Answer(
        output,
        # Nothing was read, or nothing was said, is what a server tells that does not count.
        input_tokens=tokens[0] or _read(call),
        output_tokens=tokens[1] or used(None, said),
        finish_reason=output["finish_reason"],
        facts=facts,
    )


def _output(call: Call, text: str, calls: list[Json], finish: str) -> Json:
    if not text.strip() and not calls:
        if finish == "length":
            _cut_off("The model reached its limit before it said anything.")
        bad("The model's answer is empty.", code="empty_answer")
    if calls and finish == "stop":  # what several services say, of a tool that was forced at least
        finish = "tool_calls"
    output: Json = {"text": text, "finish_reason": finish}
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


def _no_tools(param: str) -> InvalidRequest:
    message = "Tools and their choice have to be in the form of OpenAI's functions."
    return InvalidRequest(message, code="invalid_tools", param=param)
