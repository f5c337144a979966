"""OpenAI's own package and batches, from its rows to the lines of its results."""

import base64
import json
from array import array
from typing import Any

import openai
import pytest
from broker.contract.files import OpenAiBatchLine
from broker.errors import ContextExceeded, Refused
from openai.types.chat import ChatCompletion
from openai.types.create_embedding_response import CreateEmbeddingResponse
from openai.types.responses import Response

from tests.unit.doors.batch_case import CHAT, EMBEDDINGS, RESPONSES, Broker, by_text, create, row, upload
from tests.unit.doors.case import Json
from tests.unit.rest_door import Door

DAY_S = 86_400


@pytest.fixture
def door(broker: Broker) -> Door:
    return broker.door


def lines(broker: Broker, file_id: str | None) -> list[Json]:
    found = broker.content(file_id)
    for line in found:
        OpenAiBatchLine.model_validate(line)
    return found


def test_a_batch_of_chats_from_its_file_to_its_answers(broker: Broker, client: openai.OpenAI) -> None:
    batch = create(client, row("a", "one"), row("b", "two"), metadata={"order": "17"})
    assert (batch.status, batch.endpoint, batch.completion_window) == ("validating", CHAT, "24h")
    assert batch.expires_at == batch.created_at + DAY_S
    assert client.files.retrieve(batch.input_file_id).purpose == "batch"
    broker.run_all(batch.id)
    batch = client.batches.retrieve(batch.id)
    assert (batch.status, batch.metadata, batch.model, batch.errors) == ("completed", {"order": "17"}, "small", None)
    assert batch.request_counts is not None and batch.usage is not None
    assert batch.request_counts.to_dict() == {"total": 2, "completed": 2, "failed": 0}
    assert (batch.usage.input_tokens, batch.usage.output_tokens, batch.usage.total_tokens) == (18, 8, 26)
    assert batch.usage.input_tokens_details.cached_tokens == batch.usage.output_tokens_details.reasoning_tokens == 0
    stamps = batch.created_at, batch.in_progress_at, batch.finalizing_at, batch.completed_at
    assert all(isinstance(each, int) for each in stamps)
    assert (batch.failed_at, batch.expired_at, batch.cancelling_at, batch.error_file_id) == (None, None, None, None)
    first, second = lines(broker, batch.output_file_id)
    assert (first["custom_id"], second["custom_id"], first["error"]) == ("a", "b", None)
    assert first["response"]["status_code"] == 200
    answer = ChatCompletion.model_validate(first["response"]["body"], strict=True)
    assert answer.choices[0].message.content == "Hello to you"
    assert answer.id == first["response"]["request_id"].replace("job_", "chatcmpl-")
    assert client.chat.completions.retrieve(answer.id).to_dict() == answer.to_dict()
    assert client.files.retrieve(str(batch.output_file_id)).purpose == "batch_output"


def test_a_batch_of_responses_with_what_rows_ask(broker: Broker, client: openai.OpenAI) -> None:
    tool = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}, "strict": False}
    body: Json = {"model": "small", "input": "Hello", "tools": [tool], "temperature": 0.5, "background": True}
    batch = create(client, row("a") | {"url": RESPONSES, "body": body}, endpoint=RESPONSES)
    broker.run_all(batch.id)
    (line,) = lines(broker, client.batches.retrieve(batch.id).output_file_id)
    response = Response.model_validate(line["response"]["body"])
    assert (response.output_text, response.status, response.temperature) == ("Hello to you", "completed", 0.5)
    assert [each.name for each in response.tools if each.type == "function"] == ["look"]
    assert response.service_tier == "flex", "rows go through the lane for work that can wait"
    assert client.responses.retrieve(response.id).to_dict() == response.to_dict()


