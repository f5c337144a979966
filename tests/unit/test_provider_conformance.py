"""What every provider has to do alike, over a real connection: one table, and a dialect for each wire format."""

import json
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Protocol

import botocore.session
import pytest
from botocore.validate import ParamValidator
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
from broker.providers.base import Answer, Call, Provider
from broker.providers.bedrock import Bedrock
from broker.providers.openai import OpenAI

from tests.unit.provider_server import ProviderServer, Script

SECRET = "sk-the-key-itself"
WORDS = "PROVIDER-TEXT that quotes: what is my diagnosis?"
SCHEMA = {
    "type": "object",
    "properties": {"age": {"type": "integer"}},
    "required": ["age"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "look_up", "description": "Looks up.", "parameters": SCHEMA}}
HISTORY = [
    {"role": "system", "content": "Be brief."},
    {"role": "developer", "content": "In English."},
    {"role": "user", "content": "How old is Ann?"},
    {"role": "user", "content": [{"type": "text", "text": "And Ben?"}]},
    {
        "role": "assistant",
        "tool_calls": [
            {"id": "t1", "type": "function", "function": {"name": "look_up", "arguments": '{"age": 1}'}},
            {"id": "t2", "type": "function", "function": {"name": "look_up", "arguments": '{"age": 2}'}},
        ],
    },
    {"role": "tool", "tool_call_id": "t1", "content": "30"},
    {"role": "tool", "tool_call_id": "t2", "content": "40"},
]


class Dialect(Protocol):
    """How a test speaks one wire format."""

    provider: Provider

    def endpoint(self, url: str) -> str: ...

    def says(self, text: str, finish: str = "stop", tool: tuple[str, Any] | None = None) -> dict[str, Any]: ...

    def refuses(self) -> list[dict[str, Any]]: ...

    def errors(self) -> list[tuple[int, Any, type[BrokerError], bool]]:
        """Status, body, what it means, and whether it may have been paid for."""
        ...

    def check(self, body: Any, path: str) -> None:
        """That a request is one which the service takes."""
        ...


class OpenAIDialect:
    """Chat completions."""

    def __init__(self) -> None:
        self.provider = OpenAI()

    def endpoint(self, url: str) -> str:
        return f"{url}/v1"

    def says(self, text: str, finish: str = "stop", tool: tuple[str, Any] | None = None) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": text or None, "refusal": None}
        if tool:
            function = {"name": tool[0], "arguments": json.dumps(tool[1])}
            message["tool_calls"] = [{"id": "call_1", "type": "function", "function": function}]
        choice = {"index": 0, "message": message, "finish_reason": finish}
        return {"choices": [choice], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}

    def refuses(self) -> list[dict[str, Any]]:
        worded = self.says("")
        worded["choices"][0]["message"]["refusal"] = WORDS
        return [worded, self.says("Half of", "content_filter")]

    def errors(self) -> list[tuple[int, Any, type[BrokerError], bool]]:
        def told(code: Any = None, kind: str = "invalid_request_error", message: str = WORDS) -> Any:
            return {"error": {"message": message, "type": kind, "code": code}}

        vllm = {"object": "error", "message": f"{WORDS} maximum context length is 8192", "type": "x", "code": 400}
        return [
            *[(status, told(), InvalidRequest, False) for status in (400, 404, 405, 413, 415, 422)],
            *[(status, told("invalid_api_key"), CredentialRejected, False) for status in (401, 402, 403)],
            *[(status, told(None, "server_error"), Unavailable, False) for status in (408, 409, 500, 502, 503, 529)],
            *[(status, WORDS.encode(), Unavailable, False) for status in (301, 307, 418, 500)],
            *[(status, b"[" * 100_000, Unavailable, True) for status in (504, 524)],
            (429, told("rate_limit_exceeded", "requests"), Throttled, False),
            (429, told("insufficient_quota", "insufficient_quota"), CredentialRejected, False),
            (400, told("context_length_exceeded"), ContextExceeded, False),
            (400, told(None, "exceed_context_size_error"), ContextExceeded, False),
            (400, vllm, ContextExceeded, False),
            (400, told("content_filter"), Refused, False),
            (400, told("content_policy_violation"), Refused, False),
            (400, {"error": WORDS}, InvalidRequest, False),
            (400, [WORDS], InvalidRequest, False),
        ]

    def check(self, body: Any, path: str) -> None:
        assert path == "/v1/chat/completions"
        assert body["model"] == "some.model:0"
        assert all(message["role"] and {"content", "tool_calls"} & message.keys() for message in body["messages"])


