"""What every provider of chats has to do alike, over a real connection: what is asked, and what is answered."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from broker.errors import (
    BadOutput,
    CredentialRejected,
)
from broker.providers import PROVIDERS, lookup
from broker.providers.wire.base import Answer, Call
from broker.token_estimates import estimate

from tests.unit.dialects.base import HISTORY, JPEG, PNG, SCHEMA, SECRET, TOOL, Dialect
from tests.unit.dialects.table import DIALECTS, EMBEDDING, SIGHTED, answered, failed, for_dialects
from tests.unit.provider_server import ProviderServer, Script


def test_every_provider_of_chats_is_in_the_table() -> None:
    # An endpoint of SageMaker has no format of its own: operators say how it is asked and read (test_aws_services).
    # Batches have Converse's, which is in the table; they are proved with the services that go on by themselves.
    others = {"sagemaker", "sagemaker_async", "bedrock_batch"}
    assert {name for name in PROVIDERS if "chat" in lookup(name).tasks} - others == set(DIALECTS)
    for name, kind in DIALECTS.items():
        assert type(lookup(name)) is type(kind().provider)


@pytest.mark.parametrize(
    "text",
    ["Fine.", "x" * 3_000_000, "Grüße 🎉 日本語 \u202eאב e\u0301 \x00\u2028", '{"not": "asked for"}', "  padded\n"],
    ids=["normal", "long", "unicode", "json", "padded"],
)
def test_a_text_comes_back_as_it_was_said(server: ProviderServer, dialect: Dialect, call: Call, text: str) -> None:
    answer = answered(server, dialect, call, Script(dialect.says(text)))
    assert answer.output == {"text": text, "finish_reason": "stop"}
    assert (answer.input_tokens, answer.output_tokens, answer.finish_reason) == (7, 3, "stop")


def test_all_of_a_request_reaches_the_service(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    parameters = {"temperature": 0.5, "top_p": 0.9, "max_output_tokens": 50, "stop": ["END"], "seed": 4}
    for choice in (None, "auto", "required", "none", {"type": "function", "function": {"name": "look_up"}}):
        asked = {"messages": HISTORY, "tools": [TOOL], "tool_choice": choice}
        full = replace(call, input=asked, parameters=parameters, output_schema=SCHEMA, repair=True)
        answered(server, dialect, full, Script(dialect.says('{"age": 3}')))
        sent = json.dumps(server.asked[0].body)
        for part in ("Be brief.", "In English.", "How old is Ann?", "And Ben?", "30", "40", "0.9", "END", "50"):
            assert part in sent
        assert all(identity in sent for identity in ("t1", "t2")) or not dialect.keeps_ids
        assert "last answer" in sent


def test_parameters_that_a_model_rejects_are_not_sent(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    parameters = {"temperature": 0.123, "top_p": 0.9}
    bare = replace(call, parameters=parameters, options={"without": ["temperature"]})
    answered(server, dialect, bare, Script(dialect.says("Yes.")))
    assert "0.123" not in json.dumps(server.asked[0].body)
    assert "0.9" in json.dumps(server.asked[0].body)


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "assistant", "content": "Hello!"}, {"role": "user", "content": "Hi."}],
        [{"role": "system", "content": "Tell a story."}],
        [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": ""}, {"role": "user", "content": "So?"}],
    ],
    ids=["assistant first", "system only", "empty turn"],
)
def test_conversations_of_odd_forms_are_taken(
    server: ProviderServer, dialect: Dialect, call: Call, messages: list[Any]
) -> None:
    answered(server, dialect, replace(call, input={"messages": messages}), Script(dialect.says("Yes.")))


def test_several_texts_are_all_sent(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    answered(server, dialect, replace(call, input={"text": ["one", "two"]}), Script(dialect.says("Yes.")))
    assert [part in json.dumps(server.asked[0].body) for part in ("one", "two")] == [True, True]


def test_the_key_is_sent_where_the_service_looks_for_it(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    if dialect.signed:
        pytest.skip("requests are signed")
    name, value = dialect.secret_header
    answered(server, dialect, replace(call, secret=f"{SECRET}\n"), Script(dialect.says("Yes.")))
    assert server.asked[0].headers[name] == value
    answered(server, dialect, replace(call, secret=None), Script(dialect.says("Yes.")))
    assert name not in server.asked[0].headers
    error = failed(server, dialect, replace(call, secret=f"{SECRET}\nx: y"), Script(), asked=0)
    assert type(error) is CredentialRejected


@pytest.mark.parametrize("text", ["", "Let me look."])
def test_a_tool_call_has_openai_form(server: ProviderServer, dialect: Dialect, call: Call, text: str) -> None:
    asked = replace(call, input={"text": "?", "tools": [TOOL]}, output_schema=SCHEMA)
    script = Script(dialect.says(text, "tool_calls", ("look_up", {"age": 3, "who": "Änn"})))
    answer = answered(server, dialect, asked, script)
    made = answer.output["tool_calls"][0]
    assert (made["id"], made["type"], made["function"]["name"]) == ("call_1", "function", "look_up")
    assert json.loads(made["function"]["arguments"]) == {"age": 3, "who": "Änn"}
    assert (answer.output["text"], answer.finish_reason) == (text, "tool_calls")


@for_dialects(SIGHTED)
def test_pictures_are_sent_as_bytes(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    urls = [f"data:image/png;base64,{base64.b64encode(PNG.data).decode()}", "s3://inbox/acme/a"]
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    content = [{"type": "text", "text": "What is it?"}, *parts]
    asked = replace(call, input={"messages": [{"role": "user", "content": content}]})
    answered(server, dialect, asked, Script(dialect.says("A cat.")))
    assert dialect.pictures(server.asked[0].body) == [PNG, JPEG]
    assert "What is it?" in json.dumps(server.asked[0].body)


def test_an_answer_that_was_cut_short_says_so(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    answer = answered(server, dialect, call, Script(dialect.says("Once upon", "length")))
    assert answer.output == {"text": "Once upon", "finish_reason": "length"}
    assert answer.finish_reason == "length"


def test_missing_usage_is_estimated(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    for usage in (None, {}):
        answer = answered(server, dialect, call, Script(dialect.says("Twelve bytes") | {dialect.usage: usage}))
        assert 5 < answer.input_tokens < 100
        assert answer.output_tokens == estimate("Twelve bytes")


def test_a_schema_is_sent_or_told(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    for repair in (False, True):
        asked = replace(call, output_schema=SCHEMA, repair=repair)
        answered(server, dialect, asked, Script(dialect.says('{"age": 3}')))
        body = server.asked[0].body
        assert dialect.schema(body) == SCHEMA or "JSON Schema" in json.dumps(body)
        assert ("last answer" in json.dumps(body)) is repair


def test_a_repair_is_told_what_was_wrong(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    fault = "The model named a tool that it was not told of."
    for schema, reply in ((SCHEMA, '{"age": 3}'), (None, "Fine.")):
        asked = replace(call, output_schema=schema, repair=True, fault=fault)
        answered(server, dialect, asked, Script(dialect.says(reply)))
        assert fault in json.dumps(server.asked[0].body)
    answered(server, dialect, replace(call, fault=fault), Script(dialect.says("Fine.")))
    assert fault not in json.dumps(server.asked[0].body)


@pytest.mark.parametrize("text", ['{"age": 3}', ' ```json\n{"age": 3}\n```\n', '```\n{"age": 3}```'])
def test_json_is_read_and_checked(server: ProviderServer, dialect: Dialect, call: Call, text: str) -> None:
    answer = answered(server, dialect, replace(call, output_schema=SCHEMA), Script(dialect.says(text)))
    assert answer.output == {"text": text, "finish_reason": "stop", "json": {"age": 3}}


def test_a_task_on_a_text_is_a_chat_with_a_schema(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    answer = answered(server, dialect, replace(call, task="sentiment"), Script(dialect.says('{"sentiment": "mixed"}')))
    assert (answer.output, answer.input_tokens, answer.output_tokens) == ({"sentiment": "mixed"}, 7, 3)
    assert "What is my diagnosis?" in json.dumps(server.asked[0].body)
    error = failed(server, dialect, replace(call, task="sentiment"), Script(dialect.says('{"sentiment": "great"}')))
    assert (type(error), error.maybe_paid) == (BadOutput, True)


@for_dialects(EMBEDDING)
def test_each_text_has_its_vector(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    server.answer(Script(dialect.vectors([[1, -0.5], [2, 0.5]])))
    answer = dialect.provider.invoke(replace(call, task="embed", input={"text": ["one", "two"]}))
    assert isinstance(answer, Answer)
    assert answer.output == {"embeddings": [[1, -0.5], [2, 0.5]]}
    assert (answer.input_tokens, answer.output_tokens) == (7, 0)
    assert [part in json.dumps(server.asked[0].body) for part in ("one", "two")] == [True, True]
    assert (server.asked[0].headers[dialect.secret_header[0]],) == dialect.secret_header[1:]
