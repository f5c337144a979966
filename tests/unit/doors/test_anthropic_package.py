"""Anthropic's own package against the broker, with only `base_url` and `api_key` changed."""

import json
import random
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
import urllib3
from broker.errors import BadOutput, BrokerError, ContextExceeded, Refused, Throttled, Truncated, Unavailable
from broker.routing.circuits import State

from tests.unit.doors.case import Server, answering, says, sent
from tests.unit.rest_door import Door

SAID: Any = [{"role": "user", "content": "How are you?"}]
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
TOOL: Any = {"name": "look", "description": "Looks.", "input_schema": SCHEMA}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"a": 1}'}}


@pytest.fixture
def server(door: Door) -> Iterator[Server]:
    with Server(door, stage="/v1") as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=server.url, api_key="ib_acme") as made:
        yield made


@pytest.fixture
def stranger(server: Server) -> Iterator[anthropic.Anthropic]:
    """Another tenant's client."""
    with anthropic.Anthropic(base_url=server.url, api_key="ib_rich") as made:
        yield made


def ask(client: anthropic.Anthropic, **more: Any) -> anthropic.types.Message:
    given: dict[str, Any] = {"model": "small", "max_tokens": 64, "messages": SAID} | more
    made: anthropic.types.Message = client.messages.create(**given)
    return made


def test_a_message_is_created(client: anthropic.Anthropic, door: Door) -> None:
    message = ask(client, system="Be brief.", metadata={"user_id": "u-1"})
    assert message.content[0].type == "text"
    assert (message.content[0].text, message.stop_reason, message.model) == ("Hello to you", "end_turn", "small")
    assert (message.usage.input_tokens, message.usage.output_tokens) == (9, 4)
    assert message._request_id == "req-1"
    (head,) = sent(door)
    assert head.id == message.id.replace("msg_", "job_")
    assert door("GET", "/jobs/{id}", job_id=head.id).body["metadata"] == {"anthropic.user_id": "u-1"}


def test_a_tool_is_called_and_its_result_sent_back(client: anthropic.Anthropic, door: Door) -> None:
    answering(door).answer = says("", "tool_calls", tool_calls=[CALL])
    message = ask(client, tools=[TOOL], tool_choice={"type": "any"})
    (block,) = message.content
    assert block.type == "tool_use"
    assert (block.name, block.input, message.stop_reason) == ("look", {"a": 1}, "tool_use")
    answering(door).answer = says("It is red.")
    result = {"type": "tool_result", "tool_use_id": block.id, "content": [{"type": "text", "text": "red"}]}
    talk = [*SAID, message.to_param(), {"role": "user", "content": [result]}]
    assert ask(client, tools=[TOOL], messages=talk).stop_reason == "end_turn"


def test_a_stream_gives_the_same_message(client: anthropic.Anthropic, door: Door) -> None:
    answering(door).answer = says("I look.", "tool_calls", tool_calls=[CALL])
    whole = ask(client, tools=[TOOL])
    with client.messages.stream(model="small", max_tokens=64, messages=SAID, tools=[TOOL]) as stream:
        assert list(stream.text_stream) == ["I look."]
        told = stream.get_final_message()
    assert told.content[1].to_dict()["input"] == {"a": 1}
    assert [block.type for block in told.content] == ["text", "tool_use"]
    assert (told.usage.output_tokens, told.stop_reason) == (whole.usage.output_tokens, "tool_use")
    kinds = [event.type for event in client.messages.create(model="small", max_tokens=9, messages=SAID, stream=True)]
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")


def test_tokens_are_counted_and_no_job_is_made(client: anthropic.Anthropic, door: Door) -> None:
    assert client.messages.count_tokens(model="small", messages=SAID, system="Be brief.").input_tokens > 3
    assert not sent(door)
    door.health.known["small"] = State("open", 10**14)
    with anthropic.Anthropic(base_url=str(client.base_url), api_key="ib_acme", max_retries=0) as once:
        with pytest.raises(anthropic.OverloadedError) as failure:
            once.messages.count_tokens(model="small", messages=SAID)
    assert failure.value.error_code == "circuit_open"


def test_calls_in_beta_are_the_same(client: anthropic.Anthropic, server: Server) -> None:
    message = client.beta.messages.create(model="small", max_tokens=64, messages=SAID, betas=["context-1m-2025-08-07"])
    assert message.content[0].to_dict()["text"] == "Hello to you"
    assert server.asked == ["POST /v1/messages"]
    assert client.beta.messages.count_tokens(model="small", messages=SAID).input_tokens > 0


def test_an_answer_in_form(client: anthropic.Anthropic, door: Door) -> None:
    answering(door).answer = lambda request: {"json": {"a": 1}, "finish_reason": "stop"}
    message = ask(client, output_config={"format": {"type": "json_schema", "schema": SCHEMA}})
    assert message.content[0].type == "text"
    assert json.loads(message.content[0].text) == {"a": 1}