class BedrockDialect:
    """Converse; requests and replies are held against botocore's model of the service."""

    def __init__(self) -> None:
        self.provider = Bedrock()
        self.operation = botocore.session.get_session().get_service_model("bedrock-runtime").operation_model("Converse")

    def endpoint(self, url: str) -> str:
        return "us-east-1"

    def says(self, text: str, finish: str = "stop", tool: tuple[str, Any] | None = None) -> dict[str, Any]:
        content: list[Any] = [{"reasoningContent": {"reasoningText": {"text": "Hm."}}}]
        content += [{"text": text}] if text else []
        content += [{"toolUse": {"toolUseId": "call_1", "name": tool[0], "input": tool[1]}}] if tool else []
        reason = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}.get(finish, finish)
        reply = {
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": reason,
            "usage": {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10},
            "metrics": {"latencyMs": 1},
        }
        self._valid(reply, self.operation.output_shape)
        return reply

    def refuses(self) -> list[dict[str, Any]]:
        return [self.says(WORDS, "guardrail_intervened"), self.says(WORDS, "content_filtered")]

    def errors(self) -> list[tuple[int, Any, type[BrokerError], bool]]:
        def told(code: str, message: str = WORDS) -> Any:
            return {"__type": f"com.amazon.coral#{code}", "message": message}

        known = {error.name: error.metadata["error"]["httpStatusCode"] for error in self.operation.error_shapes}
        meaning: dict[str, tuple[type[BrokerError], bool]] = {
            "AccessDeniedException": (CredentialRejected, False),
            "ThrottlingException": (Throttled, False),
            "ResourceNotFoundException": (InvalidRequest, False),
            "ModelTimeoutException": (Unavailable, True),
            "InternalServerException": (Unavailable, False),
            "ServiceUnavailableException": (Unavailable, False),
            "ValidationException": (InvalidRequest, False),
            "ModelNotReadyException": (Unavailable, False),
            "ModelErrorException": (Unavailable, False),
        }
        return [
            *[(status, told(name), *meaning[name]) for name, status in known.items()],
            (400, told("ValidationException", f"Input is Too Long for {WORDS}"), ContextExceeded, False),
            (400, told("ValidationException", f"the Maximum Context is 5, {WORDS}"), ContextExceeded, False),
            (400, told("ServiceQuotaExceededException"), Throttled, False),
            (403, told("UnrecognizedClientException"), CredentialRejected, False),
            (403, told("ExpiredTokenException"), CredentialRejected, False),
            (403, told("BrandNewException"), CredentialRejected, False),
            (500, told("BrandNewException"), Unavailable, False),
            (503, WORDS.encode(), Unavailable, False),
            (504, WORDS.encode(), Unavailable, True),
        ]

    def check(self, body: Any, path: str) -> None:
        assert path == "/model/some.model%3A0/converse"
        self._valid(body | {"modelId": "some.model:0"}, self.operation.input_shape)
        roles = [turn["role"] for turn in body["messages"]]
        assert roles == [("user", "assistant")[place % 2] for place in range(len(roles))]

    @staticmethod
    def _valid(value: Any, shape: Any) -> None:
        report = ParamValidator().validate(value, shape)
        assert not report.has_errors(), report.generate_report()


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", running.url)
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.delenv("AWS_SESSION_TOKEN", raising=False)
        yield running


@pytest.fixture(scope="module", params=[OpenAIDialect, BedrockDialect], ids=["openai", "bedrock"])
def dialect(request: pytest.FixtureRequest, server: ProviderServer) -> Dialect:
    made: Dialect = request.param()
    return made