@pytest.mark.parametrize("form", [None, "float", "base64"])
@pytest.mark.parametrize("many", [1, 6_000])
def test_a_batch_of_embeddings_however_large(broker: Broker, client: openai.OpenAI, form: Any, many: int) -> None:
    vectors = [[0.5, -1.25e-7] * 40, [1.0, 2.0] * 40] * many
    broker.answer = lambda request: {"embeddings": vectors}
    body = {"model": "vectors", "input": ["heron", "lamp"]} | ({"encoding_format": form} if form else {})
    batch = create(client, row("a") | {"url": EMBEDDINGS, "body": body}, endpoint=EMBEDDINGS)
    broker.run_all(batch.id)
    (line,) = lines(broker, client.batches.retrieve(batch.id).output_file_id)
    found = CreateEmbeddingResponse.model_validate(line["response"]["body"] | {"data": []})
    assert (found.model, found.usage.total_tokens, found.object) == ("small", 9, "list")
    data = line["response"]["body"]["data"]
    assert [each["index"] for each in data] == list(range(2 * many))
    if form == "base64":
        assert [array("f", base64.b64decode(each["embedding"])) for each in data] == [
            array("f", row) for row in vectors
        ]
    else:
        assert [each["embedding"] for each in data] == vectors


def test_rows_that_cannot_be_jobs_say_so_by_their_lines_and_fields(broker: Broker, client: openai.OpenAI) -> None:
    bad: list[tuple[Any, str | None, str, str | None]] = [
        ("{", None, "invalid_json", None),
        ("[]", None, "invalid_row", None),
        ({"custom_id": "c", "method": "POST", "url": CHAT}, "c", "invalid_field", "body"),
        (row("m") | {"method": "GET"}, "m", "invalid_method", "method"),
        (row("u", url=RESPONSES), "u", "invalid_url", "url"),
        (row("v", url="/v1/fine_tuning/jobs"), "v", "invalid_url", "url"),
        (row("x") | {"priority": "high"}, "x", "unsupported", "priority"),
        ({name: value for name, value in row("").items() if name != "custom_id"}, None, "invalid_field", "custom_id"),
        (row(7), None, "invalid_field", "custom_id"),
        (row("fine", "again"), "fine", "duplicate_custom_id", "custom_id"),
        (row("b") | {"body": "Hello"}, "b", "invalid_field", "body"),
        (row("s", stream=True), "s", "unsupported", "body.stream"),
        (row("r", verbosity="high"), "r", "unsupported", "body.verbosity"),
        (row("t", temperature=9), "t", "invalid_field", "body.temperature"),
        (row("l", max_tokens=-1), "l", "invalid_field", "body.max_tokens"),
        (row("n", model="nobody"), "n", "unknown_model", "body.model"),
        (row("p", messages=[{"role": "king", "content": "Hi"}]), "p", "invalid_field", "body.messages.0.role"),
    ]
    batch = create(client, row("fine"), *(each for each, *_ in bad), row("last"))
    broker.run_all(batch.id)
    batch = client.batches.retrieve(batch.id)
    assert batch.status == "completed"
    assert batch.request_counts is not None
    assert batch.request_counts.to_dict() == {"total": 19, "completed": 2, "failed": 17}
    assert [line["custom_id"] for line in lines(broker, batch.output_file_id)] == ["fine", "last"]
    found = lines(broker, batch.error_file_id)
    told = [(line["custom_id"], line["error"]["code"], line["error"]["param"]) for line in found]
    assert told == [(custom_id, code, param) for _, custom_id, code, param in bad]
    assert [line["error"]["line"] for line in found] == list(range(2, 19))
    assert {line["response"] for line in found} == {None}
    assert len({line["id"] for line in found}) == 17
    for line in found:
        if str(line["error"]["param"]).startswith("body.") and line["error"]["code"] != "unknown_model":
            assert line["error"]["message"].startswith(f"{line['error']['param']}: "), line


