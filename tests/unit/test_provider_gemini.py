"""What is Gemini's own: schemas, JSON beside tools, thought signatures, pauses, options."""

from collections.abc import Iterator
from typing import Any

import pytest
from broker.errors import Throttled
from broker.providers.gemini.provider import fits

from tests.unit.chats_case import LIST, OPEN, ask, body
from tests.unit.dialects.base import SCHEMA, TOOL
from tests.unit.dialects.gemini import GeminiDialect
from tests.unit.provider_server import ProviderServer, Script


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


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