@pytest.fixture
def call(server: ProviderServer, dialect: Dialect) -> Call:
    return Call(
        task="chat",
        model="some.model:0",
        input={"text": "What is my diagnosis?"},
        parameters={},
        timeout=20,
        secret=SECRET,
        endpoint=dialect.endpoint(server.url),
    )


def answered(server: ProviderServer, dialect: Dialect, call: Call, script: Script) -> Answer:
    server.answer(script)
    answer = dialect.provider.invoke(call)
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
        for part in ("Be brief.", "In English.", "How old is Ann?", "And Ben?", "t1", "t2", "30", "40", "0.9", "END"):
            assert part in sent
        assert "last answer" in sent


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


@pytest.mark.parametrize("text", ["", "Let me look."])
def test_a_tool_call_has_openai_form(server: ProviderServer, dialect: Dialect, call: Call, text: str) -> None:
    asked = replace(call, input={"text": "?", "tools": [TOOL]}, output_schema=SCHEMA)
    script = Script(dialect.says(text, "tool_calls", ("look_up", {"age": 3, "who": "Änn"})))
    answer = answered(server, dialect, asked, script)
    made = answer.output["tool_calls"][0]
    assert (made["id"], made["type"], made["function"]["name"]) == ("call_1", "function", "look_up")
    assert json.loads(made["function"]["arguments"]) == {"age": 3, "who": "Änn"}
    assert (answer.output["text"], answer.finish_reason) == (text, "tool_calls")


@pytest.mark.parametrize("which", [0, 1])
def test_a_refusal_is_refused(server: ProviderServer, dialect: Dialect, call: Call, which: int) -> None:
    error = failed(server, dialect, call, Script(dialect.refuses()[which]))
    assert (type(error), error.maybe_paid) == (Refused, True)


def test_an_answer_that_was_cut_short_says_so(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    answer = answered(server, dialect, call, Script(dialect.says("Once upon", "length")))
    assert answer.output == {"text": "Once upon", "finish_reason": "length"}
    assert answer.finish_reason == "length"


def test_missing_usage_is_estimated(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    nothing: tuple[dict[str, int] | None, ...] = (None, {})
    for usage in nothing:
        answer = answered(server, dialect, call, Script(dialect.says("Twelve bytes") | {"usage": usage}))
        assert answer.input_tokens > 5
        assert 3 <= answer.output_tokens <= 6


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
    bodies = [b"", b"{}", b"[]", b"null", b"[[", b"\xff\xfe", b"[" * 100_000, b'{"usage": 5}', WORDS.encode()]
    bodies += [b'{"output": 5}', b'{"choices": 5}', b'{"choices": [5]}', b'{"choices": [{"message": 5}]}']
    bodies += [b'{"output": {"message": {"content": [null]}}}', b'{"choices": [{"message": {"content": 5}}]}']
    bodies += [json.dumps(dialect.says(text)).encode() for text in ("", "  \n", "half \ud83d")]
    bodies += [json.dumps(dialect.says("", "tool_calls", ("look_up", {}))).replace("look_up", "\\ud800").encode()]
    for body in bodies:
        error = failed(server, dialect, call, Script(body))
        assert (type(error), error.maybe_paid) == (BadOutput, True), body[:60]


def test_each_error_of_the_service_has_its_class(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    for status, body, kind, maybe_paid in dialect.errors():
        error = failed(server, dialect, call, Script(body, status, {"location": "/elsewhere"}))
        assert (type(error), error.maybe_paid) == (kind, maybe_paid), (status, body)


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
    error = failed(server, dialect, replace(call, task="speak"), Script(), asked=0)
    assert (type(error), error.code) == (InvalidRequest, "unsupported_task")


def test_a_chat_needs_something_to_say(server: ProviderServer, dialect: Dialect, call: Call) -> None:
    error = failed(server, dialect, replace(call, input={}), Script(), asked=0)
    assert (type(error), error.code) == (InvalidRequest, "no_input")