def test_rows_of_responses_that_nobody_could_collect_are_refused(broker: Broker, client: openai.OpenAI) -> None:
    body = {"model": "small", "input": "Hello"}
    given = [{"stream": True}, {"store": False}, {"stream": True, "background": True}]
    rows = [row(f"r{n}") | {"url": RESPONSES, "body": body | each} for n, each in enumerate(given)]
    batch = create(client, *rows, endpoint=RESPONSES)
    broker.run_all(batch.id)
    found = lines(broker, client.batches.retrieve(batch.id).error_file_id)
    assert [each["error"]["param"] for each in found] == ["body.stream", "body.store", "body.stream"]


def test_jobs_that_end_without_an_answer_are_what_the_route_would_reply(broker: Broker, client: openai.OpenAI) -> None:
    broker.answer = by_text(
        {"refuse": Refused("The provider refused.", code="model_refused"), "long": ContextExceeded("No.")}
    )
    batch = create(client, row("a", "fine"), row("b", "refuse"), row("c", "long"))
    broker.run_all(batch.id)
    batch = client.batches.retrieve(batch.id)
    assert len(lines(broker, batch.output_file_id)) == 1
    refused, long = lines(broker, batch.error_file_id)
    assert (refused["response"]["status_code"], refused["error"]) == (400, None)
    assert refused["response"]["body"]["error"]["code"] == "model_refused"
    assert long["response"]["body"]["error"]["code"] == "context_length_exceeded"
    with pytest.raises(openai.BadRequestError) as failure:
        client.chat.completions.retrieve(refused["response"]["request_id"].replace("job_", "chatcmpl-"))
    told: Any = failure.value.body
    assert {**told, "request_id": None} == {**refused["response"]["body"]["error"], "request_id": None}


def test_rows_that_ask_the_same_are_paid_once_and_say_whose_answer_they_have(
    broker: Broker, client: openai.OpenAI
) -> None:
    batch = create(client, row("a"), row("b"), row("c", "other"), extra_body={"dedupe": True})
    broker.run_all(batch.id)
    first, second, _ = lines(broker, client.batches.retrieve(batch.id).output_file_id)
    assert first["response"] == second["response"]
    assert (second["custom_id"], second["duplicate_of"]) == ("b", 1)
    assert second["id"] != first["id"]
    assert len(broker.jobs(batch.id)) == 2


def test_rows_may_come_in_the_body(broker: Broker, client: openai.OpenAI) -> None:
    made: Any = client.post(
        "/batches",
        cast_to=openai.types.Batch,
        body={"endpoint": CHAT, "requests": [row("a"), row("b", url=RESPONSES)], "metadata": None},
    )
    broker.run_all(made.id)
    batch: Any = client.batches.retrieve(made.id)
    assert (batch.input_file_id, batch.completion_window) == (None, "24h")
    assert [each["custom_id"] for each in lines(broker, batch.output_file_id)] == ["a"]
    assert [each["error"]["param"] for each in lines(broker, batch.error_file_id)] == ["url"]


def test_a_batch_of_several_models_names_none(broker: Broker, client: openai.OpenAI) -> None:
    batch = create(client, row("a"), row("b", model="auto"))
    broker.run_all(batch.id)
    assert client.batches.retrieve(batch.id).model is None


def test_results_are_over_when_it_was_said(broker: Broker, client: openai.OpenAI) -> None:
    batch = create(client, row("a"), output_expires_after={"anchor": "created_at", "seconds": 7_200})
    broker.run_all(batch.id)
    file = client.files.retrieve(str(client.batches.retrieve(batch.id).output_file_id))
    assert file.expires_at == file.created_at + 7_200


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"endpoint": "/v1/fine_tuning/jobs"}, "endpoint"),
        ({"endpoint": ""}, "endpoint"),
        ({"endpoint": 7}, "endpoint"),
        ({"completion_window": "soon"}, "completion_window"),
        ({"completion_window": "8d"}, "completion_window"),
        ({"output_expires_after": {"anchor": "now", "seconds": 7_200}}, "output_expires_after.anchor"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 60}}, "output_expires_after.seconds"),
        ({"output_expires_after": {"seconds": 31 * DAY_S}}, "output_expires_after.seconds"),
        ({"defaults": {"model": "small"}}, "defaults"),
        ({"prompt": {"id": "x"}}, "prompt"),
        ({"surprise": 1}, "surprise"),
        ({"input_file_id": "file-none"}, "input_file_id"),
        ({"metadata": {"a": 1}}, "metadata.a"),
    ],
)
def test_what_a_batch_may_not_ask_is_refused_by_name(client: openai.OpenAI, more: Json, param: str) -> None:
    with pytest.raises(openai.APIStatusError) as failure:
        create(client, row("a"), extra_body=more)
    assert failure.value.param == param
    assert not client.batches.list().data


