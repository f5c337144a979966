"""OpenAI's chat completions and embeddings, as OpenAI and every compatible server (vLLM, Ollama, …) speak them.

Source: the API reference of OpenAI, `POST /v1/chat/completions` and `POST /v1/embeddings`.
"""

import json
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, NoReturn
from urllib.parse import urlsplit

from broker.errors import BadOutput, BrokerError, ContextExceeded, CredentialRejected, InvalidRequest, Refused
from broker.providers import structured
from broker.providers.base import Answer, Call
from broker.providers.http import Reply, post_json
from broker.providers.vectors import is_vector
from broker.tokens import estimate

BASE_URL = "https://api.openai.com/v1"

OWN_HOSTS = ("openai.com", "openai.azure.com")
"""Where the limit is called `max_completion_tokens`: reasoning models there reject `max_tokens`, and all reject both at
once. Every other host gets `max_tokens`, the name that all compatible servers know."""

PASSED_ON = ("temperature", "top_p", "stop", "seed")

FINISHES = {"length": "length", "tool_calls": "tool_calls", "function_call": "tool_calls"}
"""Why a model stopped, in the broker's words; all others are `stop`."""

_CONTEXT = (ContextExceeded, "The prompt is longer than the model's context window.")
_REFUSED = (Refused, "The provider's content policy refused the request.")
_UNPAID = (CredentialRejected, "The provider's account has no credit left.")
CODES: dict[str, tuple[type[BrokerError], str]] = {
    "context_length_exceeded": _CONTEXT,
    "exceed_context_size_error": _CONTEXT,  # llama.cpp
    "content_filter": _REFUSED,  # Azure
    "content_policy_violation": _REFUSED,
    "moderation_blocked": _REFUSED,  # of pictures
    # It comes as a 429, but no pause helps an account without credit. As with a wrong key, an operator has to look,
    # and meanwhile the next candidate is asked.
    "insufficient_quota": _UNPAID,
    "billing_hard_limit_reached": _UNPAID,
    "billing_not_active": _UNPAID,
}
"""Codes and types in an error's body that say more than the status."""

_TOO_LONG = "maximum context length"
"""vLLM has no code for it, only OpenAI's words. They are looked for in a 400, and go nowhere from there."""

_CLOSED_WORDS = frozenset({"type", "properties", "required", "additionalProperties", "items", "enum", "title"})
_DEEPEST_STRICT = 5


MORE = {
    "generate_image": "broker.providers.openai_images",
    "moderate": "broker.providers.openai_moderation",
    "speak": "broker.providers.openai_audio",
    "transcribe": "broker.providers.openai_audio",
}
"""The other tasks, by the module that has a function of that name; loaded on first use."""


class OpenAI:
    """OpenAI and compatible servers. `Call.endpoint` is a base URL that ends in `/v1`."""

    tasks = frozenset({"chat", "embed", *MORE})

    def invoke(self, call: Call) -> Answer:
        """Make the call; see `Provider`. Without an endpoint it goes to `OPENAI_BASE_URL`, else to OpenAI itself."""
        tasks: dict[str, Callable[[Call], Answer]] = {"chat": _chat, "embed": _embed}
        if call.task in MORE:
            tasks[call.task] = getattr(import_module(MORE[call.task]), call.task)
        if call.task not in tasks:
            raise InvalidRequest("The model's provider does not do this task.", code="unsupported_task", param="task")
        return tasks[call.task](call)


def _chat(call: Call) -> Answer:
    base = _base(call)
    asked = _chat_request(call, base)
    reply = _post(call, f"{base}/chat/completions", asked)
    choice = _first(reply.body, "choices")
    message = choice.get("message")
    if not isinstance(message, dict):
        _bad("The provider's reply has no message.")
    if message.get("refusal") or choice.get("finish_reason") == "content_filter":
        raise Refused("The model refused to answer.", code="model_refused", maybe_paid=True)
    text, tool_calls = message.get("content") or "", _tool_calls(message.get("tool_calls"))
    if not isinstance(text, str):
        _bad("The provider's reply has a message that is no text.")
    if not text.strip() and not tool_calls:
        _bad("The model's answer is empty.", code="empty_answer")
    reason = choice.get("finish_reason")
    finish = FINISHES.get(reason, "stop") if isinstance(reason, str) else "stop"
    if tool_calls and finish == "stop":  # what OpenAI says when a tool was forced by name
        finish = "tool_calls"
    output: dict[str, Any] = {"text": text, "finish_reason": finish}
    if tool_calls:
        output["tool_calls"] = tool_calls
    elif call.output_schema is not None:
        output["json"] = structured.answer(text, call.output_schema, finish)
    said = text + "".join(each["function"]["arguments"] for each in tool_calls)
    return Answer(
        output,
        input_tokens=_used(reply, "prompt_tokens", json.dumps(asked, ensure_ascii=False)),
        output_tokens=_used(reply, "completion_tokens", said),
        finish_reason=finish,
        facts=_facts(reply),
    )


