"""Anthropic's own package against the deployed stack, with only `base_url` and `api_key` changed."""

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import pytest
import urllib3
from anthropic.types import Message
from broker.cli import create_key
from broker.storage import Update
from broker.tenants.api_keys import key_hash

from tests.e2e.stack import Stack

VERSION = {"anthropic-version": "2023-06-01"}
"""As LiteLLM, LangChain and Vercel's `ai` send it."""


def client_of(stack: Stack, tenant: str, **options: Any) -> anthropic.Anthropic:
    key = create_key(stack.database, tenant, "anthropic")
    return anthropic.Anthropic(base_url=stack.base_url.removesuffix("/v1"), api_key=key, **options)


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[anthropic.Anthropic]:
    with client_of(stack, "demo") as made:
        yield made


@pytest.fixture(scope="module")
def stranger(stack: Stack) -> Iterator[anthropic.Anthropic]:
    with client_of(stack, "other") as made:
        yield made


def unique() -> str:
    return f"The lamp {uuid.uuid4().hex} needed nobody."


def said(text: str) -> Any:
    return [{"role": "user", "content": text}]


def ask(client: anthropic.Anthropic, text: str, model: str = "echoes", **more: Any) -> Message:
    made: Message = client.messages.create(model=model, max_tokens=200, messages=said(text), **more)
    return made


