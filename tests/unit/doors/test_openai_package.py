"""OpenAI's own package against the broker, with only `base_url` and `api_key` changed."""

import base64
import json
import random
import threading
from typing import Any

import openai
import pytest
from broker.errors import BadOutput, BrokerError, ContextExceeded, Refused, Throttled, Unavailable
from broker.registry.applying import apply
from broker.registry.document import parse_registry
from pydantic import BaseModel

from tests.fakes.world import NOW
from tests.unit.doors.case import Server, answering, says, sent
from tests.unit.rest_door import Door

SAID: Any = [{"role": "user", "content": "How are you?"}]
TOOL: Any = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"a": 1}'}}


class Bird(BaseModel):
    """An answer in form."""

    name: str


def test_a_response_is_created_and_read(client: openai.OpenAI, door: Door) -> None:
    response = client.responses.create(model="small", input="How are you?", metadata={"order": "17"})
    assert (response.output_text, response.status) == ("Hello to you", "completed")
    assert response.usage and (response.usage.input_tokens, response.usage.total_tokens) == (9, 13)
    assert (response._request_id, response.metadata) == ("req-1", {"order": "17"})
    again = client.responses.retrieve(response.id)
    assert again.to_dict() == response.to_dict()
    assert [head.door for head in sent(door)] == ["openai"]


def test_a_stored_prompt_is_run_and_told_as_it_was_filled(client: openai.OpenAI, door: Door) -> None:
    prompt = {
        "id": "shorten",
        "version": 1,
        "user": "Shorten: {{document}}",
        "hints": {"parameters": {"temperature": 0.25}},
    }
    apply(door.world.registry(), parse_registry({"prompts": [prompt]}), by="tests", now=NOW)
    named: Any = {"id": "shorten", "version": "1", "variables": {"document": "The lamp."}}
    response = client.responses.create(model="small", prompt=named)
    assert (response.output_text, response.temperature) == ("Hello to you", 0.25)
    assert client.responses.retrieve(response.id).to_dict() == response.to_dict()


def test_a_response_in_the_background_is_polled_and_canceled(client: openai.OpenAI, door: Door) -> None:
    answering(door).answer = lambda request: None
    first = client.responses.create(model="small", input="How are you?", background=True)
    assert (first.status, first.output_text, first.usage) == ("queued", "", None)
    assert client.responses.retrieve(first.id).status == "queued"
    answering(door).answer = says("At last.")
    answering(door).work()
    assert client.responses.retrieve(first.id).output_text == "At last."
    assert client.responses.cancel(first.id).status == "completed", "what has ended is told as it is"
    answering(door).answer = lambda request: None
    second = client.responses.create(model="small", input="How are you?", background=True)
    assert client.responses.cancel(second.id).status == "cancelled"


def test_a_response_that_is_deleted_is_gone(client: openai.OpenAI, door: Door) -> None:
    response = client.responses.create(model="small", input="How are you?")
    client.responses.delete(response.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)
    assert door.world.payloads.load(sent(door)[0].id, "OUTPUT#1.1") is None


def test_tools_and_schemas_of_responses(client: openai.OpenAI, door: Door) -> None:
    answering(door).answer = says("", "tool_calls", tool_calls=[CALL])
    tool: Any = {
        "type": "function",
        "name": "look",
        "parameters": {"type": "object", "properties": {}},
        "strict": False,
    }
    response = client.responses.create(model="small", input="Look.", tools=[tool], tool_choice="required")
    (item,) = response.output
    assert item.type == "function_call" and (item.name, item.arguments) == ("look", '{"a": 1}')
    answering(door).answer = says('{"name": "heron"}')
    parsed = client.responses.parse(model="small", input="Which bird?", text_format=Bird)
    assert parsed.output_parsed == Bird(name="heron")


def test_tokens_of_a_request_are_estimated(client: openai.OpenAI, door: Door) -> None:
    counted = client.responses.input_tokens.count(model="small", input="How are you?")
    assert counted.input_tokens > 0
    assert sent(door) == []


