"""Messages as Anthropic's clients send them as those of a chat: texts, pictures, documents, tools' calls and results.

One of theirs may be several of a chat, where each result of a tool is a message of its own; here results stand first.
"""

import json
from collections.abc import Iterator
from typing import Any

from broker.doors.anthropic import mark_of
from broker.doors.reading import Fields, Json, entries, refuse
from broker.doors.thoughts import thought_of
from broker.json_text import check_depth

ROLES = ("user", "assistant", "system")

PICTURES = ("image/jpeg", "image/png", "image/gif", "image/webp")

FAILED = "(This call of the tool failed.)"
"""Said before what a tool gave with `is_error`, which other dialects have no field for."""


class Talk:
    """A chat as it is put together, and where in the body each part of it came from."""

    def __init__(self) -> None:
        """Begin with nothing said."""
        self.messages: list[Json] = []
        self.places: dict[str, str] = {}

    def add(self, message: Json, place: str, parts: list[tuple[str, Json]] | None = None) -> None:
        """Add a message; `parts` are its content with their places, where it is not one text."""
        own = f"input.messages.{len(self.messages)}"
        self.places[own] = place
        if parts is not None:
            message["content"] = [part for _, part in parts]
            for number, (at, part) in enumerate(parts):
                self.places[f"{own}.content.{number}"] = at
                if part["type"] == "image_url":
                    self.places[f"{own}.content.{number}.image_url"] = f"{at}.source"
                    self.places[f"{own}.content.{number}.image_url.url"] = f"{at}.source"
        self.messages.append(message)

    def note(self, rest: str, place: str) -> None:
        """Say where a field of the message that was added last came from."""
        self.places[f"input.messages.{len(self.messages) - 1}.{rest}"] = place


def talk_of(fields: Fields) -> Talk:
    """Instructions and messages as a chat.

    Raises:
        InvalidRequest: a message or a block that is not taken, by its place.
    """
    talk = Talk()
    system = fields.take("system")
    if isinstance(system, str):
        talk.add({"role": "system", "content": system}, "system")
        talk.note("content", "system")
    elif system is not None and (parts := list(_texts(system, "system"))):
        talk.add({"role": "system"}, "system", parts)
        talk.note("content", "system")
    for place, given in entries(fields.need("messages"), "messages"):
        _message(talk, Fields(given, place), place)
    return talk


def _message(talk: Talk, message: Fields, place: str) -> None:
    role, content = message.need("role"), message.need("content")
    message.end()
    if role not in ROLES:
        refuse(f"{place}.role", f"only {', '.join(ROLES)} is supported")
    if isinstance(content, str):
        talk.add({"role": role, "content": content}, place)
    elif role == "system":
        talk.add({"role": role}, place, list(_texts(content, f"{place}.content")))
    elif role == "assistant":
        _assistants(talk, content, place)
    else:
        _users(talk, content, place)


def _users(talk: Talk, content: Any, place: str) -> None:
    """A user's blocks: each result as a message of its own, and all else as one behind them."""
    parts: list[tuple[str, Json]] = []
    results = 0
    for at, given in entries(content, f"{place}.content"):
        block = Fields(given, at)
        if (kind := block.need("type")) == "tool_result":
            if parts:
                refuse(at, "results of tools stand before all other blocks of their message", "invalid_field")
            _result(talk, block, at)
            results += 1
        else:
            parts += ((at, part) for part in _parts(block, kind, at))
            block.end()
    if parts or not results:
        talk.add({"role": "user"}, place, parts)


def _result(talk: Talk, block: Fields, at: str) -> None:
    message: Json = {"role": "tool", "tool_call_id": block.need("tool_use_id")}
    content, failed = block.take("content"), block.truth("is_error")
    message |= mark_of(block)
    block.only("toolset_name")
    block.end()
    if isinstance(content, str):
        message["content"] = f"{FAILED}\n{content}" if failed else content
        talk.add(message, at)
    else:
        parts: list[tuple[str, Json]] = [(at, _text(FAILED))] if failed else []
        for where, given in [] if content is None else entries(content, f"{at}.content"):
            part = Fields(given, where)
            parts += ((where, each) for each in _parts(part, part.need("type"), where))
            part.end()
        talk.add(message, at, parts)
    talk.note("tool_call_id", f"{at}.tool_use_id")


