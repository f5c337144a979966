"""What tests of histories begin with: messages, and calls that have them."""

from typing import Any

from broker.providers.wire.base import Call
from broker.providers.wire.dialects import OPENAI, Dialect
from broker.providers.wire.history import History, prepare

ASK = {"role": "user", "content": "How old is Ann?"}
LIST = {"type": "array", "items": {"type": "integer"}}


def use(identity: str = "t1", arguments: Any = '{"age": 1}', name: str = "look_up") -> dict[str, Any]:
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}


def uses(*made: dict[str, Any], content: Any = None) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "tool_calls": list(made)}


def result(identity: str = "t1", content: Any = "30") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": identity, "content": content}


def a_call(*messages: dict[str, Any], options: Any = None, **more: Any) -> Call:
    return Call("chat", "m", {"messages": list(messages), **more}, {}, 5, options=options or {})


def made(*messages: dict[str, Any], dialect: Dialect = OPENAI, options: Any = None, **more: Any) -> History:
    return prepare(a_call(*messages, options=options, **more), dialect)


def shown(history: History) -> list[str]:
    """Each turn as its role, what it says, `+` for a call and `=` for a result."""
    return [
        f"{turn.role}: " + " | ".join([*(f"={each.parts[0]}" for each in turn.results), *map(str, turn.parts)])
        + "".join(f" +{each.text}" for each in turn.uses)
        for turn in history.turns
    ]  # fmt: skip
