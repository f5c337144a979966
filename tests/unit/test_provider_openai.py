"""What is OpenAI's own: names of fields, strict schemas, embeddings, keys; and the local model server as a provider."""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from broker.errors import (
    BadOutput,
    BrokerError,
    ContextExceeded,
    CredentialRejected,
    InvalidRequest,
    ModelGone,
    ModelTimedOut,
    Refused,
    Rejected,
    Throttled,
    Unavailable,
)
from broker.providers.openai.format import is_closed, request
from broker.providers.openai.provider import OpenAI, service
from broker.providers.wire.base import Call
from broker.providers.wire.history import prepare

from local.model_server.server import ModelServer
from tests.unit.provider_server import ProviderServer, Script

CLOSED = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


@pytest.fixture(scope="module")
def models() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def call(url: str, task: str = "chat", model: str = "small", **more: Any) -> Call:
    made = Call(task, model, {"text": "The queue is fast. I like it."}, {}, 20, "sk-local", f"{url}/v1")
    return replace(made, **more)


@pytest.mark.parametrize(
    ("base", "name"),
    [
        ("https://api.openai.com/v1", "max_completion_tokens"),
        ("https://eu.api.openai.com/v1", "max_completion_tokens"),
        ("https://mine.openai.azure.com/openai/v1", "max_completion_tokens"),
        ("https://notopenai.com/v1", "max_tokens"),
        ("http://127.0.0.1:8000/v1", "max_tokens"),
    ],
)
def test_the_limit_has_the_name_that_the_host_knows(base: str, name: str) -> None:
    given = replace(call("", parameters={"max_output_tokens": 5}), endpoint=base)
    spoken = service(given)
    asked = request(given, spoken, prepare(given, spoken.dialect))
    assert {key for key in asked if key.startswith("max")} == {name}


@pytest.mark.parametrize(
    ("schema", "closed"),
    [
        (CLOSED, True),
        (CLOSED | {"properties": {"a": {"type": "string"}}, "required": ["a"]}, True),
        (CLOSED | {"properties": {"a": {"type": "array", "items": CLOSED}}, "required": ["a"]}, True),
        (CLOSED | {"properties": {"a": {"type": "array"}}, "required": ["a"]}, False),
        (CLOSED | {"properties": {"a": {"type": "string"}}}, False),
        (CLOSED | {"properties": {"a": {"type": "string", "pattern": "x"}}, "required": ["a"]}, False),
        (CLOSED | {"properties": {"a": {"enum": ["x"]}}, "required": ["a"]}, False),
        ({"type": "object"}, False),
        ({"type": "array", "items": CLOSED}, False),
        ({}, False),
    ],
)
def test_only_a_closed_schema_is_strict(schema: dict[str, Any], closed: bool) -> None:
    assert is_closed(schema) is closed


def test_the_key_and_the_address(server: ProviderServer) -> None:
    choice = {"message": {"content": "Yes."}, "finish_reason": None}
    server.answer(Script({"choices": [choice]}, headers={"X-Request-Id": "req_1"}))
    answer = OpenAI().invoke(call("", endpoint=f"{server.url}/else/v1/", secret="sk-1\n"))
    assert server.asked[0].path == "/else/v1/chat/completions"
    assert server.asked[0].headers["authorization"] == "Bearer sk-1"
    assert (answer.facts, answer.finish_reason) == ({"request_id": "req_1"}, "stop")
    OpenAI().invoke(call(server.url, secret=None))
    assert "authorization" not in server.asked[1].headers


@pytest.mark.parametrize("secret", ["sk-1\nx: y", "sk-ü", "sk-\x00"])
def test_a_key_that_no_header_can_carry_is_not_quoted(server: ProviderServer, secret: str) -> None:
    with pytest.raises(CredentialRejected) as caught:
        OpenAI().invoke(call(server.url, secret=secret))
    assert secret not in str(caught.value)


def test_malformed_tool_calls_are_bad_output(server: ProviderServer) -> None:
    for made in (5, {}, {"function": 5}, {"function": {"name": "x"}}, {"function": {"name": 1, "arguments": "{}"}}):
        server.answer(Script({"choices": [{"message": {"content": None, "tool_calls": [made]}}]}))
        with pytest.raises(BadOutput):
            OpenAI().invoke(call(server.url))


