"""What is Bedrock's own: its turns and tools, its stop reasons, and no way to the service."""

import base64
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.stub import Stubber
from broker.errors import (
    BadOutput,
    BrokerError,
    CredentialRejected,
    InvalidRequest,
    ModelGone,
    Refused,
    Rejected,
    Unavailable,
)
from broker.providers.aws.client import session
from broker.providers.bedrock.provider import Bedrock
from broker.providers.wire.base import Answer, Blob, Call

from tests.fakes.media import FakeMedia

CALL_TOOL = {"id": "t1", "type": "function", "function": {"name": "look_up", "arguments": '{"age": 1}'}}
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
SPEC = {"toolSpec": {"name": "look_up", "inputSchema": {"json": {"type": "object", "properties": {}}}}}


def reply(content: list[Any], reason: str = "end_turn") -> dict[str, Any]:
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": reason,
        "usage": {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10},
        "metrics": {"latencyMs": 1},
        "ResponseMetadata": {"RequestId": "req-1", "HTTPStatusCode": 200, "HTTPHeaders": {}},
    }


def invoke(call: Call, expected: dict[str, Any] | None, answer: dict[str, Any]) -> Answer:
    """Ask with botocore's own stub, which checks request and reply against the service's model."""
    session = botocore.session.get_session()
    client = session.create_client(
        "bedrock-runtime", "eu-west-1", aws_access_key_id="AKIATEST", aws_secret_access_key="x"
    )
    regions: list[str | None] = []

    def make(region: str | None, timeout: float) -> Any:
        regions.append(region)
        return client

    with Stubber(client) as stub:
        stub.add_response("converse", answer, expected)
        answered = Bedrock(make).invoke(call)
    assert regions == [call.endpoint]
    return answered


def chat(*messages: dict[str, Any], **more: Any) -> Call:
    return Call("chat", "m", {"messages": list(messages), **more}, {}, 5, None, "eu-west-1")


def test_messages_are_rewritten() -> None:
    call = chat(
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "How old?"},
        {"role": "user", "content": [{"type": "text", "text": "Quick."}]},
        {"role": "assistant", "content": "", "tool_calls": [CALL_TOOL]},
        {"role": "tool", "tool_call_id": "t1", "content": ""},
        {"role": "user", "content": "So?"},
        tools=[TOOL],
        tool_choice="none",
    )
    expected = {
        "modelId": "m",
        "system": [{"text": "Be brief."}],
        "messages": [
            {"role": "user", "content": [{"text": "How old?"}, {"text": "Quick."}]},
            {
                "role": "assistant",
                "content": [{"toolUse": {"toolUseId": "t1", "name": "look_up", "input": {"age": 1}}}],
            },
            {
                "role": "user",
                "content": [
                    {"toolResult": {"toolUseId": "t1", "content": [{"text": "(no output)"}]}},
                    {"text": "So?"},
                ],
            },
        ],
        "toolConfig": {"tools": [SPEC], "toolChoice": {"auto": {}}},
    }
    answer = invoke(call, expected, reply([{"text": "30"}, {"text": "."}]))
    assert answer.output == {"text": "30.", "finish_reason": "stop"}
    assert answer.facts == {"request_id": "req-1"}


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        (None, {"tools": [SPEC]}),
        ("auto", {"tools": [SPEC], "toolChoice": {"auto": {}}}),
        ("required", {"tools": [SPEC], "toolChoice": {"any": {}}}),
        ({"function": {"name": "look_up"}}, {"tools": [SPEC], "toolChoice": {"tool": {"name": "look_up"}}}),
        ("none", None),
    ],
)
def test_the_choice_of_a_tool_is_rewritten(choice: Any, config: dict[str, Any] | None) -> None:
    expected: dict[str, Any] = {"modelId": "m", "messages": [{"role": "user", "content": [{"text": "Hi."}]}]}
    if config:
        expected["toolConfig"] = config
    call = chat({"role": "user", "content": "Hi."}, tools=[TOOL], tool_choice=choice)
    invoke(call, expected, reply([{"text": "Hi."}]))


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("something_new", "stop"),
    ],
)
def test_stop_reasons_are_in_our_words(reason: str, finish: str) -> None:
    call = chat({"role": "user", "content": "Hi."})
    assert invoke(call, None, reply([{"text": "Hi."}], reason)).finish_reason == finish


@pytest.mark.parametrize("reason", ["malformed_model_output", "malformed_tool_use"])
def test_a_malformed_answer_is_bad_output(reason: str) -> None:
    with pytest.raises(BadOutput):
        invoke(chat({"role": "user", "content": "Hi."}), None, reply([{"text": "Hi."}], reason))


