"""Anthropic's and Gemini's formats against the local model server, which speaks them by itself."""

import json
import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from broker.errors import (
    BadOutput,
    BrokerError,
    ContextExceeded,
    CredentialRejected,
    ModelGone,
    ModelTimedOut,
    Refused,
    Rejected,
    Throttled,
    Unavailable,
)
from broker.providers import lookup
from broker.providers.wire.base import Answer, Call
from jsonschema import Draft202012Validator

from local.model_server.server import ModelServer

SCHEMA = {
    "type": "object",
    "properties": {"mood": {"type": "string", "enum": ["good", "bad"]}},
    "required": ["mood"],
    "additionalProperties": False,
}
OPEN = {"type": "object", "properties": {"mood": {"enum": ["good", "bad"]}}, "required": ["mood"], "minProperties": 1}
TOOL = {"type": "function", "function": {"name": "file_it", "parameters": SCHEMA}}
ENDPOINTS = {"anthropic": "/v1", "gemini": "/v1beta", "mistral": "/v1", "openai": "/v1"}


@pytest.fixture(scope="module")
def models() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture(params=["anthropic", "gemini"])
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def ask(models: ModelServer, provider: str, model: str = "small", **more: Any) -> Answer:
    endpoint = f"{models.url}{ENDPOINTS[provider]}"
    call = Call("chat", model, {"text": "The queue is fast. I like it."}, {}, 20, "sk-local", endpoint)
    answer = lookup(provider).invoke(replace(call, **more))
    assert isinstance(answer, Answer)
    return answer


def test_it_answers(models: ModelServer, provider: str) -> None:
    answer = ask(models, provider)
    assert answer.output["text"]
    assert answer.finish_reason == "stop"
    assert min(answer.input_tokens, answer.output_tokens) > 0
    assert answer.facts["request_id"]
    assert ask(models, provider, parameters={"max_output_tokens": 2}).finish_reason == "length"


def test_it_answers_to_a_schema(models: ModelServer, provider: str) -> None:
    for repair in (False, True):
        answer = ask(models, provider, output_schema=SCHEMA, repair=repair)
        assert answer.output["json"]["mood"] in ("good", "bad")
        assert answer.finish_reason == "stop"


def test_it_answers_to_an_open_schema_through_a_tool(models: ModelServer) -> None:
    answer = ask(models, "anthropic", output_schema=OPEN)
    assert answer.output["json"]["mood"] in ("good", "bad")
    assert "tool_calls" not in answer.output
    assert answer.finish_reason == "stop"


def test_it_calls_a_tool_and_is_told_the_result(models: ModelServer, provider: str) -> None:
    for choice in ("required", {"type": "function", "function": {"name": "file_it"}}):
        asked = {"text": "I like it.", "tools": [TOOL], "tool_choice": choice}
        answer = ask(models, provider, input=asked)
        made = answer.output["tool_calls"][0]
        assert made["function"]["name"] == "file_it"
        assert answer.finish_reason == "tool_calls"
    messages = [
        {"role": "user", "content": "I like it."},
        {"role": "assistant", "content": None, "tool_calls": [made]},
        {"role": "tool", "tool_call_id": made["id"], "content": "It was filed under joy."},
    ]
    assert ask(models, provider, input={"messages": messages, "tools": [TOOL]}).output["text"]


@pytest.mark.parametrize("provider", ["anthropic", "gemini", "openai", "mistral"])
def test_it_does_the_tasks_on_a_text(models: ModelServer, provider: str) -> None:
    liked = {"text": "I love this lamp. It is wonderful and Ann Miller likes it too."}
    assert ask(models, provider, task="sentiment", input=liked).output == {"sentiment": "positive"}
    labels = ["complaint", "praise"]
    assert ask(models, provider, task="classify", input=liked | {"labels": labels}).output["label"] in labels
    found = ask(models, provider, task="entities", input=liked).output["entities"]
    assert all(each["text"] in liked["text"] for each in found)


PLACES = {
    "anthropic": "/v1",
    "azure": "",
    "cohere": "/v2",
    "gemini": "/v1beta",
    "huggingface": "/v1",
    "mistral": "/mistral/v1",
    "openai": "/v1",
}