def test_embeddings_are_put_in_order(server: ProviderServer) -> None:
    rows = [{"index": 1, "embedding": [2, 0.5]}, {"index": 0, "embedding": [1, -0.5]}]
    server.answer(Script({"data": rows, "usage": {"prompt_tokens": 9}}))
    answer = OpenAI().invoke(call(server.url, "embed", input={"text": ["one", "two"]}))
    assert answer.output == {"embeddings": [[1, -0.5], [2, 0.5]]}
    assert (answer.input_tokens, answer.output_tokens) == (9, 0)
    assert server.asked[0].path == "/v1/embeddings"
    assert server.asked[0].body == {"model": "small", "input": ["one", "two"]}


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [{"index": 0, "embedding": [1]}],
        [{"index": 0, "embedding": [1]}] * 2,
        [{"index": 0, "embedding": [1]}, {"index": 2, "embedding": [1]}],
        [{"index": 0, "embedding": [1]}, {"index": "1", "embedding": [1]}],
        [{"embedding": [1]}, {"embedding": []}],
        [{"embedding": [1]}, {"embedding": [None]}],
        [{"embedding": [1]}, {"embedding": [True]}],
        [{"embedding": [1]}, {"embedding": [math.nan]}],
        [{"embedding": [1]}, {"embedding": [10**400]}],
        [{"embedding": [1]}, 5],
        [{"embedding": [1]}, {"embedding": "AAAA"}],
    ],
)
def test_embeddings_that_do_not_fit_are_bad_output(server: ProviderServer, rows: list[Any]) -> None:
    for body in (json.dumps({"data": rows}), json.dumps({"data": rows}).replace("NaN", "1e999")):
        server.answer(Script(body.encode()))
        with pytest.raises(BadOutput) as caught:
            OpenAI().invoke(call(server.url, "embed", input={"text": ["one", "two"]}))
        assert caught.value.maybe_paid


def test_embeddings_need_a_text(server: ProviderServer) -> None:
    with pytest.raises(InvalidRequest):
        OpenAI().invoke(call(server.url, "embed", input={}))


def test_the_local_model_server_answers(models: ModelServer) -> None:
    chat = OpenAI().invoke(call(models.url))
    assert chat.output["text"]
    assert chat.facts["request_id"]
    schema = {"type": "object", "properties": {"mood": {"enum": ["good", "bad"]}}, "required": ["mood"]}
    for repair in (False, True):
        answer = OpenAI().invoke(call(models.url, output_schema=schema, repair=repair))
        assert answer.output["json"]["mood"] in ("good", "bad")
    tool = {"type": "function", "function": {"name": "file_it", "parameters": schema}}
    for choice in ("required", {"type": "function", "function": {"name": "file_it"}}):
        asked = {"text": "I like it.", "tools": [tool], "tool_choice": choice}
        answer = OpenAI().invoke(call(models.url, input=asked))
        assert answer.output["tool_calls"][0]["function"]["name"] == "file_it"
        assert answer.finish_reason == "tool_calls"
    assert OpenAI().invoke(call(models.url, parameters={"max_output_tokens": 2})).finish_reason == "length"
    vectors = OpenAI().invoke(call(models.url, "embed", input={"text": ["one", "two"]})).output["embeddings"]
    assert len(vectors) == 2


@pytest.mark.parametrize(
    ("order", "kind", "maybe_paid"),
    [
        ("400", Rejected, False),
        ("401", CredentialRejected, False),
        ("403", ModelGone, False),
        ("404", ModelGone, False),
        ("429=3", Throttled, False),
        ("500", Unavailable, True),
        ("503", Unavailable, False),
        ("cut", Unavailable, True),
        ("hang", ModelTimedOut, True),
        ("context", ContextExceeded, False),
        ("badjson", BadOutput, True),
        ("empty", BadOutput, True),
        ("notschema", BadOutput, True),
        ("refuse", Refused, True),
    ],
)
def test_the_local_model_server_misbehaves(
    models: ModelServer, order: str, kind: type[BrokerError], maybe_paid: bool
) -> None:
    schema = {"type": "object", "properties": {"mood": {"type": "integer"}}, "required": ["mood"]}
    with pytest.raises(BrokerError) as caught:
        OpenAI().invoke(call(models.url, model=f"small!{order}", output_schema=schema, timeout=2))
    assert (type(caught.value), caught.value.maybe_paid) == (kind, maybe_paid)
    if kind is Throttled:
        assert caught.value.retry_after == 3
