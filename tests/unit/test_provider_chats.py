"""What is each chat provider's own: addresses, options, schemas."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from broker.errors import BadOutput, Truncated, Unavailable
from broker.providers import lookup
from broker.providers.wire.base import Call

from tests.unit.chats_case import LIST, OPEN, ask, body
from tests.unit.dialects.anthropic import AnthropicDialect
from tests.unit.dialects.base import SCHEMA, TOOL
from tests.unit.dialects.cohere import CohereDialect
from tests.unit.dialects.mistral import MistralDialect
from tests.unit.dialects.openai import OpenAIDialect
from tests.unit.provider_server import ProviderServer, Script


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


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