def test_a_conversation_goes_from_provider_to_provider(models: ModelServer) -> None:
    """Each model calls a tool whose name and schema few services take, and is told what the others were told."""
    schema = {"anyOf": [SCHEMA, {"type": "null"}]}
    tools = [{"type": "function", "function": {"name": "mood.file", "parameters": schema}}]
    history: list[dict[str, Any]] = []

    def said(name: str, **more: Any) -> Answer:
        given = {"messages": history, **more}
        call = Call("chat", "small", given, {}, 20, "sk-local", f"{models.url}{PLACES[name]}", token=f"job_1-{name}")
        answer = lookup(name).invoke(call)
        assert isinstance(answer, Answer)
        return answer

    for name in PLACES:
        history.append({"role": "user", "content": "I like it."})
        made = said(name, tools=tools, tool_choice="required").output["tool_calls"]
        assert made[0]["function"]["name"] == "mood.file"
        Draft202012Validator(schema).validate(json.loads(made[0]["function"]["arguments"]))
        history += [
            {"role": "assistant", "content": None, "tool_calls": made},
            {"role": "tool", "tool_call_id": made[0]["id"], "content": "It was filed under joy."},
        ]
    for name in PLACES:
        assert said(name).output["text"]


def test_gemini_embeds(models: ModelServer) -> None:
    asked: dict[str, Any] = {"task": "embed", "input": {"text": [f"text {place}" for place in range(101)]}}
    vectors = ask(models, "gemini", options={"dimensions": 8}, **asked).output["embeddings"]
    assert [len(each) for each in vectors] == [8] * 101
    assert vectors[0] != vectors[100]
    with pytest.raises(Throttled):
        ask(models, "gemini", "small!429=3", **asked)


@pytest.mark.parametrize(
    ("order", "kind", "maybe_paid"),
    [
        ("400", Rejected, False),
        ("401", CredentialRejected, False),
        ("403", CredentialRejected, False),
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
def test_it_misbehaves(
    models: ModelServer, provider: str, order: str, kind: type[BrokerError], maybe_paid: bool
) -> None:
    with pytest.raises(BrokerError) as caught:
        ask(models, provider, f"small!{order}", output_schema=SCHEMA, timeout=2)
    if (provider, order) == ("anthropic", "503"):  # it says that it is overloaded
        kind = Throttled
    assert (type(caught.value), caught.value.maybe_paid) == (kind, maybe_paid)
    if order == "429=3":
        assert caught.value.retry_after == 3


def test_a_wrong_key_is_rejected(models: ModelServer, provider: str) -> None:
    with pytest.raises(CredentialRejected):
        ask(models, provider, secret="sk-wrong")


PAINTERS = {
    "gemini": ("gemini", "/v1beta"),
    "imagen": ("gemini", "/v1beta"),
    "flux": ("huggingface", "/hf-inference/models/"),
}


def painted(models: ModelServer, name: str, order: str = "", text: str = "A lamp 🎉") -> Answer:
    provider, path = PAINTERS[name]
    endpoint = f"{models.url}{path}{name}{order}" if provider == "huggingface" else f"{models.url}{path}"
    given = {"text": text, "size": "1600x900", "count": 2}
    answer = lookup(provider).invoke(Call("generate_image", f"{name}{order}", given, {}, 20, "sk-local", endpoint))
    assert isinstance(answer, Answer)
    return answer


@pytest.mark.parametrize("name", PAINTERS)
def test_it_paints(models: ModelServer, name: str) -> None:
    answer = painted(models, name)
    assert (answer.output, answer.units) == ({"count": 2}, {"images": 2})
    assert [each.media_type for each in answer.files] == ["image/png"] * 2
    width, height = struct.unpack(">II", answer.files[0].data[16:24])
    assert width / height == pytest.approx(16 / 9, rel=0.01)
    assert (answer.output_tokens > 0) is (name == "gemini")


@pytest.mark.parametrize("name", PAINTERS)
def test_it_does_not_paint_everything(models: ModelServer, name: str) -> None:
    kind = Rejected if name == "flux" else Refused
    for order, text in (("!refuse", "A lamp"), ("", "He will murder them all")):
        with pytest.raises(kind):
            painted(models, name, order, text)
    for order, kind in {"!500": Unavailable, "!429=3": Throttled, "!badjson": BadOutput}.items():
        with pytest.raises(kind):
            painted(models, name, order)