@pytest.mark.parametrize(
    ("call", "param"),
    [
        (chat({"role": "user", "content": [{"type": "image_url", "image_url": {}}]}), "input.messages.0.content"),
        (chat({"role": "user", "content": [{"type": "text", "text": 5}]}), "input.messages.0.content"),
        (chat({"role": "assistant", "tool_calls": [{"id": "a", "function": "x"}]}), "input.messages.0.tool_calls"),
        (chat({"role": "assistant", "tool_calls": [{}]}), "input.messages.0.tool_calls"),
        (chat({"role": "user", "content": "Hi."}, tools=[{"name": "x"}]), "input.tools"),
        (chat({"role": "user", "content": "Hi."}, tools=[TOOL], tool_choice="any"), "input.tool_choice"),
    ],
)
def test_what_converse_cannot_take_is_an_invalid_request(call: Call, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Bedrock().invoke(call)
    assert caught.value.param == param


PNG, JPEG = b"\x89PNG\r\n\x1a\n and more", b"\xff\xd8\xff and more"
INBOX = FakeMedia(
    {"s3://inbox/acme/a": Blob(JPEG, "binary/octet-stream"), "s3://inbox/acme/b": Blob(b"II*\0", "image/tiff")}
)


def picture(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def test_pictures_are_sent_as_bytes() -> None:
    content = [
        {"type": "text", "text": "Which is older?"},
        picture(f"data:image/png;base64,{base64.b64encode(PNG).decode()}"),
        picture("s3://inbox/acme/a"),
    ]
    call = replace(chat({"role": "user", "content": content}), media=INBOX)
    blocks = [
        {"text": "Which is older?"},
        {"image": {"format": "png", "source": {"bytes": PNG}}},
        {"image": {"format": "jpeg", "source": {"bytes": JPEG}}},
    ]
    expected = {"modelId": "m", "messages": [{"role": "user", "content": blocks}]}
    assert invoke(call, expected, reply([{"text": "The left one."}])).output["text"] == "The left one."


@pytest.mark.parametrize(
    ("role", "url", "kind"),
    [
        ("user", "https://example.com/a.png", Rejected),
        ("user", "s3://inbox/acme/b", Rejected),
        ("user", "s3://inbox/acme/gone", InvalidRequest),
        ("system", "s3://inbox/acme/a", Rejected),
    ],
)
def test_pictures_that_cannot_be_sent_are_named(role: str, url: str, kind: type[BrokerError]) -> None:
    call = replace(chat({"role": "user", "content": "Hi."}, {"role": role, "content": [picture(url)]}), media=INBOX)
    with pytest.raises(kind) as caught:
        Bedrock().invoke(call)
    assert type(caught.value) is kind
    assert caught.value.param == "input.messages.1.content"


@pytest.mark.parametrize(("version", "sent"), [(3, "3"), ("DRAFT", "DRAFT"), (None, "DRAFT")])
def test_the_models_guardrail_is_passed_on(version: Any, sent: str) -> None:
    guard = {"id": "gr1"} | ({"version": version} if version else {})
    call = replace(chat({"role": "user", "content": "Hi."}), options={"guardrail": guard})
    expected = {
        "modelId": "m",
        "messages": [{"role": "user", "content": [{"text": "Hi."}]}],
        "guardrailConfig": {"guardrailIdentifier": "gr1", "guardrailVersion": sent},
    }
    invoke(call, expected, reply([{"text": "Hi."}]))
    with pytest.raises(Refused) as caught:
        invoke(call, expected, reply([{"text": "Sorry."}], "guardrail_intervened"))
    assert (caught.value.code, caught.value.maybe_paid) == ("guardrail_intervened", True)


def test_the_service_is_told_whose_call_it_is() -> None:
    call = replace(chat({"role": "user", "content": "Hi."}), scope="acme", token="job_1-1-1")
    expected = {
        "modelId": "m",
        "messages": [{"role": "user", "content": [{"text": "Hi."}]}],
        "requestMetadata": {"tenant": call.caller["tenant"], "job": "job_1"},
    }
    invoke(call, expected, reply([{"text": "Hi."}]))


def test_no_call_is_made_without_the_guardrail_that_was_meant() -> None:
    for guard in ({}, {"version": 1}, "gr1"):
        with pytest.raises(ModelGone) as caught:
            Bedrock().invoke(replace(chat({"role": "user", "content": "Hi."}), options={"guardrail": guard}))
        assert caught.value.code == "bad_guardrail"


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A process that begins without any; a session keeps those that it found."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    session.cache_clear()
    yield
    session.cache_clear()


def failed(endpoint: str | None) -> BrokerError:
    with pytest.raises(BrokerError) as caught:
        Bedrock().invoke(Call("chat", "m", {"text": "Hi."}, {}, 5, None, endpoint))
    return caught.value


@pytest.mark.usefixtures("no_credentials")
def test_without_credentials_nothing_is_paid() -> None:
    error = failed("us-east-1")
    assert (type(error), error.code, error.maybe_paid) == (CredentialRejected, "no_credentials", False)


@pytest.mark.usefixtures("no_credentials")
def test_without_a_service_nothing_is_paid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with socket.create_server(("127.0.0.1", 0)) as left:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{left.getsockname()[1]}")
    error = failed("us-east-1")
    assert (type(error), error.code, error.maybe_paid) == (Unavailable, "unreachable", False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "no url")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    for region in ("us-east-1", None, "no region!"):
        error = failed(region)
        assert (type(error), error.maybe_paid) == (Unavailable, False)
