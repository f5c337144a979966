"""Batches in OpenAI's form on odd ways: tried again, in other encodings, with what was erased or cannot be written."""

import json
from typing import Any

import anthropic
import openai
import pytest
from broker.batches.shard import MODELS
from broker.errors import Refused, Unavailable
from broker.jobs.erasing import erase
from openai.types import Batch
from openai.types.responses import Response

from tests.fakes.batch_flow import Flow
from tests.fakes.batch_rows import chat, jsonl
from tests.unit.doors.batch_case import CHAT, EMBEDDINGS, RESPONSES, Broker, by_text, create, row
from tests.unit.doors.case import Json
from tests.unit.rest_door import Door

MESSAGES = "/v1/messages"


@pytest.fixture
def door(broker: Broker) -> Door:
    return broker.door


def ended(broker: Broker, client: openai.OpenAI, batch_id: str) -> Batch:
    broker.run_all(batch_id)
    return client.batches.retrieve(batch_id)


def test_rows_that_did_not_succeed_are_tried_again_in_their_form(broker: Broker, client: openai.OpenAI) -> None:
    broker.answer = by_text({"fails": Unavailable("It is down.")})
    first = ended(broker, client, create(client, row("a"), row("b", "fails"), row("c", stream=True)).id)
    assert first.error_file_id
    broker.answer = by_text({})
    again: Any = client.post(f"/batches/{first.id}/retry", cast_to=Batch, body={})
    again = ended(broker, client, again.id)
    assert (again.endpoint, again.input_file_id, again.completion_window) == (CHAT, first.input_file_id, "24h")
    (answered,), (refused,) = broker.content(again.output_file_id), broker.content(again.error_file_id)
    assert (answered["custom_id"], answered["response"]["status_code"]) == ("b", 200)
    assert (refused["custom_id"], refused["error"]["param"], refused["error"]["line"]) == ("c", "body.stream", 3)


def test_a_file_may_have_another_encoding(broker: Broker, client: openai.OpenAI) -> None:
    rows = [row("a"), row("b", model="nobody"), row("c", url=RESPONSES)]
    data = "\n".join(json.dumps(each) for each in rows).encode("utf-16")
    file_id = client.files.create(file=("rows.jsonl", data), purpose="batch").id
    batch = client.batches.create(input_file_id=file_id, endpoint=CHAT, completion_window="24h")
    batch = ended(broker, client, batch.id)
    assert [line["custom_id"] for line in broker.content(batch.output_file_id)] == ["a"]
    assert [(line["error"]["line"], line["error"]["param"]) for line in broker.content(batch.error_file_id)] == [
        (2, "body.model"),
        (3, "url"),
    ]


@pytest.mark.parametrize("rows_are_there", [True, False])
def test_answers_that_were_erased_and_rows_that_were_deleted_lose_nothing_else(
    broker: Broker, client: openai.OpenAI, rows_are_there: bool
) -> None:
    batch = create(client, row("a"), row("b"))
    broker.plan(batch.id)
    broker.run(batch.id)
    broker.tend_all()
    broker.end_all(batch.id)
    head, world = broker.jobs(batch.id)[0], broker.world
    erase(world.jobs, world.payloads, lambda job_id: None, lambda *turn: None, head)
    if not rows_are_there:
        broker.rows.objects.clear()
    broker.finish(batch.id)
    batch = client.batches.retrieve(batch.id)
    assert batch.request_counts is not None
    assert batch.request_counts.to_dict() == {"total": 2, "completed": 1, "failed": 1}
    (gone,), (kept,) = broker.content(batch.error_file_id), broker.content(batch.output_file_id)
    named = ("a", 1) if rows_are_there else (None, None)
    assert (gone["custom_id"], gone["error"]["line"], gone["error"]["code"]) == (*named, "job_gone")
    assert (kept["custom_id"], kept["response"]["body"]["choices"][0]["finish_reason"]) == ("b", "stop")


def test_results_may_go_to_one_object_of_the_outbox(broker: Broker, client: openai.OpenAI) -> None:
    output = {"kind": "outbox", "key": "acme/reports/17"}
    batch = ended(broker, client, create(client, row("a"), "{", extra_body={"output": output}).id)
    assert (batch.status, batch.output_file_id, batch.error_file_id) == ("completed", None, None)
    data = broker.door.bucket.objects["acme/reports/17.results.jsonl"]
    first, second = map(json.loads, data.splitlines())
    assert (first["response"]["status_code"], second["error"]["code"]) == (200, "invalid_json")


def test_a_row_may_name_a_stored_prompt(broker: Broker, client: openai.OpenAI) -> None:
    broker.world.register({"pk": "PROMPT#greet", "sk": "LATEST", "user": "Greet {{name}}."})
    body: Json = {"model": "small", "prompt": {"id": "greet", "variables": {"name": "Ada"}}}
    batch = create(client, row("a") | {"url": RESPONSES, "body": body}, endpoint=RESPONSES)
    batch = ended(broker, client, batch.id)
    (line,) = broker.content(batch.output_file_id)
    response = Response.model_validate(line["response"]["body"])
    assert client.responses.retrieve(response.id).to_dict() == response.to_dict()


def test_a_row_of_embeddings_of_tokens_is_refused_as_at_the_route(broker: Broker, client: openai.OpenAI) -> None:
    body = {"model": "small", "input": [[1, 2]]}
    batch = create(client, row("a") | {"url": EMBEDDINGS, "body": body}, endpoint=EMBEDDINGS)
    batch = ended(broker, client, batch.id)
    (line,) = broker.content(batch.error_file_id)
    assert line["error"]["param"] == "body.input"


