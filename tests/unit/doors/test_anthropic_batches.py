"""Anthropic's own package and batches of messages, from its requests to the lines of its results."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
import urllib3
from anthropic.types.messages import MessageBatch, MessageBatchIndividualResponse
from broker.clock import now_ms
from broker.errors import ContextExceeded, Refused

from tests.unit.doors.batch_case import Broker, by_text
from tests.unit.doors.case import Json, Server

DAY_S = 86_400


@pytest.fixture
def client(broker: Broker) -> Iterator[anthropic.Anthropic]:
    with Server(broker.door, stage="/v1") as server:
        with anthropic.Anthropic(base_url=server.url, api_key="ib_acme", max_retries=0) as made:
            yield made


@pytest.fixture
def stranger(client: anthropic.Anthropic) -> anthropic.Anthropic:
    """Another tenant's client."""
    return client.with_options(api_key="ib_rich")


def asking(custom_id: str, text: str = "Hello", **more: Any) -> Any:
    said = [{"role": "user", "content": text}]
    return {"custom_id": custom_id, "params": {"model": "small", "max_tokens": 64, "messages": said} | more}


def create(client: anthropic.Anthropic, *requests: Any) -> MessageBatch:
    return client.messages.batches.create(requests=requests)


def own_id(batch: MessageBatch) -> str:
    return batch.id.replace("msgbatch_", "batch_")


def run(broker: Broker, batch: MessageBatch) -> None:
    broker.run_all(own_id(batch))


def results(broker: Broker, batch: MessageBatch) -> list[MessageBatchIndividualResponse]:
    """The lines of its file, as the package reads them."""
    shown = broker.door("GET", "/batches/{id}", job_id=own_id(batch)).body
    return [MessageBatchIndividualResponse.model_validate(line) for line in broker.content(shown["output_file_id"])]


def counted(batch: MessageBatch) -> Json:
    return {name: count for name, count in batch.request_counts.to_dict().items() if count}


def test_a_batch_from_its_requests_to_its_results(broker: Broker, client: anthropic.Anthropic) -> None:
    batch = create(client, asking("a", "one"), asking("b", "two", system="Be brief."))
    assert (batch.processing_status, counted(batch)) == ("in_progress", {"processing": 2})
    assert (batch.expires_at - batch.created_at).total_seconds() == DAY_S
    assert (batch.results_url, batch.ended_at, batch.cancel_initiated_at) == (None, None, None)
    with pytest.raises(anthropic.AnthropicError, match="results_url"):
        client.messages.batches.results(batch.id)
    run(broker, batch)
    batch = client.messages.batches.retrieve(batch.id)
    assert (batch.processing_status, counted(batch)) == ("ended", {"succeeded": 2})
    assert batch.ended_at is not None and batch.results_url is not None
    assert batch.results_url.endswith(f"/messages/batches/{batch.id}/results")
    first, second = results(broker, batch)
    assert (first.custom_id, second.custom_id) == ("a", "b")
    assert first.result.type == "succeeded"
    message = first.result.message
    assert message.content[0].to_dict()["text"] == "Hello to you"
    assert client.get(f"/v1/messages/{message.id}", cast_to=anthropic.types.Message).to_dict() == message.to_dict()


def test_each_request_says_how_it_ended(broker: Broker, client: anthropic.Anthropic) -> None:
    broker.answer = by_text({"long": ContextExceeded("It is too long."), "bad": Refused("No.")})
    batch = create(
        client,
        asking("good"),
        asking("long", "Too long"),
        asking("refused", "It is bad"),
        asking("streams", stream=True),
        asking("hot", temperature=3),
        asking("odd", top_k=5),
        asking("lost", model="nothing"),
        {"custom_id": "none", "params": {}},
    )
    run(broker, batch)
    batch = client.messages.batches.retrieve(batch.id)
    assert counted(batch) == {"succeeded": 1, "errored": 7}
    told = {line.custom_id: line.result for line in results(broker, batch)}
    assert list(told) == ["good", "long", "refused", "streams", "hot", "odd", "lost", "none"]
    assert told.pop("good").type == "succeeded"
    errors: dict[str, Json] = {}
    for name, result in told.items():
        assert result.type == "errored"
        assert result.error.request_id
        errors[name] = result.error.error.to_dict()
    assert {each["type"] for each in errors.values()} == {"invalid_request_error"}
    params = {name: each["details"]["param"] for name, each in errors.items()}
    assert params == {
        **{"long": None, "refused": None, "streams": "params.stream", "hot": "params.temperature"},
        **{"odd": "params.top_k", "lost": "params.model", "none": "params.max_tokens"},
    }
    assert errors["odd"]["message"].startswith("params.top_k: ")


