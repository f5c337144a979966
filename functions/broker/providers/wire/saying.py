"""What a model said, freed from what is not for the reader: its thinking, a fence or prose around JSON.

A tool call's arguments are a JSON object, whatever form a service gives them: the broker never keeps an answer whose
tool arguments are not. (A schema of another kind was put into an object for the model, and `Toolbox.restored` unwraps
what it gave.)
"""

import json
import re
from typing import Any

from broker.errors import Truncated
from broker.providers.wire.base import Call
from broker.providers.wire.exchange import Json, bad
from broker.providers.wire.structured import check_storable, loads
from broker.providers.wire.values import field

_THINK = re.compile(r"\s*<(think|thinking)>")
_FENCE = re.compile(r"```[\w-]*[ \t]*\r?\n(.*?)```", re.DOTALL)
_MOST = 8
"""Places in a text at which JSON is looked for."""


def shown(text: str, finish: str) -> str:
    """A text without the thinking that it begins with (`<think>…</think>`, where a server leaves it in).

    Thinking that was cut off is all that there is; else a mark without its end is the reader's.
    """
    opened = _THINK.match(text)
    if opened is None:
        return text
    _, mark, rest = text.partition(f"</{opened[1]}>")
    if mark:
        return rest.lstrip()
    return "" if finish == "length" else text


def json_of(text: str) -> str:
    """The part of a text that is JSON, where not all of it is; the text itself where none is.

    JSON comes behind thinking whose beginning the template wrote, in a fence, or in the midst of prose.
    """
    if _is_json(text):
        return text
    rest = text.rpartition("</think>")[2]
    fenced = [found[1] for found in list(_FENCE.finditer(rest))[:_MOST]]
    return next((each for each in [rest, *fenced] if _is_json(each)), None) or _embedded(rest) or text


def _is_json(text: str) -> bool:
    try:
        loads(text.strip("\ufeff \t\r\n"))
    except ValueError:
        return False
    return True


def _embedded(text: str) -> str | None:
    """The longest object or list in a text that is followed or led by words."""
    decoder = json.JSONDecoder()
    best, end = "", 0
    for found in list(re.finditer(r"[{\[]", text))[:_MOST]:
        if found.start() < end:
            continue
        try:
            _, end = decoder.raw_decode(text, found.start())
        except (ValueError, RecursionError):
            continue
        best = max(best, text[found.start() : end], key=len)
    return best or None


def called(call: Call, given: list[Json], finish: str) -> list[Json]:
    """The calls that a model makes, in OpenAI's form.

    Args:
        call: whose tools they have to be of.
        given: `{"id", "name", "arguments"}` of each, by `Toolbox.named`; arguments as the service has them, an object,
            a text, or nothing for none. What else there is goes on as it is.
        finish: why the model stopped.

    Raises:
        Truncated: the limit was reached in the midst of them.
        BadOutput: one is of no tool of the request's, or its arguments are no JSON object.
    """
    known = {str(field(tool, "function", "name")) for tool in call.input.get("tools") or []}
    return [_called(each, known, finish) for each in given]


def _called(given: Json, known: set[str], finish: str) -> Json:
    more = {name: value for name, value in given.items() if name not in ("id", "name", "arguments")}
    name, arguments = given.get("name"), given.get("arguments")
    if not isinstance(name, str):
        bad("The model's tool call is malformed.")
    try:
        text = _object(arguments)
    except (ValueError, RecursionError):
        if finish == "length":
            message = "The model reached its limit in the midst of a tool call."
            raise Truncated(message, code="output_truncated", maybe_paid=True) from None
        bad("The arguments of the model's tool call are no JSON object.", code="invalid_arguments")
    if name not in known:
        bad("The model called a tool that it was not given.", code="unknown_tool")
    return {"id": given["id"], "type": "function", "function": {"name": name, "arguments": text}} | more


def _object(arguments: Any) -> str:
    """Arguments as the text of an object; the model's own text where it is one."""
    if isinstance(arguments, str) and arguments.strip():
        try:
            found, text = loads(arguments), arguments
        except ValueError:  # a line's end inside a text is a common slip
            found = json.loads(arguments, strict=False)
            text = json.dumps(found, ensure_ascii=False, allow_nan=False)
        check_storable(found)
    else:
        found = arguments or {}
        check_storable(found)
        text = json.dumps(found, ensure_ascii=False, allow_nan=False)
    if not isinstance(found, dict):
        raise ValueError
    return text
