"""Marks in a prompt: all up to the end of what has one is to be kept by the provider, for a call that begins the same.

They are in the form of Anthropic's (`cache_control`), whose own dialect and Bedrock's have such marks; other providers
find by themselves what they have read before.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

MOST_MARKS = 4
"""Anthropic and Bedrock take no more in a request."""

SHORT, LONG = "5m", "1h"

MARK = "cache_control"


def longest_asked(request: Mapping[str, Any]) -> str | None:
    """For how long a stored request wants anything kept, `SHORT` or `LONG`; None where it does not ask for it."""
    given = request.get("input", {})
    found = {each[MARK].get("ttl", SHORT) for each in _holders(given) if isinstance(each, Mapping) and each.get(MARK)}
    if (wish := request.get("prompt_cache")) is not None:
        found.add(SHORT if wish.get("ttl", SHORT) == SHORT else LONG)
    return max(found, key=(SHORT, LONG).index, default=None)


def _holders(given: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """All of a stored input that may have a mark."""
    yield from given.get("tools") or ()
    for message in given.get("messages") or ():
        yield message
        if message.get("role") == "assistant":
            yield from message.get("tool_calls") or ()
        content = message.get("content")
        yield from content if isinstance(content, list) else ()


def without_marks(given: Mapping[str, Any]) -> dict[str, Any]:
    """A stored input without its marks, which change nothing of what is asked."""
    bare = dict(given)
    if "tools" in bare:
        bare["tools"] = [_bare(each) for each in bare["tools"]]
    if "messages" in bare:
        bare["messages"] = [_bare_message(each) for each in bare["messages"]]
    return bare


def _bare_message(message: Mapping[str, Any]) -> dict[str, Any]:
    bare = _bare(message)
    for name in ("content", "tool_calls"):
        if isinstance(bare.get(name), list):
            bare[name] = _all_bare(bare[name])
    return bare


def _all_bare(parts: Sequence[Any]) -> list[Any]:
    return [_bare(each) if isinstance(each, Mapping) else each for each in parts]


def _bare(holder: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in holder.items() if name != MARK}