def test_a_batch_is_canceled_and_what_was_done_is_kept(broker: Broker, client: anthropic.Anthropic) -> None:
    batch = create(client, asking("a"), asking("b"))
    broker.plan(own_id(batch))
    broker.run(own_id(batch))
    canceled = client.messages.batches.cancel(batch.id)
    assert canceled.processing_status == "canceling"
    assert canceled.cancel_initiated_at is not None
    broker.tend_all()
    broker.finish(own_id(batch))
    batch = client.messages.batches.retrieve(batch.id)
    assert (batch.processing_status, counted(batch)) == ("ended", {"canceled": 2})
    assert [line.result.type for line in results(broker, batch)] == ["canceled", "canceled"]
    assert client.messages.batches.cancel(batch.id).processing_status == "ended"


def test_one_that_is_canceled_before_it_is_planned_counts_its_requests(client: anthropic.Anthropic) -> None:
    batch = create(client, asking("a"), asking("b"))
    assert counted(client.messages.batches.cancel(batch.id)) in ({"processing": 2}, {"canceled": 2})


def test_results_are_at_a_link_which_gets_no_credential(broker: Broker, client: anthropic.Anthropic) -> None:
    batch = create(client, asking("a"))
    with pytest.raises(anthropic.ConflictError):
        client.get(f"/v1/messages/batches/{batch.id}/results", cast_to=object)
    run(broker, batch)
    url = f"{str(client.base_url).rstrip('/')}/v1/messages/batches/{batch.id}/results"
    lost = urllib3.request("GET", url, headers={"x-api-key": "ib_acme"}, redirect=False)
    assert (lost.status, lost.json()["error"]["details"]["error_code"]) == (404, "no_results")
    broker.door.batches.links[own_id(batch), "output"] = "https://bucket.example.com/results"
    answer = urllib3.request("GET", url, headers={"x-api-key": "ib_acme"}, redirect=False)
    assert (answer.status, answer.headers["location"]) == (307, "https://bucket.example.com/results")


def test_batches_are_listed_without_those_of_other_doors(broker: Broker, client: anthropic.Anthropic) -> None:
    made = [create(client, asking("a")).id for _ in range(3)]
    broker.door("POST", "/batches", json.dumps({"requests": [{"model": "small", "input": {"text": "Hi"}}]}))
    made.append(create(client, asking("a")).id)
    assert [batch.id for batch in client.messages.batches.list(limit=1)] == made[::-1]
    page = client.messages.batches.list(limit=4)
    assert ([batch.id for batch in page.data], page.has_more) == (made[::-1], False)
    for query, field in (
        ({"limit": 0}, "limit"),
        ({"before_id": made[0]}, "before_id"),
        ({"after_id": "x"}, "after_id"),
    ):
        with pytest.raises(anthropic.BadRequestError) as failure:
            client.messages.batches.list(**query)  # type: ignore[arg-type]
        assert failure.value.body["error"]["details"]["param"] == field  # type: ignore[index]


def test_an_ended_batch_is_deleted_with_its_results(broker: Broker, client: anthropic.Anthropic) -> None:
    batch = create(client, asking("a"))
    with pytest.raises(anthropic.ConflictError):
        client.messages.batches.delete(batch.id)
    run(broker, batch)
    assert client.messages.batches.delete(batch.id).type == "message_batch_deleted"
    assert broker.door.batches.erased == [own_id(batch)]
    broker.batches.change(own_id(batch), lambda before: before.erasing(now_ms()))  # as who erases has it
    for call in (client.messages.batches.retrieve, client.messages.batches.cancel, client.messages.batches.delete):
        with pytest.raises(anthropic.NotFoundError):
            call(batch.id)
    assert not list(client.messages.batches.list())


