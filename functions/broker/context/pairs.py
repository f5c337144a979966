"""Tools' calls and their results in a conversation: they belong together, wherever it is cut."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Message = Mapping[str, Any]


def pairs(messages: Sequence[Message]) -> list[tuple[int, int]]:
    """Where each result's call is, and where the result is: the nearest call with its id that came before it."""
    calls: dict[str, int] = {}
    found: list[tuple[int, int]] = []
    for place, message in enumerate(messages):
        calls |= dict.fromkeys(_called(message), place)
        identity = _answers(message)
        if identity is not None and identity in calls:
            found.append((calls[identity], place))
    return found


def parts(messages: Sequence[Message], place: int) -> bool:
    """Whether a cut before this place would part a call from its result."""
    return any(call < place <= result for call, result in pairs(messages))


def open_results(messages: Sequence[Message]) -> set[str]:
    """Ids of results whose calls are not among these messages."""
    matched = {result for _, result in pairs(messages)}
    ids = (_answers(message) for place, message in enumerate(messages) if place not in matched)
    return {identity for identity in ids if identity is not None}


def calls_of(messages: Iterable[Message]) -> set[str]:
    """Ids of the calls that these messages make."""
    return {identity for message in messages for identity in _called(message)}


def _called(message: Message) -> Iterable[str]:
    made = message.get("tool_calls")
    calls = made if isinstance(made, list) else []
    return (str(each["id"]) for each in calls if isinstance(each, Mapping) and "id" in each)


def _answers(message: Message) -> str | None:
    return str(message["tool_call_id"]) if message["role"] == "tool" and message.get("tool_call_id") else None
