"""Messages of a chat as the items that OpenAI's clients know, each with an id of its own, and pages of them.

An answer's items have the ids that its response gave them; all others are known by their job and their place among
what it added: `msg_{job}_i2`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from broker.doors.reading import Json
from broker.doors.thoughts import reasoning_item
from broker.errors import InvalidRequest, TooLarge
from broker.json_text import MOST_IN_REPLY, in_reply

MOST_ITEMS = 100
"""On a page."""

ORDERS = ("desc", "asc")

PLACE = "item"
"""Of a message before which one was taken out: the number that it had, so that its items keep their ids."""


def items_of(job_id: str, messages: Sequence[Mapping[str, Any]], *, answered: bool) -> Iterator[Json]:
    """What a job added, as items; `answered` where the last message is its answer."""
    for own, message in _placed(job_id, messages, answered):
        yield from _items(own, message)


def _placed(
    job_id: str, messages: Sequence[Mapping[str, Any]], answered: bool
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each message with what the ids of its items have in common."""
    own = job_id.removeprefix("job_")
    for number, message in enumerate(messages, 1):
        is_answer = answered and number == len(messages) and PLACE not in message
        yield own if is_answer else f"{own}_i{message.get(PLACE, number)}", message


def _items(own: str, message: Mapping[str, Any]) -> Iterator[Json]:
    if message["role"] == "tool":
        known = {"call_id": message["tool_call_id"], "output": _output(message.get("content")), "status": "completed"}
        yield {"type": "function_call_output", "id": f"fco_{own}", **known}
        return
    if message.get("reasoning"):
        yield reasoning_item(own, message["reasoning"], shown=True)
    parts = list(_parts(message))
    if parts:
        known = {"role": message["role"], "status": "completed", "content": parts}
        yield {"type": "message", "id": f"msg_{own}", **known}
    for number, call in enumerate(message.get("tool_calls") or (), 1):
        function = call["function"]
        known = {"name": function["name"], "arguments": function["arguments"], "status": "completed"}
        yield {"type": "function_call", "id": f"fc_{own}_{number}", "call_id": call["id"], **known}


def _parts(message: Mapping[str, Any]) -> Iterator[Json]:
    is_said = message["role"] == "assistant"
    content = message.get("content") or []
    for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
        if is_said and part["type"] == "text":
            yield {"type": "output_text", "text": part["text"], "annotations": [], "logprobs": []}
        else:
            yield _given(part)
    if message.get("refusal"):
        yield {"type": "refusal", "refusal": message["refusal"]}


def _given(part: Mapping[str, Any]) -> Json:
    match part["type"]:
        case "text":
            return {"type": "input_text", "text": part["text"]}
        case "image_url":
            picture = part["image_url"]
            picture = {"url": picture} if isinstance(picture, str) else picture
            return {"type": "input_image", "image_url": picture["url"], "detail": picture.get("detail", "auto")}
        case "file":
            return {"type": "input_file", **part["file"]}
    return dict(part)


def _output(content: Any) -> Any:
    return content if isinstance(content, str) else [_given(part) for part in content or ()]


def messages_without(
    job_id: str, messages: Sequence[Mapping[str, Any]], item_id: str, *, answered: bool
) -> list[Mapping[str, Any]]:
    """What is left of what a job added without one of its items; the results of a call go with it."""
    left, gone = list[Mapping[str, Any]](), set[str]()
    for own, message in _placed(job_id, messages, answered):
        _, numbered, number = own.partition("_i")
        kept = {**message, PLACE: int(number)} if numbered else dict(message)
        for item in _items(own, message):
            if item["id"] != item_id:
                continue
            match item["type"]:
                case "function_call":
                    gone.add(item["call_id"])
                    kept["tool_calls"] = [call for call in kept["tool_calls"] if call["id"] != item["call_id"]]
                    kept = {name: value for name, value in kept.items() if name != "tool_calls" or value}
                case "reasoning":
                    del kept["reasoning"]
                case "message":
                    kept = {**kept, "content": None}
                    kept.pop("refusal", None)
                case _:
                    kept["role"] = ""
        if kept["role"] == "tool" and kept["tool_call_id"] in gone:
            continue
        if kept["role"] and (kept.get("content") or kept.get("tool_calls") or kept.get("refusal")):
            left.append(kept)
    return left


def page_of(items: Iterable[Json], *, limit: int, after: str | None, order: str, most: int = MOST_ITEMS) -> Json:
    """A page of a list, as long as `limit` and a reply allow.

    Args:
        items: all of them, oldest first.
        limit: at most so many.
        after: the last id of the page before.
        order: `desc`, newest first, or `asc`.
        most: the largest limit.

    Raises:
        InvalidRequest: names the field at fault.
        TooLarge: an item alone is larger than a reply.
    """
    if not 1 <= limit <= most:
        raise InvalidRequest(f"limit is from 1 to {most}.", param="limit")
    if order not in ORDERS:
        raise InvalidRequest(f"order is one of {', '.join(ORDERS)}.", param="order")
    found = list(items)
    if order == "desc":
        found.reverse()
    if after:
        at = next((number for number, item in enumerate(found) if item["id"] == after), None)
        if at is None:
            raise InvalidRequest("after: there is no such item.", code="invalid_field", param="after")
        found = found[at + 1 :]
    data: list[Json] = []
    left = MOST_IN_REPLY
    for item in found[:limit]:
        left -= in_reply(json.dumps(item, ensure_ascii=False))
        if left < 0:
            break
        data.append(item)
    if found and not data:
        raise TooLarge(f"The item {found[0]['id']} is larger than a reply may be.", code="item_too_large")
    ends = {"first_id": data[0]["id"] if data else None, "last_id": data[-1]["id"] if data else None}
    return {"object": "list", "data": data, **ends, "has_more": len(data) < len(found)}