def test_a_chat_is_completed(client: openai.OpenAI) -> None:
    chat = client.chat.completions.create(model="small", messages=SAID, temperature=0.2)
    assert (chat.choices[0].message.content, chat.choices[0].finish_reason) == ("Hello to you", "stop")
    assert chat.usage and chat.usage.total_tokens == 13
    assert client.chat.completions.retrieve(chat.id).choices == chat.choices
    assert client.chat.completions.delete(chat.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.retrieve(chat.id)


def test_tools_and_schemas_of_chats(client: openai.OpenAI, door: Door) -> None:
    answering(door).answer = says("", "tool_calls", tool_calls=[CALL])
    named: Any = {"type": "function", "function": {"name": "look"}}
    chat = client.chat.completions.create(model="small", messages=SAID, tools=[TOOL], tool_choice=named)
    calls = [each.to_dict() for each in chat.choices[0].message.tool_calls or ()]
    assert calls == [CALL]
    answering(door).answer = says('{"name": "heron"}')
    parsed = client.chat.completions.parse(model="small", messages=SAID, response_format=Bird)
    assert parsed.choices[0].message.parsed == Bird(name="heron")


def test_a_chat_is_streamed_as_the_answer_that_it_is(client: openai.OpenAI, door: Door) -> None:
    whole = client.chat.completions.create(model="small", messages=SAID)
    with client.chat.completions.stream(model="small", messages=SAID, stream_options={"include_usage": True}) as stream:
        streamed = stream.get_final_completion()
    assert streamed.choices[0].message.content == whole.choices[0].message.content
    assert (streamed.choices[0].finish_reason, streamed.usage) == ("stop", whole.usage)
    answering(door).answer = says("", "tool_calls", tool_calls=[CALL])
    with client.chat.completions.stream(model="small", messages=SAID, tools=[TOOL]) as stream:
        calls = stream.get_final_completion().choices[0].message.tool_calls or []
    assert [(call.function.name, call.function.arguments) for call in calls] == [("look", '{"a": 1}')]


def test_a_response_is_streamed_by_all_events_in_order(client: openai.OpenAI, door: Door) -> None:
    answering(door).answer = says("I look.", "tool_calls", tool_calls=[CALL])
    tool: Any = {
        "type": "function",
        "name": "look",
        "parameters": {"type": "object", "properties": {}},
        "strict": False,
    }
    events = list(client.responses.create(model="small", input="Look.", tools=[tool], stream=True))
    assert [each.sequence_number for each in events] == list(range(len(events)))
    assert [each.type.removeprefix("response.") for each in events] == [
        *("created", "in_progress"),
        *("output_item.added", "content_part.added", "output_text.delta", "output_text.done", "content_part.done"),
        "output_item.done",
        *("output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done"),
        "completed",
    ]
    with client.responses.stream(model="small", input="Look.", tools=[tool]) as stream:
        final = stream.get_final_response()
    assert (final.output_text, final.output[1].type) == ("I look.", "function_call")
    assert final.usage and final.usage.total_tokens == 13
    answering(door).answer = says("I lo", "length")
    with client.responses.stream(model="small", input="Look.") as stream:
        assert [each.type for each in stream][-1] == "response.incomplete"


def test_what_is_told_in_the_place_of_a_streamed_answer_has_its_status(client: openai.OpenAI, door: Door) -> None:
    answering(door).answer = lambda request: Refused("m", code="model_refused")
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="small", messages=SAID, stream=True)
    answering(door).answer = says("x" * 1_500_000)
    with pytest.raises(openai.APIStatusError) as failure:
        client.responses.create(model="small", input="Much.", stream=True)
    assert (failure.value.status_code, failure.value.code) == (413, "answer_too_large")


@pytest.mark.parametrize("form", [None, "float", "base64"])
def test_embeddings_come_as_the_package_asks_for_them(client: openai.OpenAI, door: Door, form: Any) -> None:
    answering(door).answer = lambda request: {"embeddings": [[0.5, -1.25], [3.0, 0.0]]}
    wanted = {} if form is None else {"encoding_format": form}
    found = client.embeddings.create(model="vectors", input=["a", "b"], **wanted)
    numbers = [each.embedding for each in found.data]
    if form == "base64":
        assert [len(base64.b64decode(str(each))) for each in numbers] == [8, 8]
    else:
        assert numbers == [[0.5, -1.25], [3.0, 0.0]]
    assert [each.index for each in found.data] == [0, 1]
    assert found.usage.prompt_tokens == 9


