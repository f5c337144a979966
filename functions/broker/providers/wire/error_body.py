"""What a provider's error says of itself, in whatever form: codes, words, the field that it names, a pause.

Forms: OpenAI's `{"error": {"message", "type", "param", "code"}}`, the same without its frame (vLLM, SGLang, Mistral,
whose message may be an object), `{"error": "…"}` (TGI, xAI), FastAPI's `{"detail": [{"loc", "msg", "type"}]}`, Google's
`{"error": {"status", "details": [{"reason", "fieldViolations", "retryDelay"}]}}`, Azure's `innererror`, OpenRouter's
`metadata.raw` (another's error as a text). The words may quote the prompt: they are looked at here and in `failures`,
and go nowhere from there.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from broker.providers.wire.structured import loads
from broker.providers.wire.values import field

_INNER = (
    *("error", "innererror", "inner_error", "metadata", "raw", "details", "errors", "detail"),
    *("fieldViolations", "field_violations"),
)
_CODES = ("code", "type", "status", "reason", "error_type", "error_code", "finish_reason")
_WORDS = ("message", "msg", "error", "detail", "Message", "raw", "description")
_PLACES = ("param", "loc", "field")

_DEEPEST = 5
_MOST = 40
"""Objects of one body that are looked at."""
_LONGEST = 4000
"""Characters of one text that are looked at."""

_SECONDS = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)s?")
_TRY_AGAIN = re.compile(r"try again in (?:(\d{1,5})h)?(?:(\d{1,5})m(?!s))?(?:(\d{1,9}(?:\.\d{1,9})?)(ms|s))?")


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """What was found, outermost first; all in lower case."""

    codes: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    """Of fields, dotted: `body.messages.2.content`."""
    status: int | None = None
    """An HTTP status that the body has."""
    pause: float | None = None
    """Seconds."""


def read_error_body(body: Any) -> ErrorBody:
    """Read an error's body: JSON, or a text where it was none."""
    if isinstance(body, str):
        return ErrorBody(words=(body[:_LONGEST].lower(),))
    nodes = list(_nodes(body))
    codes = [str(each).lower() for each in _texts(nodes, _CODES)]
    if any("flagged_input" in node for node in nodes):  # OpenRouter's word for what its moderation stopped
        codes.append("content_filter")
    statuses = (_status(node, name) for node in nodes for name in ("code", "status", "status_code"))
    words = tuple(each[:_LONGEST].lower() for each in _texts(nodes, _WORDS))
    return ErrorBody(
        tuple(codes),
        words,
        tuple(place for node in nodes for name in _PLACES if (place := _dotted(node.get(name)))),
        next(filter(None, statuses), None),
        _pause(nodes, words),
    )


def _nodes(body: Any) -> Iterator[dict[str, Any]]:
    """The objects that an error is made of."""
    waiting: list[tuple[Any, int]] = [(body, 0)]
    for _ in range(_MOST):
        if not waiting:
            return
        found, depth = waiting.pop(0)
        if isinstance(found, str) and found.lstrip()[:1] in ("{", "["):
            found = _parsed(found)
        if isinstance(found, list):
            waiting += [(each, depth + 1) for each in found[:_MOST] if isinstance(each, dict)]
        elif isinstance(found, dict):
            yield found
            if depth < _DEEPEST:
                waiting += [(found[name], depth + 1) for name in _INNER if found.get(name)]
                if isinstance(said := found.get("message"), dict):
                    waiting.append((said, depth + 1))


def _parsed(text: str) -> Any:
    try:
        return loads(text)
    except ValueError:
        return None


def _texts(nodes: list[dict[str, Any]], names: tuple[str, ...]) -> Iterator[str]:
    for node in nodes:
        for name in names:
            if isinstance(value := node.get(name), str) and value:
                yield value


def _dotted(place: Any) -> str:
    if isinstance(place, list):
        place = ".".join(str(each) for each in place[:10] if isinstance(each, str | int))
    return place[:200].lower() if isinstance(place, str) else ""


def _status(node: dict[str, Any], name: str) -> int | None:
    value = node.get(name)
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) == 3:
        value = int(value)
    return value if type(value) is int and 400 <= value < 600 else None


def _pause(nodes: list[dict[str, Any]], words: tuple[str, ...]) -> float | None:
    """Google's is a field of its details; OpenAI and Groq say it, beside the header, in words."""
    for node in nodes:
        if found := _SECONDS.fullmatch(str(field(node, "retryDelay"))):
            return float(found[1])
    for found in filter(None, map(_TRY_AGAIN.search, words)):
        hours, minutes, seconds, unit = found.groups()
        if hours or minutes or seconds:
            small = float(seconds or 0) / (1000 if unit == "ms" else 1)
            return int(hours or 0) * 3600 + int(minutes or 0) * 60 + small
    return None