def test_models_are_listed_in_pages(client: anthropic.Anthropic) -> None:
    found = {model.id: model for model in client.models.list(limit=1)}
    assert set(found) == {"large", "small", "vectors"}
    small = client.models.retrieve("small")
    assert (small.type, small.display_name, small.lifecycle) == ("model", "small", "active")
    assert small.to_dict() == found["small"].to_dict()
    assert found["large"].lifecycle == "retired"
    page = client.models.list(limit=1, before_id="vectors")
    assert ([model.id for model in page.data], page.has_more) == (["small"], True)
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("nothing")
    with pytest.raises(anthropic.BadRequestError, match="lifecycle"):
        client.models.list(lifecycle=["active"])


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "limit=1001", "after_id=none", "after_id=small&before_id=small"]
)
def test_a_page_that_makes_no_sense_is_refused(server: Server, query: str) -> None:
    headers = {"authorization": "Bearer ib_acme", "anthropic-version": "2023-06-01"}
    asked = urllib3.request("GET", f"{server.url}/v1/models?{query}", headers=headers)
    wanted = query.split("&")[-1].split("=")[0]
    assert (asked.status, asked.json()["error"]["details"]["param"]) == (400, wanted)


def test_models_are_in_the_brokers_form_for_all_others(server: Server) -> None:
    asked = urllib3.request("GET", f"{server.url}/v1/models?limit=1", headers={"x-api-key": "ib_acme"}).json()
    assert asked.keys() == {"object", "data"}
    assert len(asked["data"]) == 3
    assert {"object", "created", "owned_by", "prices"} <= asked["data"][0].keys()


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (ContextExceeded("It is too long."), 400, "invalid_request_error"),
        (Throttled("Less."), 429, "rate_limit_error"),
        (BadOutput("It is no JSON."), 502, "api_error"),
        (Unavailable("It is down."), 529, "overloaded_error"),
    ],
)
def test_a_job_that_fails_raises_and_is_not_repeated(
    client: anthropic.Anthropic, door: Door, error: BrokerError, status: int, kind: str
) -> None:
    answering(door).answer = lambda request: error
    with pytest.raises(anthropic.APIStatusError) as failure:
        ask(client)
    told = failure.value
    assert (told.status_code, told.type, told.request_id) == (status, kind, "req-1")
    assert told.api_message == error.message
    assert len(sent(door)) == 1


@pytest.mark.parametrize(("error", "reason"), [(Refused("No."), "refusal"), (Truncated("Cut."), "max_tokens")])
def test_a_refusal_is_an_answer(client: anthropic.Anthropic, door: Door, error: BrokerError, reason: str) -> None:
    answering(door).answer = lambda request: error
    message = ask(client)
    assert (message.content, message.stop_reason) == ([], reason)


def test_an_answer_that_is_late_is_asked_for_by_its_id(
    client: anthropic.Anthropic, server: Server, door: Door, stranger: anthropic.Anthropic
) -> None:
    answering(door).answer, server.late = lambda request: None, True
    with pytest.raises(anthropic.GatewayTimeoutError) as failure:
        ask(client)
    assert (failure.value.type, failure.value.error_code) == ("timeout_error", "still_running")
    assert server.asked == ["POST /v1/messages"], "it must not be repeated"
    (head,) = sent(door)
    known = head.id.replace("job_", "msg_")
    assert known in str(failure.value.api_message)
    answering(door).answer = says("Here.")
    answering(door).work()
    got = client.get(f"/v1/messages/{known}", cast_to=anthropic.types.Message)
    assert got.content[0].to_dict()["text"] == "Here."
    with pytest.raises(anthropic.NotFoundError):
        stranger.get(f"/v1/messages/{known}", cast_to=anthropic.types.Message)


def test_mistakes_name_the_field(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError) as failure:
        ask(client, extra_body={"top_k": 5})
    assert (failure.value.type, failure.value.error_code) == ("invalid_request_error", "unsupported")
    assert failure.value.body["error"]["details"]["param"] == "top_k"  # type: ignore[index]
    with pytest.raises(anthropic.BadRequestError) as missing:
        ask(client, model="nothing")
    assert missing.value.error_code == "unknown_model"


def test_repeats_are_one_job(client: anthropic.Anthropic, server: Server, door: Door) -> None:
    chance = random.Random(7)
    server.fate = lambda number: chance.choice(["answered", "cut", "lost", "500", "503"])
    told = {ask(client, system=f"You are {number}.").id for number in range(12)}
    assert len(told) == len(sent(door)) == 12


LITELLM = {"x-api-key": "ib_acme", "anthropic-version": "2023-06-01", "content-type": "application/json"}


def test_a_key_may_come_in_either_header_and_two_have_to_be_the_same(server: Server, door: Door) -> None:
    body = json.dumps({"model": "small", "max_tokens": 9, "messages": SAID})
    for headers in (LITELLM, LITELLM | {"authorization": "Bearer ib_acme"}):
        answer = urllib3.request("POST", f"{server.url}/v1/messages", body=body, headers=headers)
        assert (answer.status, answer.json()["type"]) == (200, "message")
    for other in ("Bearer ib_rich", "Basic ib_rich", "ib_acme"):
        answer = urllib3.request(
            "POST", f"{server.url}/v1/messages", body=body, headers=LITELLM | {"authorization": other}
        )
        assert answer.status == 401
    assert len(sent(door)) == 2


def test_an_error_is_in_the_dialect_of_who_called(server: Server) -> None:
    lost = f"{server.url}/v1/models/nothing"
    mine = urllib3.request("GET", lost, headers=LITELLM).json()
    assert (mine["type"], mine["error"]["type"], mine["request_id"]) == ("error", "not_found_error", "req-1")
    theirs = urllib3.request("GET", lost, headers={"authorization": "Bearer ib_acme"}).json()
    assert "type" not in theirs
    assert theirs["error"]["type"] == "not_found"
