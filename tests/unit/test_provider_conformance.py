"""What every provider of chats has to do alike, over a real connection: one table, a dialect for each wire format."""

import base64
import json
import math
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from broker.errors import (
    BadOutput,
    BrokerError,
    ContextExceeded,
    CredentialRejected,
    InvalidRequest,
    Refused,
    Throttled,
    Unavailable,
)
from broker.providers import PROVIDERS, lookup
from broker.providers.base import Answer, Call

from tests.fakes.media import FakeMedia
from tests.unit.dialects.anthropic import AnthropicDialect
from tests.unit.dialects.azure import AzureDialect
from tests.unit.dialects.base import HISTORY, JPEG, MODEL, PNG, SCHEMA, SECRET, TOOL, WORDS, Dialect
from tests.unit.dialects.bedrock import BedrockDialect
from tests.unit.dialects.cohere import CohereDialect
from tests.unit.dialects.gemini import GeminiDialect
from tests.unit.dialects.huggingface import HuggingFaceDialect
from tests.unit.dialects.mistral import MistralDialect
from tests.unit.dialects.openai import OpenAIDialect
from tests.unit.provider_server import ProviderServer, Script

DIALECTS: dict[str, type[Dialect]] = {
    "anthropic": AnthropicDialect,
    "azure": AzureDialect,
    "bedrock": BedrockDialect,
    "cohere": CohereDialect,
    "gemini": GeminiDialect,
    "huggingface": HuggingFaceDialect,
    "mistral": MistralDialect,
    "openai": OpenAIDialect,
}
"""By the name in `PROVIDERS`."""

SIGHTED = [name for name, kind in DIALECTS.items() if kind.vision]
EMBEDDING = [name for name, kind in DIALECTS.items() if kind.embeds]