def test_rows_may_be_messages_of_anthropics_form(broker: Broker, client: openai.OpenAI) -> None:
    refusal = Refused("The provider refused.", code="model_refused")
    broker.answer = by_text({"refuse": refusal, "fails": Unavailable("It is down.")})
    rows = []
    for custom_id, text, more in (
        ("a", "Hello", {}),
        ("b", "refuse", {}),
        ("c", "fails", {}),
        ("d", "Hi", {"max_tokens": None}),
        ("e", "Hi", {"stream": True}),
    ):
        body = {"model": "small", "max_tokens": 9, "messages": [{"role": "user", "content": text}], **more}
        rows.append(row(custom_id) | {"url": MESSAGES, "body": body})
    batch = ended(broker, client, create(client, *rows, endpoint=MESSAGES).id)
    (line,) = broker.content(batch.output_file_id)
    message = anthropic.types.Message.model_validate(line["response"]["body"])
    assert (message.content[0].to_dict()["text"], message.stop_reason) == ("You said: Hello", "end_turn")
    refused, failed, limitless, streamed = broker.content(batch.error_file_id)
    assert (refused["response"]["status_code"], refused["response"]["body"]["stop_reason"]) == (200, "refusal")
    assert (failed["response"]["status_code"], failed["response"]["body"]["type"]) == (529, "error")
    assert (limitless["error"]["param"], streamed["error"]["param"]) == ("body.max_tokens", "body.stream")


HALF = "\ud800"


def test_what_cannot_be_written_down_is_told_all_the_same(broker: Broker, client: openai.OpenAI) -> None:
    """Half of a surrogate pair: JSON has a word for it, and no encoding."""
    odd: list[tuple[Any, str | None]] = [
        (row(HALF), "custom_id"),
        (row("a") | {HALF: 1}, "?"),
        (row("b") | {"body": row("b")["body"] | {HALF: 1}}, "body.?"),
        (row("c", url=HALF), "url"),
        (row("d", model=HALF), "body.model"),
        (row("e", metadata={HALF: "a"}), "body.metadata"),
        (row("f", user=HALF), "body.user"),
    ]
    batch = ended(broker, client, create(client, *(each for each, _ in odd), row("z")).id)
    assert batch.request_counts is not None and batch.request_counts.completed == 1
    assert [line["error"]["param"] for line in broker.content(batch.error_file_id)] == [param for _, param in odd]
    error = broker.door.fails("POST", "/chat/completions", json.dumps(row("a")["body"] | {HALF: 1}))
    assert (error.param, error.message.encode()[:1]) == ("?", b"?")


def test_rows_of_jobs_with_such_names_end_as_well() -> None:
    flow = Flow()
    flow.begin(jsonl(chat("a", custom_id=HALF), chat("b", **{HALF: 1}), chat("c")))
    flow.finish()
    assert flow.batch().status == "completed"
    assert [line["error"]["param"] for line in flow.lines("errors")] == ["custom_id", None]
    assert len(flow.lines("output")) == 1


def test_models_are_noted_over_the_pauses_of_a_plan_and_no_more_than_tell_something(
    broker: Broker, client: openai.OpenAI
) -> None:
    rows = [row(f"r{n}", model="small" if n < 150 else f"m{n}") for n in range(300)]
    batch = create(client, *rows)
    while broker.plan(batch.id, lambda: False)["more"]:
        pass
    known = broker.batch(batch.id)
    assert known.rows_in is not None and known.rows_in[MODELS] == ["small", "m150"]
    assert client.batches.retrieve(batch.id).model is None


@pytest.mark.parametrize(
    ("more", "shown"),
    [
        ({"max_cost_usd": 2}, {"max_cost_usd": 2.0}),
        ({"not_before": "2020-01-01T00:00:00Z"}, {"not_before": None}),
        ({"off_peak": {"start": "00:00", "end": "23:59", "time_zone": "UTC", "days": ["mon"]}}, {}),
        ({"webhook": {"url": "https://hooks.example/1"}}, {}),
        ({"format": {"type": "jsonl", "encoding": "utf-8"}}, {"dedupe": False}),
    ],
)
def test_a_batch_may_ask_for_what_ours_may(client: openai.OpenAI, more: Json, shown: Json) -> None:
    batch = create(client, row("a"), extra_body={**more, "completion_window": "7d"})
    told = client.batches.retrieve(batch.id).to_dict()
    assert {name: told[name] for name in shown} == shown
    assert set(told) >= {"eta_seconds", "counts", "paused", "urls"}


def test_a_batch_of_jobs_is_seen_by_openais_client_in_its_own_times(broker: Broker, client: openai.OpenAI) -> None:
    theirs = create(client, row("a"))
    ours = broker.door("POST", "/batches", '{"requests": [{"input": "Hello"}], "metadata": {"a": "b"}}').body
    listed: list[Any] = list(client.batches.list())
    assert [each.id for each in listed] == [ours["id"], theirs.id]
    assert (listed[0].created_at, listed[0].endpoint) == (ours["created_at"], None)
    assert listed[0].created_at.endswith("Z")
    assert (listed[1].created_at, listed[0].metadata) == (theirs.created_at, {"a": "b"})
    assert client.batches.cancel(ours["id"]).status == "cancelling"


def test_what_was_erased_says_no_more_of_itself(broker: Broker, client: openai.OpenAI) -> None:
    batch = create(client, row("a"), metadata={"name": "secret"})
    broker.run_all(batch.id)
    broker.erase(batch.id)
    erased: Any = client.batches.retrieve(batch.id)
    assert (erased.endpoint, erased.model, erased.metadata, erased.input_file_id) == (CHAT, None, {}, None)
    assert isinstance(erased.created_at, int)