def words(message: Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def test_a_message_is_answered_whole_and_as_a_stream(client: anthropic.Anthropic, stack: Stack) -> None:
    asked = unique()
    message = ask(client, asked, system=[{"type": "text", "text": "Be brief."}], extra_body={"temperature": 0})
    assert (asked in words(message), message.stop_reason, message.model) == (True, "end_turn", "echoes")
    assert message.usage.output_tokens > 0
    assert message._request_id
    job = stack.api.call("GET", f"/jobs/{message.id.replace('msg_', 'job_')}").body
    assert (job["status"], job["model"]) == ("succeeded", "echoes")
    again = client.get(f"/v1/messages/{message.id}", cast_to=Message)
    assert again.to_dict() == message.to_dict()
    with client.messages.stream(model="echoes", max_tokens=200, messages=said(asked)) as stream:
        assert asked in words(stream.get_final_message())
    assert client.messages.count_tokens(model="echoes", messages=said(asked)).input_tokens > 5


def test_models_are_those_of_the_tenant(client: anthropic.Anthropic) -> None:
    listed = {model.id: model for model in client.models.list(limit=5)}
    assert len(listed) > 5
    assert listed["echoes"].created_at.year >= 2025
    assert client.models.retrieve("echoes").to_dict() == listed["echoes"].to_dict()


def test_mistakes_and_failures_raise_the_packages_errors(stack: Stack, client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError) as failure:
        ask(client, "Hi", thinking={"type": "enabled", "budget_tokens": 2000})
    assert failure.value.body["error"]["details"]["param"] == "thinking.budget_tokens"  # type: ignore[index]
    assert failure.value.request_id
    assert ask(client, unique(), model="refuses").stop_reason == "refusal"
    with pytest.raises(anthropic.RateLimitError) as throttled:
        ask(client, unique(), model="throttles")
    assert throttled.value.type == "rate_limit_error"
    with anthropic.Anthropic(base_url=str(client.base_url), api_key="ib_nobody_at_all") as nobody:
        with pytest.raises(anthropic.AuthenticationError) as unknown:
            ask(nobody, "Hi")
    assert unknown.value.request_id
    assert unknown.value.body["type"] == "error"  # type: ignore[index]
    with client_of(stack, "poor") as poor, pytest.raises(anthropic.PaymentRequiredError) as broke:
        poor.messages.create(model="dear", max_tokens=1000, messages=said("Hi"))
    assert (broke.value.type, broke.value.error_code) == ("billing_error", "budget_exceeded")
    with pytest.raises(anthropic.ContentTooLargeError) as large:
        ask(client, "x" * 5_500_000)
    assert large.value.request_id


def test_another_tenant_finds_nothing(client: anthropic.Anthropic, stranger: anthropic.Anthropic) -> None:
    known = ask(client, unique()).id
    with pytest.raises(anthropic.NotFoundError) as missing:
        stranger.get(f"/v1/messages/{known}", cast_to=Message)
    assert missing.value.type == "not_found_error"


def posted(stack: Stack, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
    body = json.dumps({"model": "echoes", "max_tokens": 50, "messages": said("Hi")})
    return urllib3.request("POST", f"{stack.base_url}/messages", body=body, headers=headers | VERSION)


def test_a_key_may_come_in_either_header_and_two_have_to_be_the_same(stack: Stack) -> None:
    mine, theirs = (create_key(stack.database, tenant, "either") for tenant in ("demo", "other"))
    for headers in (
        {"x-api-key": mine},
        {"X-Api-Key": mine},
        {"authorization": f"Bearer {mine}"},
        {"x-api-key": mine, "authorization": f"Bearer {mine}"},
    ):
        assert posted(stack, headers).status == 200, headers
    for headers in (
        {},
        {"x-api-key": ""},
        {"x-api-key": mine, "authorization": f"Bearer {theirs}"},
        {"x-api-key": theirs, "authorization": f"Bearer {mine}"},
    ):
        refused = posted(stack, headers)
        assert (refused.status, refused.json()["type"]) == (401, "error"), headers
        assert refused.headers["x-should-retry"] == "false"
    for path in ("/models", "/models/echoes", "/files"):
        assert urllib3.request("GET", f"{stack.base_url}{path}", headers={"x-api-key": mine} | VERSION).status == 200
    # Where only one header is read, the other opens nothing.
    assert urllib3.request("GET", f"{stack.base_url}/jobs", headers={"x-api-key": mine}).status == 401


def test_callers_side_by_side_are_each_their_own(stack: Stack) -> None:
    """Nothing that the authorizer said of one is given to another, whichever header they use."""
    keys = {tenant: create_key(stack.database, tenant, "side") for tenant in ("demo", "other")}

    def asked(number: int) -> bool:
        tenant = ("demo", "other")[number % 2]
        header = {"x-api-key": keys[tenant]} if number % 4 < 2 else {"authorization": f"Bearer {keys[tenant]}"}
        known = posted(stack, header).json()["id"].replace("msg_", "job_")
        return stack.as_tenant(tenant).call("GET", f"/jobs/{known}").status == 200

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(asked, range(12)))


def test_a_revoked_key_ends_at_once(stack: Stack) -> None:
    key = create_key(stack.database, "demo", "revoked")
    assert posted(stack, {"x-api-key": key}).status == 200
    stack.database.write(Update("registry", f"KEY#{key_hash(key)}", "KEY", set={"status": "revoked"}))
    assert posted(stack, {"x-api-key": key}).status == 401


def test_an_error_of_a_shared_path_is_in_the_dialect_of_who_called(stack: Stack) -> None:
    key = create_key(stack.database, "demo", "dialect")
    lost = f"{stack.base_url}/models/nothing"
    mine = urllib3.request("GET", lost, headers={"x-api-key": key} | VERSION).json()
    assert (mine["type"], mine["error"]["type"]) == ("error", "not_found_error")
    assert urllib3.request("GET", lost, headers={"x-api-key": key}).json()["error"]["type"] == "not_found"


def test_a_tool_is_called_and_its_result_is_read(client: anthropic.Anthropic) -> None:
    tool: Any = {"name": "look", "description": "Looks.", "input_schema": {"type": "object", "properties": {}}}
    message = client.messages.create(
        model="of-openai", max_tokens=200, messages=said("Which bird?"), tools=[tool], tool_choice={"type": "any"}
    )
    (used,) = [block for block in message.content if block.type == "tool_use"]
    assert (used.name, message.stop_reason) == ("look", "tool_use")
    result: Any = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": used.id, "content": "A heron."}]}
    talk: Any = [*said("Which bird?"), message.to_param(), result]
    after = client.messages.create(model="of-openai", max_tokens=200, messages=talk, tools=[tool])
    assert after.stop_reason in ("end_turn", "tool_use")


def test_a_file_is_kept_and_asked_about_and_is_nobody_elses(
    client: anthropic.Anthropic, stranger: anthropic.Anthropic
) -> None:
    asked = unique()
    file = client.files.upload(file=("lamp.txt", asked.encode()), expires_in_seconds=3600)
    assert (file.filename, file.mime_type, file.size_bytes) == ("lamp.txt", "text/plain", len(asked))
    assert client.files.retrieve_metadata(file.id).id == file.id
    assert client.files.download(file.id).read() == asked.encode()
    assert file.id in {each.id for each in client.beta.files.list(limit=2, betas=["files-api-2025-04-14"])}
    document: Any = {"type": "document", "source": {"type": "file", "file_id": file.id}}
    talk: Any = [{"role": "user", "content": [document]}]
    assert asked in words(client.messages.create(model="echoes", max_tokens=200, messages=talk))
    with pytest.raises(anthropic.NotFoundError):
        stranger.files.download(file.id)
    with pytest.raises(anthropic.NotFoundError):
        stranger.messages.create(model="echoes", max_tokens=200, messages=talk)
    assert client.files.delete(file.id).type == "file_deleted"
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(model="echoes", max_tokens=200, messages=talk)
