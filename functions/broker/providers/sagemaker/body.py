"""What a SageMaker endpoint is sent and answers: each container has a form of its own, so operators describe it.

Options of a model:
    body: a JSON template. A text that is one place, such as `"{{text}}"`, is replaced by the value: `{{text}}`,
        `{{messages}}`, `{{parameters}}`, `{{body}}`, or a part of one (`{{parameters.temperature}}`); what the request
        has not is left out of its object. Without a template: `input.body` for `custom`; else Hugging Face's
        `{"inputs", "parameters"}`.
    output: a JMESPath to the text (chat) or the vectors (embed) in the reply.
    content_type, accept: of what is sent and wanted; JSON without.
"""

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

from broker.errors import InvalidRequest, Rejected, Unavailable
from broker.providers.aws.service import bad, text
from broker.providers.wire import structured
from broker.providers.wire.base import Answer, Call
from broker.providers.wire.chat import instruction
from broker.providers.wire.embeddings import is_vector
from broker.providers.wire.exchange import unsupported_task
from broker.providers.wire.saying import json_of, shown
from broker.providers.wire.sending import taken
from broker.token_estimates import estimate

TASKS = frozenset({"custom", "chat", "embed"})
LARGEST_BYTES = 6_291_456
"""Of a request or reply of a real-time endpoint."""

JSON = "application/json"
DEFAULT = {"inputs": "{{text}}", "parameters": "{{parameters}}"}

_PLACE = re.compile(r"\{\{([a-z_]+(?:\.[a-z_]+)*)\}\}")
_ABSENT: Any = object()


def content_type(call: Call) -> str:
    """Of what is sent."""
    return str(call.options.get("content_type", JSON))


def body(call: Call) -> bytes:
    """What the endpoint is sent.

    Raises:
        InvalidRequest: the task needs what the model's options or the request do not have, or a body that JSON has not.
    """
    if call.task not in TASKS or (call.task != "custom" and not call.options.get("output")):
        raise unsupported_task()
    template = call.options.get("body", "{{body}}" if call.task == "custom" else DEFAULT)
    made = _filled(template, _values(call, in_text="{{text}}" in json.dumps(template)))
    if made is _ABSENT:
        raise InvalidRequest("The request has nothing to send.", code="no_input", param="input")
    if isinstance(made, str) and not _is_json(content_type(call)):
        return made.encode()
    try:
        return json.dumps(made, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        raise InvalidRequest("The body is not JSON.", code="invalid_body", param="input.body") from None


def _values(call: Call, *, in_text: bool) -> dict[str, Any]:
    """What places stand for; a chat's messages become a text only where one is wanted."""
    given = call.input
    values: dict[str, Any] = {name: given[name] for name in ("body", "text", "messages") if given.get(name) is not None}
    values["parameters"] = {name: each for name, each in call.parameters.items() if each is not None}
    taken(*values["parameters"])
    if call.task == "chat":
        said = [{"role": "user", "content": each} for each in _texts(given.get("text"))]
        messages = list(values.get("messages", said))
        if wanted := instruction(call, natively=False):
            messages.append({"role": "user", "content": wanted})
        values["messages"] = messages
        if in_text:
            values["text"] = "\n\n".join(_said(each) for each in messages)
    return values


def _texts(given: Any) -> list[str]:
    return [given] if isinstance(given, str) else list(given or [])


def _said(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if content is None or isinstance(content, str):
        return content or ""
    if any(part.get("type") != "text" for part in content):
        raise Rejected("Only text can be sent to this model.", code="unsupported_content", param="input.messages")
    return "\n".join(str(part.get("text", "")) for part in content)


def _filled(template: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(template, str):
        place = _PLACE.fullmatch(template)
        return _value(place.group(1), values) if place else template
    if isinstance(template, Mapping):
        filled = {name: _filled(each, values) for name, each in template.items()}
        return {name: each for name, each in filled.items() if each is not _ABSENT}
    if isinstance(template, list | tuple):
        return [each for each in (_filled(part, values) for part in template) if each is not _ABSENT]
    return template


def _value(path: str, values: Mapping[str, Any]) -> Any:
    found: Any = values
    for name in path.split("."):
        found = found.get(name, _ABSENT) if isinstance(found, Mapping) else _ABSENT
    return found


def _is_json(kind: str) -> bool:
    kind = kind.partition(";")[0].strip().lower()
    return kind == JSON or kind.endswith("+json")


def answer(call: Call, data: bytes, kind: str, facts: Mapping[str, str]) -> Answer:
    """The endpoint's reply as an answer; `kind` is its content type.

    A custom endpoint's body is JSON, or text, or bytes as base64, by what it is.

    Raises:
        BadOutput: it is not what the task needs.
        Unavailable: the model's options cannot be used.
    """
    common: dict[str, Any] = {"facts": dict(facts), "units": {"requests": 1}}
    if call.task == "custom":
        return Answer({"body": _any(data, kind)}, **common)
    try:
        found = _search(str(call.options["output"]), structured.loads(data))
    except ValueError:
        bad("The endpoint's reply is not JSON.", code="reply_not_json")
    if call.task == "embed":
        texts = _texts(call.input.get("text"))
        return Answer({"embeddings": _vectors(found, len(texts))}, input_tokens=estimate("".join(texts)), **common)
    said = shown(text(found, "text"), "stop")
    if not said.strip():
        bad("The model's answer is empty.", code="empty_answer")
    output: dict[str, Any] = {"text": said, "finish_reason": "stop"}
    if call.output_schema is not None:
        output["json"] = structured.parse(json_of(said), call.output_schema)
    return Answer(output, input_tokens=estimate(body(call).decode()), output_tokens=estimate(said), **common)


def _any(data: bytes, kind: str) -> Any:
    try:
        value = structured.loads(data) if _is_json(kind) else data.decode()
        structured.check_storable(value)
        return value
    except ValueError:
        if _is_json(kind):
            bad("The endpoint's reply is not JSON.", code="reply_not_json")
        return base64.b64encode(data).decode()


def _search(path: str, value: Any) -> Any:
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        return jmespath.search(path, value)
    except JMESPathError:
        raise Unavailable("The model's option `output` does not fit the reply.", code="bad_options") from None


def _vectors(found: Any, wanted: int) -> list[list[float]]:
    vectors = [found] if isinstance(found, list) and found and not isinstance(found[0], list) else found
    if not isinstance(vectors, list) or len(vectors) != wanted:
        bad("The endpoint's reply has another number of embeddings.")
    if not all(map(is_vector, vectors)):
        bad("The endpoint's embeddings are no vectors of numbers.")
    return vectors