def for_dialects(names: list[str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("dialect", names, indirect=True)


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", running.url)
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.delenv("AWS_SESSION_TOKEN", raising=False)
        yield running


@pytest.fixture(scope="module", params=list(DIALECTS))
def dialect(request: pytest.FixtureRequest, server: ProviderServer) -> Dialect:
    return DIALECTS[request.param]()


@pytest.fixture
def call(server: ProviderServer, dialect: Dialect) -> Call:
    return Call(
        task="chat",
        model=MODEL,
        input={"text": "What is my diagnosis?"},
        parameters={},
        timeout=20,
        secret=SECRET,
        endpoint=dialect.endpoint(server.url),
        media=FakeMedia({"s3://inbox/acme/a": JPEG}),
    )


def answered(server: ProviderServer, dialect: Dialect, call: Call, script: Script) -> Answer:
    server.answer(script)
    answer = dialect.provider.invoke(call)
    assert isinstance(answer, Answer)
    assert len(server.asked) == 1
    dialect.check(server.asked[0].body, server.asked[0].path)
    return answer


def failed(server: ProviderServer, dialect: Dialect, call: Call, script: Script, asked: int = 1) -> BrokerError:
    """The error, which tells neither the key nor the provider's words nor the prompt."""
    server.answer(script)
    with pytest.raises(BrokerError) as caught:
        dialect.provider.invoke(call)
    assert len(server.asked) == asked, "nothing is retried"
    error = caught.value
    shown = "".join(traceback.format_exception(error)) + repr(error) + error.cause() + str(error.param)
    for secret in (SECRET, "PROVIDER-TEXT", "diagnosis"):
        assert secret not in shown
    return error


def test_every_provider_of_chats_is_in_the_table() -> None:
    assert {name for name in PROVIDERS if "chat" in lookup(name).tasks} == set(DIALECTS)
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
    if isinstance(dialect, BedrockDialect):
        pytest.skip("Converse drops them by itself")
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
    if isinstance(dialect, BedrockDialect):
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


@for_dialects(SIGHTED)
@pytest.mark.parametrize("url", ["s3://inbox/acme/none", "http://example.com/a.png", "file:///etc/hostname", "data:,"])
def test_a_picture_that_cannot_be_had_names_its_place(
    server: ProviderServer, dialect: Dialect, call: Call, url: str
) -> None:
    messages = [
        {"role": "user", "content": "See:"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]},
    ]
    if url == "data:," and isinstance(dialect, OpenAIDialect):
        pytest.skip("data: is passed through")
    error = failed(server, dialect, replace(call, input={"messages": messages}), Script(), asked=0)
    assert (type(error), error.param) == (InvalidRequest, "input.messages.1.content")


def test_a_refusal_is_refused(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    for reply in dialect.refuses():
        error = failed(server, dialect, call, Script(reply))
        assert (type(error), error.maybe_paid) == (Refused, True), reply


def test_an_answer_that_was_cut_short_says_so(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    answer = answered(server, dialect, call, Script(dialect.says("Once upon", "length")))
    assert answer.output == {"text": "Once upon", "finish_reason": "length"}
    assert answer.finish_reason == "length"


def test_missing_usage_is_estimated(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    for usage in (None, {}):
        answer = answered(server, dialect, call, Script(dialect.says("Twelve bytes") | {dialect.usage: usage}))
        assert 5 < answer.input_tokens < 100
        assert answer.output_tokens == 4


def test_a_schema_is_sent_or_told(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    for repair in (False, True):
        asked = replace(call, output_schema=SCHEMA, repair=repair)
        answered(server, dialect, asked, Script(dialect.says('{"age": 3}')))
        body = server.asked[0].body
        if isinstance(dialect, BedrockDialect):
            assert "JSON Schema" in json.dumps(body)
        else:
            assert dialect.schema(body) == SCHEMA
        assert ("last answer" in json.dumps(body)) is repair


@pytest.mark.parametrize("text", ['{"age": 3}', ' ```json\n{"age": 3}\n```\n', '```\n{"age": 3}```'])
def test_json_is_read_and_checked(server: ProviderServer, dialect: Dialect, call: Call, text: str) -> None:
    answer = answered(server, dialect, replace(call, output_schema=SCHEMA), Script(dialect.says(text)))
    assert answer.output == {"text": text, "finish_reason": "stop", "json": {"age": 3}}


@pytest.mark.parametrize(
    ("text", "finish"),
    [
        (WORDS, "stop"),
        (json.dumps({"age": WORDS}), "stop"),
        (json.dumps({"age": 3, WORDS: 1}), "stop"),
        ('{"age": NaN}', "stop"),
        ('{"age": 1e999}', "stop"),
        ('{"age": "\\ud800"}', "stop"),
        ("[" * 50_000, "stop"),
        ('{"age": ' + "9" * 5000 + "}", "stop"),
        ('{"age": 3}', "length"),
        ("```json", "stop"),
    ],
    ids=["text", "value", "key", "nan", "inf", "surrogate", "deep", "huge", "length", "fence"],
)
def test_what_misses_the_schema_is_bad_output(
    server: ProviderServer, dialect: Dialect, call: Call, text: str, finish: str
) -> None:
    error = failed(server, dialect, replace(call, output_schema=SCHEMA), Script(dialect.says(text, finish)))
    assert (type(error), error.maybe_paid) == (BadOutput, True)


def test_a_broken_schema_is_an_invalid_request(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    script = Script(dialect.says("{}"))
    error = failed(server, dialect, replace(call, output_schema={"type": "nonsense"}), script)
    assert (type(error), error.param) == (InvalidRequest, "output_schema")


def test_empty_and_malformed_replies_are_bad_output(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    bodies = [b"", b"{}", b"[]", b"null", b"5", b"[[", b"\xff\xfe", b"[" * 100_000, b'{"usage": 5}', WORDS.encode()]
    bodies += [json.dumps(body).encode() for body in dialect.malformed()]
    bodies += [json.dumps(dialect.says(text)).encode() for text in ("", "  \n", "half \ud83d")]
    bodies += [json.dumps(dialect.says("", "tool_calls", ("look_up", {}))).replace("look_up", "\\ud800").encode()]
    for body in bodies:
        error = failed(server, dialect, call, Script(body))
        assert (type(error), error.maybe_paid) == (BadOutput, True), body[:90]


def test_each_error_of_the_service_has_its_class(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    for status, body, kind, maybe_paid in dialect.errors():
        error = failed(server, dialect, call, Script(body, status, {"location": "/elsewhere"}))
        assert (type(error), error.maybe_paid) == (kind, maybe_paid), (status, body)


def test_each_class_of_error_is_known_of_the_service(dialect: Dialect) -> None:
    known = {kind for _, _, kind, _ in dialect.errors()}
    assert known | {Refused} == {
        *(InvalidRequest, CredentialRejected, Throttled, Unavailable, ContextExceeded, Refused),
    }


def test_a_throttled_call_says_how_long_to_wait(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    body = next(body for _, body, kind, _ in dialect.errors() if kind is Throttled)
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    waits: list[tuple[dict[str, str], tuple[float, float] | None]] = [
        ({}, None),
        ({"retry-after": "7"}, (7, 7)),
        ({"Retry-After": "7", "retry-after-ms": "1500"}, (1.5, 1.5)),
        ({"retry-after": later}, (1, 100)),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, (0, 0)),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
    ]
    for headers, bounds in waits:
        error = failed(server, dialect, call, Script(body, 429, headers))
        assert type(error) is Throttled
        if bounds is None:
            assert error.retry_after is None, headers
        else:
            assert error.retry_after is not None
            assert bounds[0] <= error.retry_after <= bounds[1], headers


@pytest.mark.parametrize("how", ["cut", "cut_body"])
def test_a_lost_connection_may_have_been_paid_for(
    server: ProviderServer, dialect: Dialect, call: Call, how: str
) -> None:
    error = failed(server, dialect, call, Script(dialect.says("Fine."), how=how))
    assert (type(error), error.maybe_paid) == (Unavailable, True)


def test_a_call_that_hangs_ends_in_time(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    began = time.monotonic()
    error = failed(server, dialect, replace(call, timeout=0.5), Script(how="hang"))
    assert time.monotonic() - began < 20
    assert (type(error), error.code, error.maybe_paid) == (Unavailable, "timeout", True)


def test_other_tasks_are_not_taken(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    error = failed(server, dialect, replace(call, task="converse"), Script(), asked=0)
    assert (type(error), error.code) == (InvalidRequest, "unsupported_task")


def test_a_chat_needs_something_to_say(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    error = failed(server, dialect, replace(call, input={}), Script(), asked=0)
    assert (type(error), error.code) == (InvalidRequest, "no_input")


def test_tools_of_another_form_are_an_invalid_request(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    if isinstance(dialect, OpenAIDialect):
        pytest.skip("passed through")
    used = {"id": "t1", "type": "function", "function": {"name": "look_up", "arguments": WORDS}}
    wrong: list[dict[str, Any]] = [
        {"text": "?", "tools": [{"name": "x"}]},
        {"text": "?", "tools": [TOOL], "tool_choice": "whichever"},
        {"text": "?", "tools": [TOOL], "tool_choice": {"type": "function"}},
        {"messages": [{"role": "assistant", "tool_calls": [used]}]},
        {"messages": [{"role": "assistant", "tool_calls": [{"id": "t1"}]}]},
    ]
    for given in wrong:
        assert type(failed(server, dialect, replace(call, input=given), Script(), asked=0)) is InvalidRequest, given


def test_a_task_on_a_text_is_a_chat_with_a_schema(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    if "sentiment" not in dialect.provider.tasks:
        pytest.skip("not yet")
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


@for_dialects(EMBEDDING)
def test_vectors_that_do_not_fit_are_bad_output(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    asked = replace(call, task="embed", input={"text": ["my diagnosis", "two"]})
    wrong: list[Any] = [[], [[1]], [[1]] * 3, [[1], []], [[1], None], [[1], [None]], [[1], [True]], [[1], [10**400]]]
    bodies = [json.dumps(dialect.vectors(each)) for each in [*wrong, [[1], "AAAA"], [[1], [math.inf]]]]
    for body in [*bodies, bodies[-1].replace("Infinity", "1e999"), "5", "[]", "{}"]:
        error = failed(server, dialect, asked, Script(body.encode()))
        assert (type(error), error.maybe_paid) == (BadOutput, True), body
    error = failed(server, dialect, replace(asked, input={}), Script(), asked=0)
    assert (type(error), error.code) == (InvalidRequest, "no_input")


@for_dialects(EMBEDDING)
def test_embeddings_fail_as_chats_do(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    asked = replace(call, task="embed", input={"text": "my diagnosis"})
    for status, body, kind, maybe_paid in dialect.errors():
        error = failed(server, dialect, asked, Script(body, status))
        assert (type(error), error.maybe_paid) == (kind, maybe_paid), (status, body)