def _chat_request(call: Call, base: str) -> dict[str, Any]:
    messages = list(call.input.get("messages") or [])
    if not messages:
        messages = [{"role": "user", "content": text} for text in _texts(call)]
    if call.repair and call.output_schema is not None:
        messages.append({"role": "user", "content": structured.repair_instruction(call.output_schema)})
    asked: dict[str, Any] = {"model": call.model, "messages": messages}
    asked |= {name: call.input[name] for name in ("tools", "tool_choice") if call.input.get(name)}
    asked |= {name: call.parameters[name] for name in PASSED_ON if call.parameters.get(name) is not None}
    if call.parameters.get("max_output_tokens") is not None:
        host = urlsplit(base).hostname or ""
        own = any(host == each or host.endswith(f".{each}") for each in OWN_HOSTS)
        asked["max_completion_tokens" if own else "max_tokens"] = call.parameters["max_output_tokens"]
    if call.output_schema is not None:
        schema = {"name": "answer", "schema": call.output_schema, "strict": _is_closed(call.output_schema)}
        asked["response_format"] = {"type": "json_schema", "json_schema": schema}
    return asked


def _is_closed(schema: Any, depth: int = 0) -> bool:
    """True for what OpenAI's strict mode surely takes; it rejects any other schema, where the loose mode tries."""
    if not isinstance(schema, dict) or depth > _DEEPEST_STRICT or not schema.keys() <= _CLOSED_WORDS | {"description"}:
        return False
    properties, inner = schema.get("properties", {}), []
    if schema.get("type") == "object":
        if schema.get("additionalProperties") is not False or set(schema.get("required", ())) != set(properties):
            return False
        inner = list(properties.values())
    elif depth == 0 or not isinstance(schema.get("type"), str):
        return False
    if schema.get("type") == "array":
        inner = [schema.get("items")]
    return all(_is_closed(each, depth + 1) for each in inner)


def _embed(call: Call) -> Answer:
    texts = _texts(call)
    reply = _post(call, f"{_base(call)}/embeddings", {"model": call.model, "input": texts})
    _first(reply.body, "data")
    rows = reply.body["data"]
    if len(rows) != len(texts) or not all(isinstance(row, dict) for row in rows):
        _bad("The provider's reply has another number of embeddings.")
    places = [row.get("index", place) for place, row in enumerate(rows)]
    if set(map(type, places)) != {int} or sorted(places) != list(range(len(texts))):
        _bad("The provider's embeddings are numbered wrongly.")
    ordered = [row.get("embedding") for _, row in sorted(zip(places, rows, strict=True), key=lambda each: each[0])]
    if not all(is_vector(each) for each in ordered):
        _bad("The provider's embeddings are no vectors of numbers.")
    used = _used(reply, "prompt_tokens", "".join(texts))
    return Answer({"embeddings": ordered}, input_tokens=used, output_tokens=0, facts=_facts(reply))


def _texts(call: Call) -> list[str]:
    """The request's `input.text`: each of several is a turn of its own in a chat, and a vector of its own."""
    text = call.input.get("text")
    texts = [text] if isinstance(text, str) else list(text or [])
    if not texts:
        raise InvalidRequest("The request has no text.", code="no_input", param="input.text")
    return texts


def _base(call: Call) -> str:
    return (call.endpoint or BASE_URL).rstrip("/")


def _post(call: Call, url: str, body: dict[str, Any]) -> Reply:
    return post_json(url, body, headers=_headers(call), timeout=call.timeout, read_error=_read_error)


def _headers(call: Call) -> dict[str, str]:
    if not call.secret:
        return {}
    secret = call.secret.strip()
    if not (secret.isascii() and secret.isprintable()):
        # http.client would say so too, and quote the key.
        raise CredentialRejected("The provider's key has characters that no header can carry.", code="bad_key")
    return {"authorization": f"Bearer {secret}"}


def _read_error(status: int, body: Any) -> BrokerError | None:
    told = body.get("error", body) if isinstance(body, dict) else None
    if not isinstance(told, dict):
        return None
    for word in (told.get("code"), told.get("type")):
        if isinstance(word, str) and word in CODES:
            kind, message = CODES[word]
            return kind(message, code=word)
    if status == 400 and _TOO_LONG in str(told.get("message")):
        return ContextExceeded(_CONTEXT[1])
    return None


def _first(body: Any, name: str) -> Mapping[str, Any]:
    entries = body.get(name) if isinstance(body, dict) else None
    if not isinstance(entries, list) or not entries or not isinstance(entries[0], dict):
        _bad(f"The provider's reply has no {name}.")
    return entries[0]


def _tool_calls(given: Any) -> list[dict[str, Any]]:
    """The calls in OpenAI's form; arguments stay the text that the model wrote."""
    calls: list[dict[str, Any]] = []
    for each in given if isinstance(given, list) else []:
        function = each.get("function") if isinstance(each, dict) else None
        name, arguments = (function.get("name"), function.get("arguments")) if isinstance(function, dict) else (0, 0)
        if not (isinstance(name, str) and isinstance(arguments, str)):
            _bad("The model's tool call is malformed.")
        function = {"name": name, "arguments": arguments}
        calls.append({"id": str(each.get("id") or f"call_{len(calls)}"), "type": "function", "function": function})
    return calls


def _used(reply: Reply, name: str, text: str) -> int:
    usage = reply.body.get("usage")
    told = usage.get(name) if isinstance(usage, dict) else None
    return told if type(told) is int and told >= 0 else estimate(text)


def _facts(reply: Reply) -> dict[str, str]:
    found = reply.headers.get("x-request-id", "")
    return {"request_id": found[:128]} if found else {}


def _bad(message: str, code: str = "malformed_reply") -> NoReturn:
    raise BadOutput(message, code=code, maybe_paid=True)
