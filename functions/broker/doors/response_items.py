"""The items of a response's `input` as messages of a chat: texts, pictures, calls of tools and what they gave."""

from collections.abc import Iterator, Mapping
from typing import Any

from broker.doors.openai import breakpoint_of
from broker.doors.reading import Fields, Json, entries, refuse
from broker.doors.thoughts import unpacked

ROLES = ("user", "assistant", "system", "developer")

INSTRUCTING = ("system", "developer")


def begins_with_instructions(body: Any) -> bool:
    """Whether the input itself begins with what instructs: other than `instructions`, it is a part of the talk."""
    given = body.get("input") if isinstance(body, Mapping) else None
    first = given[0] if isinstance(given, list) and given else None
    return isinstance(first, Mapping) and first.get("role") in INSTRUCTING


def messages_of(fields: Fields) -> tuple[list[Json], dict[str, str]]:
    """Instructions and input as messages, and where in the body each came from.

    Raises:
        InvalidRequest: an item or a part that is not taken, by its place.
    """
    messages: list[Json] = []
    places: dict[str, str] = {}

    def add(message: Json, place: str) -> None:
        places[f"input.messages.{len(messages)}"] = place
        messages.append(message)

    if (instructions := fields.text("instructions")) is not None:
        add({"role": "system", "content": instructions}, "instructions")
        places["input.messages.0.content"] = "instructions"
    given = fields.take("input")
    if isinstance(given, str):
        add({"role": "user", "content": given}, "input")
        places[f"input.messages.{len(messages) - 1}.content"] = "input"
        return messages, places
    _read(entries([] if given is None else given, "input"), messages, places)
    return messages, places


def items_as_messages(given: list[tuple[str, Any]]) -> tuple[list[Json], dict[str, str]]:
    """Items with their places as messages, and where each of these came from.

    Raises:
        InvalidRequest: an item or a part that is not taken, by its place.
    """
    messages: list[Json] = []
    places: dict[str, str] = {}
    _read(given, messages, places)
    return messages, places


def _read(given: list[tuple[str, Any]], messages: list[Json], places: dict[str, str]) -> None:
    thoughts: list[Json] = []
    for place, item in given:
        read = Fields(item, place)
        if isinstance(item, Mapping) and item.get("type") == "reasoning":
            thoughts = _thoughts(read, place)
            continue
        message = _message(read, place)
        if thoughts and message["role"] == "assistant":
            message["reasoning"] = thoughts
        thoughts = []
        if _goes_on(messages, message):
            calls = messages[-1].setdefault("tool_calls", [])
            places[f"input.messages.{len(messages) - 1}.tool_calls.{len(calls)}"] = place
            calls += message["tool_calls"]
        else:
            places[f"input.messages.{len(messages)}"] = place
            messages.append(message)


def _goes_on(messages: list[Json], message: Json) -> bool:
    """Whether a call belongs to what the assistant said right before: one turn has several items."""
    goes_on = "tool_calls" in message and "reasoning" not in message
    return goes_on and bool(messages) and messages[-1]["role"] == "assistant"


def _thoughts(item: Fields, place: str) -> list[Json]:
    """What the model thought before the item that follows; without what only we read, there is nothing to send back."""
    item.take("type")
    for name in ("id", "status"):
        item.text(name)
    for name in ("summary", "content"):
        item.each(name)
    content = item.text("encrypted_content")
    item.end()
    return unpacked(content, f"{place}.encrypted_content") if content else []


def _message(item: Fields, place: str) -> Json:
    kind = item.take("type") or "message"
    item.text("id")  # of items that were given out; they stand for themselves
    item.only("status", "completed", "incomplete", "in_progress")
    match kind:
        case "message":
            found = _said(item, place)
        case "function_call":
            function = {"name": item.need("name"), "arguments": item.need("arguments")}
            call = {"id": item.need("call_id"), "type": "function", "function": function}
            found = {"role": "assistant", "content": None, "tool_calls": [call]}
        case "function_call_output":
            found = {"role": "tool", "tool_call_id": item.need("call_id"), "content": _given(item, place)}
        case _:
            refuse(f"{place}.type", "only message, reasoning, function_call or function_call_output is supported")
    item.end()
    return found


def _said(item: Fields, place: str) -> Json:
    role = item.need("role")
    if role not in ROLES:
        refuse(f"{place}.role", f"only {', '.join(ROLES)} is supported")
    item.only("phase", "final_answer")
    content = item.need("content")
    if isinstance(content, str):
        return {"role": role, "content": content}
    parts = list(_parts(content, f"{place}.content"))
    refusals = [part.pop("refusal") for part in parts if "refusal" in part]
    kept = [part for part in parts if part]
    return {"role": role, "content": kept} | (
        {"content": kept or None, "refusal": "\n".join(refusals)} if refusals else {}
    )


def _given(item: Fields, place: str) -> Any:
    output = item.need("output")
    return output if isinstance(output, str) else list(_parts(output, f"{place}.output"))


def _parts(content: Any, place: str) -> Iterator[Json]:
    for at, given in entries(content, place):
        part = Fields(given, at)
        match part.need("type"):
            case "input_text" | "output_text":
                part.only("annotations", [])
                part.only("logprobs", [])
                yield {"type": "text", "text": part.need("text")} | breakpoint_of(part)
            case "refusal":
                yield {"refusal": part.needed_text("refusal")}
            case "input_image":
                if part.take("file_id") is not None:
                    refuse(f"{at}.file_id", "it is not supported: give an image_url")
                detail = part.text("detail")
                url = {"url": part.need("image_url")} | ({"detail": detail} if detail else {})
                yield {"type": "image_url", "image_url": url} | breakpoint_of(part)
            case "input_file":
                named = {name: text for name in ("filename", "file_data") if (text := part.text(name)) is not None}
                yield {"type": "file", "file": named} | breakpoint_of(part)
            case _:
                refuse(f"{at}.type", "only input_text, output_text, refusal, input_image or input_file is supported")
        part.end()