def test_another_window_is_taken(client: openai.OpenAI) -> None:
    batch = create(client, row("a"), extra_body={"completion_window": "90m"})
    assert (batch.completion_window, batch.expires_at) == ("90m", batch.created_at + 5_400)


def test_a_canceled_batch_keeps_what_it_has(broker: Broker, client: openai.OpenAI) -> None:
    batch = create(client, row("a"), row("b"))
    broker.plan(batch.id)
    assert client.batches.cancel(batch.id).status == "cancelling"
    broker.run(batch.id)
    broker.tend_all()
    broker.finish(batch.id)
    batch = client.batches.retrieve(batch.id)
    assert (batch.status, isinstance(batch.cancelled_at, int)) == ("cancelled", True)
    assert {line["error"]["code"] for line in lines(broker, batch.error_file_id)} == {"batch_cancelled"}
    with pytest.raises(openai.ConflictError):
        client.batches.cancel(batch.id)


def test_a_file_that_is_none_fails_the_batch_with_its_errors(broker: Broker, client: openai.OpenAI) -> None:
    batch = create(client, "", "")
    broker.run_all(batch.id)
    batch = client.batches.retrieve(batch.id)
    assert (batch.status, isinstance(batch.failed_at, int)) == ("failed", True)
    assert batch.errors and batch.errors.data
    assert (batch.errors.object, batch.errors.data[0].code) == ("list", "empty_file")


def test_lists_are_gone_through_page_by_page_and_are_a_tenants_own(
    client: openai.OpenAI, stranger: openai.OpenAI
) -> None:
    made = [create(client, row("a")).id for _ in range(5)]
    page = client.batches.list(limit=2)
    assert (page.has_more, len(page.data)) == (True, 2)
    assert [batch.id for batch in client.batches.list(limit=2)] == made[::-1]
    assert list(stranger.batches.list(after=made[2])) == []
    with pytest.raises(openai.BadRequestError) as failure:
        client.batches.list(after="a#b")
    assert failure.value.param == "after"


def test_another_tenants_file_and_batch_are_not_found(client: openai.OpenAI, stranger: openai.OpenAI) -> None:
    file_id, batch = upload(client, row("a")), create(client, row("a"))
    with pytest.raises(openai.NotFoundError) as failure:
        stranger.batches.create(input_file_id=file_id, endpoint=CHAT, completion_window="24h")
    assert (failure.value.code, failure.value.param) == ("no_such_file", "input_file_id")
    for call in (stranger.batches.retrieve, stranger.batches.cancel):
        with pytest.raises(openai.NotFoundError):
            call(batch.id)


def test_a_row_is_named_also_where_the_batch_is_only_estimated(client: openai.OpenAI) -> None:
    rows = [row("a", max_tokens=5), row("b", temperature=9), row("c", model="nobody"), row("d", url=RESPONSES)]
    told: Any = client.post("/batches/estimate", cast_to=object, body={"endpoint": CHAT, "requests": rows})
    assert told["sample"]["rows"] == 4
    assert [(each["line"], each["param"]) for each in told["sample"]["errors"]] == [
        (2, "body.temperature"),
        (3, "body.model"),
        (4, "url"),
    ]
    assert json.dumps(told["models"]) == '[{"model": "small", "rows": 1}]'
