"""Providers' names of fields, and what a request calls them: only these names ever leave an error's body."""

import re
from typing import Any

from broker.providers.wire.base import Call
from broker.providers.wire.error_body import ErrorBody

MESSAGES, TEXT, TOOLS, SCHEMA = "input.messages", "input.text", "input.tools", "output_schema"
CHOICES = (TOOLS, "input.tool_choice")

NAMES = {
    **dict.fromkeys(
        (
            *("max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens", "maxtokens"),
            *("maxoutputtokens", "maxtokencount", "max_tokens_to_sample"),
        ),
        "parameters.max_output_tokens",
    ),
    "temperature": "parameters.temperature",
    **dict.fromkeys(("top_p", "topp", "p"), "parameters.top_p"),
    **dict.fromkeys(("stop", "stop_sequences", "stopsequences"), "parameters.stop"),
    **dict.fromkeys(("seed", "random_seed"), "parameters.seed"),
    **dict.fromkeys(("tools", "functions", "toolconfig", "function_declarations", "functiondeclarations"), TOOLS),
    **dict.fromkeys(
        ("tool_choice", "toolchoice", "function_calling_config", "functioncallingconfig"), "input.tool_choice"
    ),
    **dict.fromkeys(
        (
            *("response_format", "output_config", "json_schema", "response_schema", "responseschema"),
            *("response_json_schema", "responsejsonschema", "output_format"),
        ),
        SCHEMA,
    ),
    **dict.fromkeys(("messages", "contents", "system", "system_instruction", "systeminstruction"), MESSAGES),
    **dict.fromkeys(("input", "inputs", "inputtext", "prompt", "text", "texts", "q"), TEXT),
    "n": "input.count",
    "numberofimages": "input.count",
    **dict.fromkeys(("size", "width", "height", "aspect_ratio", "aspectratio"), "input.size"),
    "voice": "input.voice",
    "file": "input.file",
    **dict.fromkeys(("language", "languagecode", "sourcelanguagecode"), "input.source_language"),
    **dict.fromkeys(("target", "targetlanguagecode"), "input.target_language"),
}
"""In lower case."""

PHRASES = {
    "maximum tokens": "parameters.max_output_tokens",
    "completion tokens": "parameters.max_output_tokens",
    "output tokens": "parameters.max_output_tokens",
    "tool use": TOOLS,
    "tool choice": "input.tool_choice",
    "function calling": TOOLS,
    "image input": MESSAGES,
    "image content": MESSAGES,
    "json mode": SCHEMA,
    "structured output": SCHEMA,
}
"""What is said of a field without its name."""

INSIDE = frozenset({"content", "role", "tool_calls", "tool_call_id"})
"""Of a message."""

_LEADING = re.compile(r"([a-z_]+(?:[.\[][\w.\[\]]{1,160})?): ")
_QUOTED = re.compile(r"[`'\"]([#/\w.\[\]]{1,160})[`'\"]|(#/[\w/]{1,160})")
_PATH = re.compile(r"[#$/\w.\[\]-]{1,200}")
_BETWEEN = re.compile(r"[^\w-]+")


def named(said: ErrorBody, *, places: bool) -> str | None:
    """The request's field that an error is about, where it names one that is known.

    Args:
        said: by the provider.
        places: True where its messages are the request's, one for one; else a place among them would mislead.
    """
    for path in said.places:
        if found := _field(path, places):
            return found
    for words in said.words:
        quoted = [one or other for one, other in _QUOTED.findall(words)[:8]]
        leading = _LEADING.match(words)
        for path in [leading[1], *quoted] if leading else quoted:
            if found := _field(path, places):
                return found
    return next((param for phrase, param in PHRASES.items() for words in said.words if phrase in words), None)


def of_request(param: str | None, call: Call) -> str | None:
    """The field as the request has it: a text where there are no messages, none where the request has no such thing."""
    if param is None:
        return None
    given = call.input.get("messages")
    messages: list[Any] = given if isinstance(given, list) else []
    if param.startswith(CHOICES) and not call.input.get("tools"):
        # The broker's own: of an answer by a schema, or of calls that the history has.
        param = MESSAGES if call.output_schema is None else SCHEMA
    if param == SCHEMA and call.output_schema is None:
        return "input.format" if "format" in call.input else None
    if not param.startswith(MESSAGES):
        return param
    if not messages:
        return TEXT
    place = param.split(".")[2:3]
    # What stands behind them is what the broker added.
    return MESSAGES if place and int(place[0]) >= len(messages) else param


def _field(path: str, places: bool) -> str | None:
    parts = [part for part in _BETWEEN.split(path) if part] if _PATH.fullmatch(path) else []
    for at, part in enumerate(parts):
        found = NAMES.get(part)
        if found is None:
            continue
        inner = parts[at + 1 : at + 3]
        if not (places and found in (MESSAGES, TOOLS) and inner and _is_place(inner[0])):
            return found
        rest = inner[1:] if found == MESSAGES and inner[1:] and inner[1] in INSIDE else []
        return ".".join([found, inner[0], *rest])
    return None


def _is_place(part: str) -> bool:
    return part.isascii() and part.isdecimal() and len(part) < 6
