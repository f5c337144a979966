"""What is each chat provider's own: addresses, options, schemas, signatures, batches of embeddings."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from broker.errors import BadOutput, BrokerError, Rejected, Throttled, Truncated, Unavailable
from broker.providers import lookup
from broker.providers.gemini.provider import fits
from broker.providers.wire.base import Answer, Call
from broker.providers.wire.embedding_batches import in_batches

from tests.unit.dialects.anthropic import AnthropicDialect
from tests.unit.dialects.base import SCHEMA, TOOL
from tests.unit.dialects.cohere import CohereDialect
from tests.unit.dialects.gemini import GeminiDialect
from tests.unit.dialects.mistral import MistralDialect
from tests.unit.dialects.openai import OpenAIDialect
from tests.unit.provider_server import ProviderServer, Script

OPEN = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 0}}}
LIST = {"type": "array", "items": {"type": "integer"}}
LINK = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


def ask(
    server: ProviderServer,
    provider: str,
    script: Any,
    path: str = "",
    options: dict[str, Any] | None = None,
    **more: Any,
) -> Answer:
    """Make a call whose endpoint is a path of the server, with one script for all requests of it."""
    call = Call("chat", "some-model", {"text": "Hm?"}, {}, 20, "sk-1", f"{server.url}{path}", options=options or {})
    server.answer(script if isinstance(script, Script) else Script(script))
    answer = lookup(provider).invoke(replace(call, **more))
    assert isinstance(answer, Answer)
    return answer


def body(server: ProviderServer) -> Any:
    return server.asked[0].body


# Anthropic


def test_anthropic_is_asked_by_version_with_a_limit_and_a_temperature_that_it_takes(server: ProviderServer) -> None:
    said = Script(AnthropicDialect().says("Yes."), headers={"request-id": "req_1"})
    answer = ask(server, "anthropic", said, parameters={"temperature": 1.7})
    assert server.asked[0].headers["anthropic-version"] == "2023-06-01"
    assert (body(server)["max_tokens"], body(server)["temperature"]) == (4096, 1.0)
    assert answer.facts == {"request_id": "req_1"}
    ask(server, "anthropic", said, options={"version": "2030-01-01"}, parameters={"max_output_tokens": 5})
    assert server.asked[0].headers["anthropic-version"] == "2030-01-01"
    assert body(server)["max_tokens"] == 5


def test_anthropic_answers_to_an_open_schema_through_a_tool(server: ProviderServer) -> None:
    forced = AnthropicDialect().says("", "tool_calls", ("answer", {"age": 3}))
    for schema, options in ((OPEN, {}), (SCHEMA, {"structured": "tool"})):
        answer = ask(server, "anthropic", forced, output_schema=schema, options=options)
        assert (answer.output["json"], answer.finish_reason) == ({"age": 3}, "stop")
        assert "tool_calls" not in answer.output
        assert body(server)["tool_choice"] == {"type": "tool", "name": "answer"}
        assert body(server)["tools"][0]["input_schema"] == schema
    with pytest.raises(Truncated):
        ask(server, "anthropic", AnthropicDialect().says("", "length", ("answer", {"age": 3})), output_schema=OPEN)


def test_anthropic_is_told_of_a_schema_that_no_mode_takes(server: ProviderServer) -> None:
    given = {"text": "Hm?", "tools": [TOOL]}
    assert ask(server, "anthropic", AnthropicDialect().says("[1]"), output_schema=LIST).output["json"] == [1]
    assert "JSON Schema" in body(server)["system"][0]["text"]
    ask(server, "anthropic", AnthropicDialect().says('{"age": 1}'), output_schema=OPEN, input=given)
    assert "JSON Schema" in body(server)["system"][0]["text"]
    assert [each["name"] for each in body(server)["tools"]] == ["look_up"]


def test_a_full_window_is_an_answer_that_was_cut_short(server: ProviderServer) -> None:
    answer = ask(server, "anthropic", AnthropicDialect().says("Half", "model_context_window_exceeded"))
    assert answer.finish_reason == "length"


# Gemini


@pytest.mark.parametrize(
    ("schema", "takes"),
    [
        (SCHEMA, True),
        (OPEN, True),
        (LIST, True),
        ({"$defs": {"a": {"type": "string"}}, "properties": {"b": {"$ref": "#/$defs/a"}}}, True),
        ({"type": "string", "pattern": "x"}, False),
        ({"items": {"minLength": 3}}, False),
        ({"properties": {"a": {"anyOf": [{"const": 1}]}}}, False),
        ({"$defs": {"a": {"not": {}}}}, False),
    ],
)
def test_which_schemas_gemini_takes(schema: dict[str, Any], takes: bool) -> None:
    assert fits(schema) is takes


def test_gemini_is_told_of_a_schema_that_it_does_not_take(server: ProviderServer) -> None:
    schema = {"type": "string", "pattern": "^w"}
    answer = ask(server, "gemini", GeminiDialect().says('"word"'), output_schema=schema)
    assert answer.output["json"] == "word"
    assert "JSON Schema" in body(server)["systemInstruction"]["parts"][0]["text"]
    assert body(server)["generationConfig"] == {"responseMimeType": "application/json"}


def test_gemini_has_no_json_mode_beside_tools(server: ProviderServer) -> None:
    given = {"text": "Hm?", "tools": [TOOL]}
    ask(server, "gemini", GeminiDialect().says('{"age": 1}'), output_schema=SCHEMA, input=given)
    assert "generationConfig" not in body(server)
    assert "JSON Schema" in body(server)["systemInstruction"]["parts"][0]["text"]


def test_geminis_thought_signature_goes_out_and_comes_back(server: ProviderServer) -> None:
    said = GeminiDialect().says("", "tool_calls", ("look_up", {"age": 1}))
    said["candidates"][0]["content"]["parts"][-1]["thoughtSignature"] = "c2ln"
    del said["candidates"][0]["content"]["parts"][-1]["functionCall"]["id"]
    given = {"text": "Hm?", "tools": [TOOL]}
    made = ask(server, "gemini", said, input=given).output["tool_calls"][0]
    assert made["id"]
    history = [
        {"role": "user", "content": "Hm?"},
        {"role": "assistant", "tool_calls": [made]},
        {"role": "tool", "tool_call_id": made["id"], "content": "30"},
    ]
    ask(server, "gemini", GeminiDialect().says("Thirty."), input={"messages": history, "tools": [TOOL]})
    _, called, answered = body(server)["contents"]
    assert called["parts"][0]["thoughtSignature"] == "c2ln"
    assert answered["parts"][0]["functionResponse"] == {
        "id": made["id"],
        "name": "look_up",
        "response": {"output": "30"},
    }
    ask(server, "gemini", GeminiDialect().says("Thirty."), input={"messages": history[2:]})
    assert [list(part) for part in body(server)["contents"][0]["parts"]] == [["text"], ["text"]]
    del made["extra_content"]
    ask(server, "gemini", GeminiDialect().says("Thirty."), input={"messages": history, "tools": [TOOL]})
    assert body(server)["contents"][1]["parts"][0]["thoughtSignature"] == "skip_thought_signature_validator"
    older = {"cannot": ["thought_signatures"]}
    ask(server, "gemini", GeminiDialect().says("Thirty."), input={"messages": history}, options=older)
    assert "thoughtSignature" not in body(server)["contents"][1]["parts"][0]


@pytest.mark.parametrize(("delay", "seconds"), [("3s", 3), ("36.840386396s", 36.840386396), ("soon", None)])
def test_gemini_says_in_the_body_how_long_to_wait(server: ProviderServer, delay: str, seconds: float | None) -> None:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    body = {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [{"@type": "other"}, info]}}
    with pytest.raises(Throttled) as caught:
        ask(server, "gemini", Script(body, 429))
    assert caught.value.retry_after == seconds


def test_geminis_options_are_sent(server: ProviderServer) -> None:
    safety = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_LOW_AND_ABOVE"}]
    ask(server, "gemini", GeminiDialect().says("Yes."), options={"safety_settings": safety})
    assert body(server)["safetySettings"] == safety
    options = {"task_type": "CLUSTERING", "dimensions": 2}
    ask(server, "gemini", GeminiDialect().vectors([[1, 2]]), task="embed", options=options)
    assert server.asked[0].path == "/models/some-model:batchEmbedContents"
    assert body(server)["requests"] == [
        {
            "model": "models/some-model",
            "taskType": "CLUSTERING",
            "outputDimensionality": 2,
            "content": {"parts": [{"text": "Hm?"}]},
        }
    ]


# Mistral


def test_mistrals_own_fields(server: ProviderServer) -> None:
    ask(server, "mistral", MistralDialect().says("Yes."), parameters={"seed": 4, "max_output_tokens": 9})
    assert (body(server)["random_seed"], body(server)["max_tokens"], "safe_prompt" in body(server)) == (4, 9, False)
    ask(server, "mistral", MistralDialect().says("Yes."), options={"safe_prompt": True})
    assert body(server)["safe_prompt"] is True


def test_a_model_that_fails_while_it_answers_is_unavailable(server: ProviderServer) -> None:
    failures = [("mistral", MistralDialect().says("Half", "error")), ("cohere", CohereDialect().says("Half", "ERROR"))]
    for provider, said in failures:
        with pytest.raises(Unavailable) as caught:
            ask(server, provider, said)
        assert caught.value.maybe_paid


# Azure


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({}, "/openai/v1/chat/completions"),
        ({"api_version": "preview"}, "/openai/v1/chat/completions?api-version=preview"),
        (
            {"api_version": "2024-10-21"},
            "/openai/deployments/some-model/chat/completions?api-version=2024-10-21",
        ),
    ],
)
def test_azures_address_follows_the_version(server: ProviderServer, options: dict[str, Any], path: str) -> None:
    for given in ("", "/", "/openai/v1", "/openai/v1/"):
        answer = ask(server, "azure", OpenAIDialect().says("Yes."), given, options, parameters={"max_output_tokens": 9})
        assert server.asked[0].path == path
        assert body(server)["max_completion_tokens"] == 9
        assert answer.output["text"] == "Yes."


def test_azure_needs_a_resource() -> None:
    with pytest.raises(Unavailable) as caught:
        lookup("azure").invoke(Call("chat", "m", {"text": "Hm?"}, {}, 20))
    assert caught.value.code == "bad_endpoint"


# Cohere


def test_cohere_is_shown_the_one_tool_that_it_has_to_use(server: ProviderServer) -> None:
    other = {"type": "function", "function": {"name": "other"}}
    given = {"text": "Hm?", "tools": [TOOL, other], "tool_choice": {"type": "function", "function": {"name": "other"}}}
    ask(server, "cohere", CohereDialect().says("", "tool_calls", ("other", {})), input=given)
    assert [each["function"]["name"] for each in body(server)["tools"]] == ["other"]
    assert body(server)["tool_choice"] == "REQUIRED"


def test_cohere_is_told_of_a_schema_that_is_no_object(server: ProviderServer) -> None:
    assert ask(server, "cohere", CohereDialect().says("[1]"), output_schema=LIST).output["json"] == [1]
    assert "response_format" not in body(server)
    assert "JSON Schema" in json.dumps(body(server)["messages"])


def test_coheres_options_are_sent(server: ProviderServer) -> None:
    ask(server, "cohere", CohereDialect().says("Yes."), options={"safety_mode": "STRICT"})
    assert body(server)["safety_mode"] == "STRICT"
    options = {"input_type": "clustering", "dimensions": 2}
    ask(server, "cohere", CohereDialect().vectors([[1, 2]]), task="embed", options=options)
    assert (body(server)["input_type"], body(server)["output_dimension"]) == ("clustering", 2)


# Hugging Face


def test_hugging_face_extracts_features_where_no_openai_format_is_spoken(server: ProviderServer) -> None:
    asked = {"task": "embed", "input": {"text": ["one", "two"]}}
    answer = ask(server, "huggingface", [[1, 2], [3, 4]], "/tei", {"normalize": True}, **asked)
    assert answer.output == {"embeddings": [[1, 2], [3, 4]]}
    assert answer.input_tokens > 0
    assert (server.asked[0].path, body(server)) == ("/tei", {"inputs": ["one", "two"], "normalize": True})
    for wrong in ([[1, 2]], [[[1, 2]], [[3, 4]]], {"error": 1}, 5):
        with pytest.raises(Unavailable if isinstance(wrong, dict) else BadOutput):
            ask(server, "huggingface", wrong, "/tei", **asked)


# Several


@pytest.mark.parametrize(
    ("provider", "most", "reply"),
    [
        ("cohere", 96, CohereDialect().vectors([[1, 2]] * 96)),
        ("gemini", 100, GeminiDialect().vectors([[1, 2]] * 100)),
        ("huggingface", 32, [[1, 2]] * 32),
    ],
)
def test_many_texts_are_embedded_in_several_requests(
    server: ProviderServer, provider: str, most: int, reply: Any
) -> None:
    answer = ask(server, provider, reply, task="embed", input={"text": ["a"] * most * 2})
    assert len(answer.output["embeddings"]) == most * 2
    assert len(server.asked) == 2
    with pytest.raises(BrokerError) as caught:
        ask(server, provider, reply, task="embed", input={"text": ["a"] * (most + 1)})
    assert (type(caught.value), caught.value.maybe_paid, len(server.asked)) == (BadOutput, True, 2)


@pytest.mark.parametrize(("timeout", "code"), [(20.0, "slow_down"), (0.0, "timeout")])
def test_a_request_that_fails_after_another_was_answered_may_have_been_paid_for(timeout: float, code: str) -> None:
    def answer(some: list[str], left: float) -> int:
        if some == ["c"]:
            raise Throttled("Slowly.", code="slow_down")
        return len(some)

    batches = in_batches(["a", "b", "c"], 2, timeout, answer)  # the first is asked in any case
    assert next(batches) == 2
    with pytest.raises(BrokerError) as caught:
        next(batches)
    assert (caught.value.code, caught.value.maybe_paid) == (code, True)
    with pytest.raises(Throttled) as first:
        next(in_batches(["c"], 2, 20, answer))
    assert not first.value.maybe_paid


@pytest.mark.parametrize(
    ("provider", "said", "fetches"),
    [
        ("anthropic", AnthropicDialect().says("A cat."), False),
        ("azure", OpenAIDialect().says("A cat."), True),
        ("cohere", CohereDialect().says("A cat."), False),
        ("gemini", GeminiDialect().says("A cat."), False),
        ("huggingface", OpenAIDialect().says("A cat."), False),
        ("mistral", OpenAIDialect().says("A cat."), True),
        ("openai", OpenAIDialect().says("A cat."), False),
    ],
)
def test_only_providers_that_fetch_are_sent_a_pictures_address(
    server: ProviderServer, provider: str, said: Any, fetches: bool
) -> None:
    given = {"messages": [LINK]}
    if fetches or provider != "gemini":
        ask(server, provider, said, options={"links": True}, input=given)
        assert "https://example.com/a.png" in json.dumps(body(server))
    if not fetches:
        with pytest.raises(Rejected) as caught:
            ask(server, provider, said, input=given)
        assert (caught.value.param, server.asked) == ("input.messages.0.content", [])


@pytest.mark.parametrize("provider", ["anthropic", "gemini"])
def test_instructions_take_no_pictures(server: ProviderServer, provider: str) -> None:
    content = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]
    given = {"messages": [{"role": "user", "content": "Hm?"}, {"role": "system", "content": content}]}
    with pytest.raises(Rejected) as caught:
        ask(server, provider, b"", input=given)
    assert (caught.value.param, server.asked) == ("input.messages.1.content", [])


def test_a_picture_counts_as_one_where_usage_is_not_told(server: ProviderServer) -> None:
    large = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{'A' * 400_000}"}}
    given = {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hm?"}, large]}]}
    answer = ask(server, "openai", OpenAIDialect().says("A cat.") | {"usage": None}, input=given)
    assert 1600 < answer.input_tokens < 2000