def test_many_embeddings_are_packed_into_a_reply_that_has_room_for_them(client: openai.OpenAI, door: Door) -> None:
    row = [random.Random(3).random() for _ in range(1536)]
    answering(door).answer = lambda request: {"embeddings": [row] * len(request["input"]["text"])}
    assert len(client.embeddings.create(model="vectors", input=["a"] * 200).data) == 200
    with pytest.raises(openai.APIStatusError) as failure:
        client.embeddings.create(model="vectors", input=["a"] * 600)
    assert (failure.value.status_code, failure.value.code) == (413, "answer_too_large")
    assert "/v1/jobs/job_" in failure.value.message


def test_models_are_listed_and_one_is_read(client: openai.OpenAI) -> None:
    listed = {model.id: model for model in client.models.list()}
    assert {"small", "vectors"} <= listed.keys()
    assert (listed["small"].object, listed["small"].owned_by) == ("model", "fake")
    assert isinstance(listed["small"].created, int)
    assert client.models.retrieve("small").id == "small"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("none")


def test_another_tenant_finds_none_of_it(client: openai.OpenAI, stranger: openai.OpenAI, door: Door) -> None:
    response = client.responses.create(model="small", input="How are you?")
    chat = client.chat.completions.create(model="small", messages=SAID)
    for call in (
        lambda: stranger.responses.retrieve(response.id),
        lambda: stranger.responses.cancel(response.id),
        lambda: stranger.responses.delete(response.id),
        lambda: stranger.chat.completions.retrieve(chat.id),
        lambda: stranger.chat.completions.delete(chat.id),
        # Nor does the owner by an id of another kind.
        lambda: client.responses.retrieve(chat.id),
        lambda: client.chat.completions.retrieve(response.id),
        lambda: client.responses.retrieve("resp_none"),
        lambda: client.responses.retrieve(response.id.replace("resp_", "job_")),
    ):
        with pytest.raises(openai.NotFoundError) as failure:
            call()
        assert failure.value.code == "not_found"
    assert client.responses.retrieve(response.id).output_text == "Hello to you"


def test_embeddings_are_no_response(client: openai.OpenAI, door: Door) -> None:
    answering(door).answer = lambda request: {"embeddings": [[0.5]]}
    client.embeddings.create(model="vectors", input="a")
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(sent(door)[0].id.replace("job_", "resp_"))


@pytest.mark.parametrize(
    ("wrong", "kind", "param"),
    [
        ({"messages": [{"role": "robot", "content": "Hi"}]}, openai.BadRequestError, "messages.0.role"),
        ({"messages": [{"role": "user", "content": " "}]}, openai.BadRequestError, "messages.0.content"),
        ({"max_tokens": 0}, openai.BadRequestError, "max_tokens"),
        ({"temperature": 3}, openai.BadRequestError, "temperature"),
        ({"tool_choice": "required"}, openai.BadRequestError, "tool_choice"),
        ({"n": 2}, openai.BadRequestError, "n"),
        ({"logprobs": True}, openai.BadRequestError, "logprobs"),
        ({"extra_body": {"colour": "blue"}}, openai.BadRequestError, "colour"),
        ({"model": "none"}, openai.BadRequestError, "model"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": 7}}}},
            openai.BadRequestError,
            None,
        ),
    ],
)
def test_a_mistake_raises_the_packages_own_error_and_names_the_field(
    client: openai.OpenAI, server: Server, door: Door, wrong: Any, kind: Any, param: str | None
) -> None:
    with pytest.raises(kind) as failure:
        client.chat.completions.create(**({"model": "small", "messages": SAID} | wrong))
    assert param is None or failure.value.param == param
    assert failure.value.request_id == "req-1"
    assert (len(server.asked), sent(door)) == (1, [])


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"input": [{"role": "user", "content": " "}], "instructions": "Be brief."}, "input.0.content"),
        ({"input": " "}, "input"),
        ({"tools": [{"type": "function", "name": "a b", "parameters": {}, "strict": False}]}, "tools.0.name"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"conversation": "a b"}, "conversation"),
        ({"prompt": {"id": "none"}}, "prompt.id"),
    ],
)
def test_a_mistake_in_a_response_names_the_field_as_it_was_sent(client: openai.OpenAI, wrong: Any, param: str) -> None:
    with pytest.raises(openai.APIStatusError) as failure:
        client.responses.create(**({"model": "small", "input": "Hi"} | wrong))
    assert failure.value.status_code in (400, 404)
    assert failure.value.param == param


