"""Messages and tools of a chat: what clients send is taken, what no adapter could handle is refused in its place."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from broker.errors import BrokerError, InvalidRequest
from broker.jobs.request import parse_request, stored_form
from broker.providers import lookup
from broker.providers.wire.base import Blob, Call
from broker.routing.model import Model
from broker.steps.token_counter import counter

from tests.fakes.media import FakeMedia
from tests.unit.provider_server import ProviderServer, Script

USER = {"role": "user", "content": "Hi"}
PICTURE = "data:image/png;base64,aGVsbG8="
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}


def call(identity: str = "c1", **changes: Any) -> dict[str, Any]:
    return {"id": identity, "type": "function", "function": {"name": "look_up", "arguments": '{"a": 1}'}, **changes}


def calling(*identities: str) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": [call(each) for each in identities]}


def result(identity: str = "c1", content: Any = "30") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": identity, "content": content}


def user_of(address: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "image_url", "image_url": {"url": address}}]}


def chat(*messages: Any, **more: Any) -> dict[str, Any]:
    return {"input": {"messages": list(messages), **more}}


TAKEN: dict[str, list[dict[str, Any]]] = {
    "names": [{"role": "system", "content": "Be short.", "name": "rules"}, {**USER, "name": "ann"}],
    "instructions in parts": [{"role": "developer", "content": [{"type": "text", "text": "Be short."}]}, USER],
    "what an answer held": [
        USER,
        {
            "role": "assistant",
            "content": "Hi",
            "refusal": None,
            "annotations": [],
            "audio": None,
            "function_call": None,
        },
        USER,
    ],
    "what another provider's answer held": [
        USER,
        {"role": "assistant", "content": "Hi", "reasoning_content": "Hm.", "provider_specific_fields": {"a": [1]}},
        USER,
    ],
    "a refusal": [USER, {"role": "assistant", "content": None, "refusal": "No."}, USER],
    "an empty answer": [USER, {"role": "assistant", "content": ""}, USER],
    "a thought's signature": [
        USER,
        {"role": "assistant", "tool_calls": [call(index=0, extra_content={"google": {"thought_signature": "s"}})]},
        result(),
    ],
    "results of two calls": [USER, calling("c1", "c2"), result("c2"), result("c1"), USER],
    "an id that is used again in a later turn": [USER, calling("c1"), result(), calling("c1"), result()],
    "a result in parts": [USER, calling("c1"), result(content=[{"type": "text", "text": "30"}])],
    "a result without a word": [USER, calling("c1"), result(content=None)],
    "a picture": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PICTURE, "detail": "low"}}]}],
    "a picture by its address in capitals": [user_of("HTTPS://x.org/a"), user_of("DATA:;BASE64,aGVsbG8=")],
    "a picture of the inbox": [user_of("s3://inbox/acme/a.png")],
    "a picture by its address": [{"role": "user", "content": [{"type": "image_url", "image_url": "https://x.org/a"}]}],
    "a part that some models take": [
        {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "aa", "format": "wav"}}]}
    ],
    "a part with a mark for a prompt cache": [
        {"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}]}
    ],
}


@pytest.mark.parametrize("messages", TAKEN.values(), ids=TAKEN.keys())
def test_what_clients_send_is_kept_as_it_is(messages: list[dict[str, Any]]) -> None:
    kept = stored_form(parse_request(chat(*messages)))["input"]["messages"]
    assert kept == [{name: said for name, said in each.items() if said is not None} for each in messages_of(messages)]


def messages_of(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A tool that gave nothing said so with an empty text."""
    return [
        {**each, "content": ""} if each["role"] == "tool" and each["content"] is None else each for each in messages
    ]