def _assistants(talk: Talk, content: Any, place: str) -> None:
    """What the assistant said, and the calls of tools that it made."""
    parts: list[tuple[str, Json]] = []
    calls: list[tuple[str, Json]] = []
    thoughts: list[Json] = []
    for at, given in entries(content, f"{place}.content"):
        block = Fields(given, at)
        match block.need("type"):
            case "text":
                parts.append((at, _said(block)))
            case "tool_use":
                calls.append((at, _call(block, at)))
            case "thinking" | "redacted_thinking" as kind:
                thoughts.append(thought_of(block, kind))
            case _:
                refuse(f"{at}.type", "of an assistant, only text, thinking, redacted_thinking or tool_use is supported")
        block.end()
    message: Json = {"role": "assistant"}
    if thoughts:
        message["reasoning"] = thoughts
    if calls:
        message["tool_calls"] = [call for _, call in calls]
    talk.add(message, place, parts)
    if not parts:
        message["content"] = None
    for number, (at, _) in enumerate(calls):
        talk.note(f"tool_calls.{number}", at)
        talk.note(f"tool_calls.{number}.function", at)


def _call(block: Fields, at: str) -> Json:
    identity, name, given = block.need("id"), block.need("name"), block.need("input")
    mark = mark_of(block)
    block.only("caller", {"type": "direct"})
    block.only("toolset_name")
    if not isinstance(given, dict):
        refuse(f"{at}.input", "it has to be an object", "invalid_field")
    check_depth(given)  # before it is written as a text
    function = {"name": name, "arguments": json.dumps(given, ensure_ascii=False)}
    return {"id": identity, "type": "function", "function": function} | mark


def _parts(block: Fields, kind: Any, at: str) -> Iterator[Json]:
    """What a user's block, or a tool's, is as parts of a message."""
    match kind:
        case "text":
            yield _said(block)
        case "image":
            mark = mark_of(block)
            block.only("transformations", {})
            yield _picture(Fields(block.need("source"), f"{at}.source"), f"{at}.source") | mark
        case "document":
            mark = mark_of(block)
            block.only("citations", {"enabled": False})
            parts = list(_document(block, at))  # none, of one whose content is empty
            yield from parts[:-1]
            yield from (part | mark for part in parts[-1:])
        case _:
            refuse(f"{at}.type", "only text, image, document or tool_result is supported")


def _texts(content: Any, place: str) -> Iterator[tuple[str, Json]]:
    for at, given in entries(content, place):
        block = Fields(given, at)
        if block.need("type") != "text":
            refuse(f"{at}.type", "only text is supported")
        yield at, _said(block)
        block.end()


def _said(block: Fields) -> Json:
    mark = mark_of(block)
    block.only("citations", [])
    return _text(block.need("text")) | mark


def _text(text: Any) -> Json:
    return {"type": "text", "text": text}


def _picture(source: Fields, place: str) -> Json:
    match source.need("type"):
        case "base64":
            media_type, data = source.need("media_type"), source.text("data")
            if media_type not in PICTURES:
                refuse(f"{place}.media_type", f"only {', '.join(PICTURES)} is supported")
            url: Any = f"data:{media_type};base64,{data or ''}"
        case "url":
            url = source.need("url")
        case _:
            refuse(f"{place}.type", "only base64 or url is supported")
    source.end()
    return {"type": "image_url", "image_url": {"url": url}}


def _document(block: Fields, at: str) -> Iterator[Json]:
    """What is said of a document, and the document: a text as a text, for which any model will do."""
    title, context = block.text("title"), block.text("context")
    place = f"{at}.source"
    source = Fields(block.need("source"), place)
    kind = source.need("type")
    if title and kind != "base64":
        yield _text(title)
    if context:
        yield _text(context)
    match kind:
        case "text":
            source.only("media_type", "text/plain")
            yield _text(source.need("data"))
        case "content":
            content = source.need("content")
            if isinstance(content, str):
                yield _text(content)
            else:
                for where, given in entries(content, f"{place}.content"):
                    part = Fields(given, where)
                    if (inner := part.need("type")) not in ("text", "image"):
                        refuse(f"{where}.type", "only text or image is supported")
                    yield from _parts(part, inner, where)
                    part.end()
        case "base64":
            source.only("media_type", "application/pdf")
            data = f"data:application/pdf;base64,{source.text('data') or ''}"
            name = f"{(title or 'document').removesuffix('.pdf')}.pdf"
            yield {"type": "file", "file": {"filename": name, "file_data": data}}
        case _:
            refuse(f"{place}.type", "only text, content or base64 is supported")
    source.end()
