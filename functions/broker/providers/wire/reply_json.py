"""A 2xx's bytes as JSON: also where a server streams unasked, or a page stands where the service should be."""

import json
from typing import Any

from broker.errors import BadOutput, Unavailable
from broker.providers.wire.structured import loads
from broker.providers.wire.values import field

_DONE = "[DONE]"
_MOST = 100_000
"""Lines of a stream that are looked at."""


def parsed(raw: bytes) -> Any:
    """The JSON of a reply.

    A stream of events in OpenAI's form is put together to the answer that it would have been in one piece; of any
    other stream its last event is the reply.

    Raises:
        BadOutput: it is no JSON; it may have been paid for.
        Unavailable: it is a web page (of a login, a proxy): no model was asked.
    """
    try:
        return loads(raw)
    except ValueError:
        pass
    text = raw.decode("utf-8-sig", "replace").strip()
    if text[:15].lower().startswith(("<!doctype", "<html")):
        raise Unavailable("A web page answered in the provider's place.", code="web_page")
    events = _events(text)
    if not events:
        raise BadOutput("The provider's reply is not JSON.", code="reply_not_json", maybe_paid=True)
    chunks = [each for each in events if isinstance(field(each, "choices"), list)]
    failed = next((each for each in events if field(each, "error")), None)
    if failed is None and any("delta" in choice for each in chunks for choice in _choices(each)):
        return _whole(chunks)
    return failed or events[-1]


def _events(text: str) -> list[Any]:
    """The JSON of a stream's events (`data: {…}`); also of a whole reply that only ends like a stream."""
    found: list[Any] = []
    head, _, rest = text.partition("\ndata:")
    if not text.startswith(("data:", "event:", "id:", ":")) and rest.strip() == _DONE:
        text = f"data: {' '.join(head.splitlines())}"
    if not text.startswith(("data:", "event:", "id:", ":")):
        return found
    for line in text.splitlines()[:_MOST]:
        said = line.removeprefix("data:").strip()
        if line.startswith("data:") and said and said != _DONE:
            try:
                found.append(loads(said))
            except ValueError:
                return []
    return found


def _choices(chunk: Any) -> list[dict[str, Any]]:
    return [each for each in chunk["choices"] if isinstance(each, dict)]


def _whole(chunks: list[Any]) -> dict[str, Any]:
    texts: dict[str, list[str]] = {"content": [], "reasoning_content": [], "refusal": []}
    calls: dict[Any, dict[str, Any]] = {}
    finish: Any = None
    whole: dict[str, Any] = {}
    for chunk in chunks:
        whole |= {name: value for name, value in chunk.items() if value is not None and name != "choices"}
        for choice in _choices(chunk)[:1]:
            finish = choice.get("finish_reason") or finish
            delta = choice.get("delta")
            for name, said in texts.items():
                if isinstance(part := field(delta, name), str):
                    said.append(part)
            made = field(delta, "tool_calls")
            for place, each in enumerate(made if isinstance(made, list) else []):
                if isinstance(each, dict):
                    _add(calls.setdefault(str(each.get("index", place)), {}), each)
    message: dict[str, Any] = {name: "".join(said) or None for name, said in texts.items()}
    if calls:
        message["tool_calls"] = list(calls.values())
    return whole | {"choices": [{"index": 0, "message": message, "finish_reason": finish}]}


def _add(call: dict[str, Any], part: dict[str, Any]) -> None:
    """One part of a tool call's stream: its id and name come once, its arguments in pieces."""
    call["id"] = call.get("id") or part.get("id")
    function = call.setdefault("function", {"name": None, "arguments": ""})
    function["name"] = function["name"] or field(part, "function", "name")
    said = field(part, "function", "arguments")
    function["arguments"] += said if isinstance(said, str) else json.dumps(said) if said else ""
