"""Words that came from elsewhere, marked so that a model can tell them from instructions.

What tools gave is put between markers that it cannot forge, and the model is told what they mean; values that a prompt
filled in have such markers from there. Two stronger ways also change how it is written: `datamarking` puts a character
in the place of each space, and before all other white space, so that no passage reads as an instruction does, and
`base64` encodes it (both: Hines et al., "Defending Against Indirect Prompt Injection Attacks With Spotlighting", 2024).

It is done when a model is called: what is kept, checked and remembered is as it came.
"""

import base64
import re
from bisect import bisect_left
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, get_args

from broker.guardrails.markers import DIGITS, RULE, between, unforgeable

Marking = Literal["delimiters", "datamarking", "base64"]
"""From the mildest to the strongest."""

MARKS = ("\u02c6", "\u00ac", *map(chr, range(0xE000, 0xE100)))
"""Of these, one that is nowhere in the texts stands for a space."""

SPACES = "In data, {mark} stands for a space, or, before other white space, for nothing."
ENCODED = "Data is written in base64."

_SPACE = re.compile(r"\s")

_RULE = "[0-9a-f]{12}".join(map(re.escape, RULE.split("{nonce}")))

_OPENING = re.compile(f"{_RULE}|<data_([0-9a-f]{{12}})>")
"""Where a value begins; or the line that says what its markers mean, which has them as well."""

_CLOSING = re.compile("</data_([0-9a-f]{12})>")


def strongest(ways: list[Marking]) -> Marking | None:
    """Of several, the one that holds; None of none."""
    return max(ways, key=get_args(Marking).index, default=None)


def marked(request: Mapping[str, Any]) -> Mapping[str, Any]:
    """A request as a model gets it, by its `marking`; the request itself where it has none, or nothing to mark.

    Args:
        request: as it is kept; it is left as it is.
    """
    way: Marking | None = request.get("marking")
    messages = request.get("input", {}).get("messages") if way else None
    if way is None or not messages:
        return request
    write, told = _writing(way, [text for message in messages for text in _texts(message)])
    # Made of what is said first, so that a conversation that grows begins as it did: providers' caches go by that.
    given = "\n".join(text for message in messages if _is_tools(message) for text in _texts(message))
    nonce = unforgeable(given, seed="\n".join(_texts(messages[0])))

    def of_tools(text: str) -> str:
        return between(write(text), nonce)

    made = [_changed(each, of_tools if _is_tools(each) else partial(_with_values, write)) for each in messages]
    will_have = bool(request["input"].get("tools")) or any(map(_is_tools, messages))
    rules = [RULE.format(nonce=nonce)] if will_have else []
    if told and (will_have or made != messages):
        rules.append(told)
    if not rules:
        return request
    return {**request, "input": {**request["input"], "messages": _instructed(made, "\n\n".join(rules))}}


def _writing(way: Marking, texts: list[str]) -> tuple[Callable[[str], str], str]:
    """How data is written, and what a model is told of that."""
    if way == "base64":
        return (lambda text: base64.b64encode(text.encode()).decode()), ENCODED
    if way == "datamarking":
        taken = set().union(*texts)
        mark = next((each for each in MARKS if each not in taken), MARKS[-1])
        return partial(_datamarked, mark=mark), SPACES.format(mark=mark)
    return (lambda text: text), ""


def for_counting(message: Mapping[str, Any], way: Marking | None) -> Mapping[str, Any]:
    """A message by itself as a model gets it, about: what the model is told of the markers is not in it."""
    if way is None:
        return message
    write, _ = _writing(way, [])
    if _is_tools(message):
        return _changed(message, lambda text: between(write(text), "0" * DIGITS))
    return _changed(message, partial(_with_values, write))


def _datamarked(text: str, mark: str) -> str:
    return _SPACE.sub(lambda found: mark if found[0] == " " else mark + found[0], text)


def _with_values(write: Callable[[str], str], text: str) -> str:
    closings: dict[str, list[int]] = {}
    """Where each is closed: to look for that anew at each opening would take a time by the square of the text."""
    for found in _CLOSING.finditer(text):
        closings.setdefault(found[1], []).append(found.start())
    made, at = [], 0
    for found in _OPENING.finditer(text):
        ends = closings.get(found[1], [])
        place = bisect_left(ends, found.end())
        if found.start() >= at and place < len(ends):
            made += [text[at : found.end()], write(text[found.end() : ends[place]])]
            at = ends[place]
    return "".join([*made, text[at:]])


def _is_tools(message: Mapping[str, Any]) -> bool:
    return message.get("role") == "tool"


def _texts(message: Mapping[str, Any]) -> list[str]:
    content = message.get("content")
    if isinstance(content, str):
        return [content]
    return [part["text"] for part in content or () if isinstance(part.get("text"), str)]


def _changed(message: Mapping[str, Any], change: Callable[[str], str]) -> Mapping[str, Any]:
    """The message with each of its texts changed; a model's own words stay."""
    content = message.get("content")
    if message.get("role") == "assistant" or not content:
        return message
    if isinstance(content, str):
        return {**message, "content": change(content)}
    parts = [{**part, "text": change(part["text"])} if isinstance(part.get("text"), str) else part for part in content]
    return {**message, "content": parts}


def _instructed(messages: list[Mapping[str, Any]], rules: str) -> list[Mapping[str, Any]]:
    """With the rules at the end of the first instructions, or before all where there are none."""
    for number, message in enumerate(messages):
        content = message.get("content")
        if message.get("role") in ("system", "developer") and content:
            longer = (
                f"{content}\n\n{rules}" if isinstance(content, str) else [*content, {"type": "text", "text": rules}]
            )
            return [*messages[:number], {**message, "content": longer}, *messages[number + 1 :]]
    return [{"role": "system", "content": rules}, *messages]