def test_tokens_in_the_place_of_texts_are_refused_with_the_way_out(client: openai.OpenAI) -> None:
    for tokens in ([1, 2], [[1], [2]]):
        with pytest.raises(openai.BadRequestError, match="check_embedding_ctx_length"):
            client.embeddings.create(model="vectors", input=tokens)


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (Refused("m", code="model_refused"), openai.BadRequestError, "model_refused"),
        (ContextExceeded("m"), openai.BadRequestError, "context_length_exceeded"),
        (Throttled("m"), openai.RateLimitError, "throttled"),
        (Unavailable("m"), openai.InternalServerError, "unavailable"),
        (BadOutput("m"), openai.InternalServerError, "bad_output"),
    ],
)
def test_a_job_that_fails_raises_what_the_package_has_for_it_and_is_not_repeated(
    client: openai.OpenAI, server: Server, door: Door, error: BrokerError, kind: Any, code: str
) -> None:
    answering(door).answer = lambda request: error
    with pytest.raises(kind) as failure:
        client.chat.completions.create(model="small", messages=SAID)
    assert (failure.value.code, len(server.asked), len(sent(door))) == (code, 1, 1)
    with pytest.raises(kind):
        client.responses.create(model="small", input="Hi")
    told = client.responses.retrieve(sent(door)[1].id.replace("job_", "resp_"))
    assert told.status in ("failed", "incomplete")


def test_what_is_not_there_in_time_is_told_once_with_its_id(client: openai.OpenAI, server: Server, door: Door) -> None:
    answering(door).answer = lambda request: None
    server.late = True
    with pytest.raises(openai.InternalServerError) as failure:
        client.chat.completions.create(model="small", messages=SAID)
    assert (failure.value.status_code, failure.value.code) == (504, "still_running")
    assert (len(server.asked), len(sent(door))) == (1, 1)
    server.late = False
    answering(door).answer = says("At last.")
    answering(door).work()
    known = sent(door)[0].id.replace("job_", "chatcmpl-")
    assert known in failure.value.message
    assert client.chat.completions.retrieve(known).choices[0].message.content == "At last."


def test_a_stranger_to_the_broker_is_told_so(server: Server) -> None:
    with openai.OpenAI(base_url=server.url, api_key="ib_nobody") as client, pytest.raises(openai.AuthenticationError):
        client.models.list()


class Hasty(openai.OpenAI):
    """A client that does not pause before it repeats."""

    def _calculate_retry_timeout(self, *_: Any) -> float:
        return 0.001


FATES = ["answered", "lost", "cut", "500", "504", "503"]


def test_ten_clients_whose_calls_are_cut_lost_and_failed_get_a_job_for_each_call(server: Server, door: Door) -> None:
    """Each call is of its own body; its first two tries may be cut before or after the work, or told as failed."""
    chance = random.Random(7)
    answering(door).answer = lambda request: {"text": json.dumps(request["input"]["messages"]), "finish_reason": "stop"}
    server.fate = lambda number: chance.choice(FATES)
    told: dict[str, str] = {}

    def work(number: int) -> None:
        with Hasty(base_url=server.url, api_key="ib_acme") as client:
            for call in range(100):
                asked = f"client {number}, call {call}"
                response = client.responses.create(model="small", input=asked)
                assert asked in response.output_text
                told[asked] = response.id

    workers = [threading.Thread(target=work, args=(number,)) for number in range(10)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert len(told) == len(set(told.values())) == 1_000
    assert {head.id.replace("job_", "resp_") for head in sent(door)} == set(told.values())