def test_one_that_tries_the_rest_again_counts_that_alone(broker: Broker, client: anthropic.Anthropic) -> None:
    broker.answer = by_text({"long": ContextExceeded("Too long.")})
    first = create(client, asking("a"), asking("b", "long"), asking("c"))
    run(broker, first)
    again = broker.door("POST", "/batches/{id}/retry", job_id=own_id(first)).body["id"]
    known = again.replace("batch_", "msgbatch_")
    assert client.messages.batches.retrieve(known).request_counts.processing == 1
    run(broker, client.messages.batches.retrieve(known))
    assert client.messages.batches.retrieve(known).request_counts.errored == 1


def test_a_repeat_of_one_that_was_deleted_is_told_so(broker: Broker, client: anthropic.Anthropic) -> None:
    once = {"extra_headers": {"idempotency-key": "k-1"}}
    batch = client.messages.batches.create(requests=[asking("a")], **once)
    run(broker, batch)
    client.messages.batches.delete(batch.id)
    broker.batches.change(own_id(batch), lambda before: before.erasing(now_ms()))
    with pytest.raises(anthropic.UnprocessableEntityError, match="deleted"):
        client.messages.batches.create(requests=[asking("a")], **once)


def test_another_tenant_finds_nothing(
    broker: Broker, client: anthropic.Anthropic, stranger: anthropic.Anthropic
) -> None:
    batch = create(client, asking("a"))
    run(broker, batch)
    other = stranger.messages.batches
    for call in (other.retrieve, other.cancel, other.delete, other.results):
        with pytest.raises(anthropic.NotFoundError):
            call(batch.id)
    assert not list(other.list())
    assert not list(other.list(after_id=batch.id))
    assert client.messages.batches.retrieve(batch.id).processing_status == "ended"


def test_a_batch_of_another_door_is_none_of_messages(broker: Broker, client: anthropic.Anthropic) -> None:
    row = {"model": "small", "input": {"text": "Hi"}}
    known = broker.door("POST", "/batches", json.dumps({"requests": [row]})).body["id"].replace("batch_", "msgbatch_")
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.retrieve(known)
    for odd in ("msgbatch_", "batch_1", "msgbatch_x y", "msgbatch_none"):
        with pytest.raises(anthropic.NotFoundError):
            client.get(f"/v1/messages/batches/{odd}", cast_to=object)


@pytest.mark.parametrize(
    ("requests", "field"),
    [
        ([], "requests"),
        ("none", "requests"),
        ([7], "requests.0"),
        ([{"params": {}}], "requests.0.custom_id"),
        ([{"custom_id": "a"}], "requests.0.params"),
        ([asking("a b")], "requests.0.custom_id"),
        ([asking("a" * 65)], "requests.0.custom_id"),
        ([asking("a"), asking("b"), asking("a")], "requests.2.custom_id"),
        ([asking("a") | {"colour": "blue"}], "requests.0.colour"),
        ([{"custom_id": 7, "params": {}}], "requests.0.custom_id"),
        ([asking(f"a{number}") for number in range(10_001)], "requests"),
    ],
)
def test_what_is_no_batch_is_refused_whole(client: anthropic.Anthropic, requests: Any, field: str) -> None:
    with pytest.raises(anthropic.BadRequestError) as failure:
        client.messages.batches.create(requests=requests)
    assert failure.value.body["error"]["details"]["param"] == field  # type: ignore[index]
    assert not list(client.messages.batches.list())


def test_repeats_are_one_batch(broker: Broker, client: anthropic.Anthropic) -> None:
    def posted(count: str) -> str:
        headers = {"x-stainless-retry-count": count}
        return client.messages.batches.create(requests=[asking("a")], extra_headers=headers).id

    first, second = posted("0"), posted("0")
    assert first != second
    assert {posted("1"), posted("1")} == {first, second}
    assert len(list(client.messages.batches.list())) == 2
