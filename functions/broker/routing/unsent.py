"""Fields of messages and tools that no model is sent: whoever sent them has to hear of it.

Clients send back what they were given, so an assistant's message may hold anything. What else nobody has a word for is
refused by a request that wants nothing left out (`on_unsupported`), and told in the attempt of any other.
"""

from collections.abc import Iterator, Mapping
from typing import Any

MESSAGE = frozenset({"role", "content", "name", "tool_call_id", "cache_control"})
TOOL = frozenset({"type", "function", "cache_control"})
FUNCTION = frozenset({"name", "description", "parameters", "strict"})
PARTS = {
    "text": frozenset({"type", "text", "cache_control"}),
    "image_url": frozenset({"type", "image_url", "cache_control"}),
}
"""Of other parts, which only some models take, all is sent."""
PICTURE = frozenset({"url", "detail"})

MOST = 8
"""Fields that are told of one request: the head of its job keeps them with each call."""


def unsent(request: Mapping[str, Any]) -> list[str]:
    """The first of them, dotted from the body of a stored request."""
    found = _unsent(request.get("input", {}))
    return [place for place, _ in zip(found, range(MOST), strict=False)]


def _unsent(given: Mapping[str, Any]) -> Iterator[str]:
    for number, tool in enumerate(given.get("tools") or ()):
        yield from _beyond(tool, TOOL, f"input.tools.{number}")
        yield from _beyond(tool.get("function"), FUNCTION, f"input.tools.{number}.function")
    for number, message in enumerate(given.get("messages") or ()):
        if message.get("role") == "assistant":
            continue
        place = f"input.messages.{number}"
        yield from _beyond(message, MESSAGE, place)
        content = message.get("content")
        for which, part in enumerate(content if isinstance(content, list) else ()):
            known = PARTS.get(part.get("type"))
            if known:
                yield from _beyond(part, known, f"{place}.content.{which}")
                yield from _beyond(part.get("image_url"), PICTURE, f"{place}.content.{which}.image_url")


def _beyond(value: Any, known: frozenset[str], place: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from (f"{place}.{name}" for name, each in value.items() if name not in known and each is not None)