def assistant(*tool_calls: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": "x", "tool_calls": list(tool_calls)}


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


MALFORMED: list[tuple[Any, str]] = [
    (5, ""),
    ({"role": "function", "name": "f", "content": "x"}, "role"),
    ({"role": "assistant", "content": "x", "tool_calls": 5}, "tool_calls"),
    ({"role": "assistant", "content": "x", "tool_calls": True}, "tool_calls"),
    ({"role": "assistant", "content": "x", "function_call": {"name": "f", "arguments": "{}"}}, "function_call"),
    ({"role": "assistant", "content": 5}, "content"),
    (assistant(1), "tool_calls.0"),
    (assistant("a"), "tool_calls.0"),
    (assistant(call(id=1)), "tool_calls.0.id"),
    (assistant(call(id="")), "tool_calls.0.id"),
    (assistant(call(type="custom")), "tool_calls.0.type"),
    (assistant(call(function="f")), "tool_calls.0.function"),
    (assistant(call(function={"arguments": "{}"})), "tool_calls.0.function.name"),
    (assistant(call(function={"name": "", "arguments": "{}"})), "tool_calls.0.function.name"),
    (assistant(call(), call("c2", function={"name": 5, "arguments": "{}"})), "tool_calls.1.function.name"),
    (assistant(call(function={"name": "f", "arguments": {"a": 1}})), "tool_calls.0.function.arguments"),
    (assistant(call(function={"name": "f", "arguments": 5})), "tool_calls.0.function.arguments"),
    (assistant(call(), call()), "tool_calls.1.id"),
    (assistant(*[call(f"c{n}") for n in range(129)]), "tool_calls"),
    ({"role": "tool", "content": "x"}, "tool_call_id"),
    ({"role": "tool", "content": "x", "tool_call_id": {"a": 1}}, "tool_call_id"),
    ({"role": "tool", "content": "x", "tool_call_id": None}, "tool_call_id"),
    ({"role": "tool", "content": "x", "tool_call_id": ""}, "tool_call_id"),
    ({"role": "tool", "content": "x", "tool_call_id": "nobody"}, "tool_call_id"),
    ({"role": "tool", "content": 5, "tool_call_id": "c1"}, "content"),
    (user({"type": "text", "text": 5}), "content.0.text"),
    (user({"type": "text"}), "content.0.text"),
    (user({"type": ["text"], "text": "a"}), "content.0.type"),
    (user({"type": {"a": 1}}), "content.0.type"),
    (user({}), "content.0.type"),
    (user(None), "content.0"),
    (user("Hi"), "content.0"),
    (user({"type": "text", "text": "a"}, {"type": "image_url", "image_url": 5}), "content.1.image_url"),
    (user({"type": "image_url"}), "content.0.image_url"),
    (user({"type": "image_url", "image_url": {}}), "content.0.image_url.url"),
    (user({"type": "image_url", "image_url": {"url": 5}}), "content.0.image_url.url"),
    (user({"type": "image_url", "image_url": {"url": "data:"}}), "content.0.image_url.url"),
    (user({"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}), "content.0.image_url.url"),
    (user({"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8"}}), "content.0.image_url.url"),
    (user({"type": "image_url", "image_url": {"url": "S3://inbox/acme/a.png"}}), "content.0.image_url.url"),
    (user({"type": "image_url", "image_url": {"url": "file:///etc/hostname"}}), "content.0.image_url.url"),
    (user(*[{"type": "text", "text": "a"}] * 1001), "content"),
    ({"role": "user"}, "content"),
    ({"role": "user", "content": None}, "content"),
    ({"role": "user", "content": ""}, "content"),
    ({"role": "user", "content": " \n\t"}, "content"),
    (user(), "content"),
    (user({"type": "text", "text": " "}, {"type": "text", "text": ""}), "content"),
    ({"role": "user", "content": "hi", "name": 5}, "name"),
    ({"role": "system"}, "content"),
    ({"role": "system", "content": None}, "content"),
    ({"role": "system", "content": [{"type": "image_url", "image_url": {"url": PICTURE}}]}, "content.0.type"),
]


@pytest.mark.parametrize(("message", "place"), MALFORMED, ids=range(len(MALFORMED)))
def test_what_no_adapter_can_handle_is_refused_in_its_place(message: Any, place: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        parse_request(chat(USER, message, USER))
    assert failure.value.param == f"input.messages.1.{place}".rstrip(".")
    assert (failure.value.code, failure.value.status) == ("invalid_field", 400)


def function(**changes: Any) -> dict[str, Any]:
    return {"tools": [{"type": "function", "function": {"name": "f", **changes}}]}


def parameters(schema: Any) -> dict[str, Any]:
    return function(parameters=schema)


TOOLS: list[tuple[dict[str, Any], str]] = [
    ({"tools": [{}]}, "tools.0.type"),
    ({"tools": [5]}, "tools.0"),
    ({"tools": [{"type": "web_search"}]}, "tools.0.type"),
    ({"tools": [{"type": "function"}]}, "tools.0.function"),
    (function(name=5), "tools.0.function.name"),
    (function(name="a name"), "tools.0.function.name"),
    (function(description=5), "tools.0.function.description"),
    (parameters(5), "tools.0.function.parameters"),
    (parameters([1]), "tools.0.function.parameters"),
    (parameters({"type": "string"}), "tools.0.function.parameters"),
    (parameters({"type": "object", "properties": {"a": 5}}), "tools.0.function.parameters"),
    (parameters({"type": "object", "properties": {"a": {"items": {"anyOf": [5]}}}}), "tools.0.function.parameters"),
    (parameters({"properties": {f"p{n}": {} for n in range(5_000)}}), "tools.0.function.parameters"),
    ({"tools": [TOOL, TOOL]}, "tools.1.function.name"),
    ({"tools": [TOOL] * 129}, "tools"),
    ({"tools": [TOOL], "tool_choice": {"function": {"name": "g"}}}, "tool_choice.type"),
    (
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}},
        "tool_choice.function.name",
    ),
    ({"tools": [TOOL], "tool_choice": {"type": "function"}}, "tool_choice.function"),
    ({"tools": [TOOL], "tool_choice": "whichever"}, "tool_choice"),
    ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": 5}}}, "tool_choice.function.name"),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"tool_choice": {"type": "function", "function": {"name": "look_up"}}}, "tool_choice.function.name"),
]


@pytest.mark.parametrize(("given", "place"), TOOLS, ids=range(len(TOOLS)))
def test_tools_that_no_adapter_can_handle_are_refused_in_their_place(given: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        parse_request(chat(USER, **given))
    assert failure.value.param == f"input.{place}"


@pytest.mark.parametrize("choice", ["auto", "none", "required", {"type": "function", "function": {"name": "look_up"}}])
def test_a_choice_of_the_tools_that_there_are(choice: Any) -> None:
    given = {"tools": [TOOL], "tool_choice": choice}
    kept = stored_form(parse_request(chat(USER, **given)))["input"]
    assert (kept["tools"], kept["tool_choice"]) == (given["tools"], choice)


@pytest.mark.parametrize("choice", ["auto", "none"])
def test_a_choice_without_tools_says_nothing(choice: str) -> None:
    assert "tool_choice" not in stored_form(parse_request(chat(USER, tool_choice=choice)))["input"]


def test_a_call_has_one_result() -> None:
    with pytest.raises(InvalidRequest) as failure:
        parse_request(chat(USER, calling("c1"), result(), result()))
    assert failure.value.param == "input.messages.3.tool_call_id"


def test_a_result_comes_after_its_call() -> None:
    with pytest.raises(InvalidRequest) as failure:
        parse_request(chat(USER, result(), calling("c1")))
    assert failure.value.param == "input.messages.1.tool_call_id"


def test_a_kept_conversation_is_gone_on_with_by_results() -> None:
    kept = {"conversation_id": "c", **chat(result(), result("c2"), USER)}
    assert parse_request(kept).conversation_id == "c"
    for wrong, place in (((result(), result()), 1), ((USER, calling("c9"), result()), 2)):
        with pytest.raises(InvalidRequest) as failure:
            parse_request({"conversation_id": "c", **chat(*wrong)})
        assert failure.value.param == f"input.messages.{place}.tool_call_id"


CHATS = ("openai", "azure", "anthropic", "gemini", "mistral", "cohere", "huggingface")
SAID = {"choices": [{"message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}]}


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


@pytest.mark.parametrize("provider", CHATS)
@pytest.mark.parametrize("messages", TAKEN.values(), ids=TAKEN.keys())
def test_what_is_taken_crashes_no_adapter(provider: str, messages: list[Any], server: ProviderServer) -> None:
    document = stored_form(parse_request(chat(*messages, tools=[TOOL], tool_choice="auto")))
    assert counter(document)(Model("m", provider, "small", frozenset({"chat"}), 100_000, 1_000, 1, 1)) > 0
    server.answer(Script(SAID))
    options = {"deployment": "d", "api_version": "1"} if provider == "azure" else {}
    media = FakeMedia({"s3://inbox/acme/a.png": Blob(b"\x89PNG\r\n\x1a\n", "image/png")})
    given: dict[str, Any] = {"endpoint": server.url, "options": options, "secret": "k", "media": media}
    call = Call("chat", "small", document["input"], {"max_output_tokens": 10}, 5, **given)
    with suppress(BrokerError):  # of the tree: it is told as it is
        lookup(provider).invoke(call)
