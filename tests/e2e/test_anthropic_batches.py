"""Batches of messages with Anthropic's own package on the deployed stack, with a second tenant beside it."""

import time
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
import urllib3
from anthropic.types.messages import MessageBatch

from tests.e2e.stack import Stack
from tests.e2e.test_anthropic_clients import client_of, unique

ENDS_S = 180


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[anthropic.Anthropic]:
    with client_of(stack, "demo") as made:
        yield made


@pytest.fixture(scope="module")
def stranger(stack: Stack) -> Iterator[anthropic.Anthropic]:
    with client_of(stack, "other") as made:
        yield made


def asking(custom_id: str, text: str, model: str = "echoes", **more: Any) -> Any:
    said = [{"role": "user", "content": text}]
    return {"custom_id": custom_id, "params": {"model": model, "max_tokens": 100, "messages": said} | more}


def ended(client: anthropic.Anthropic, batch_id: str) -> MessageBatch:
    until = time.monotonic() + ENDS_S
    while (batch := client.messages.batches.retrieve(batch_id)).processing_status != "ended":
        assert time.monotonic() < until, batch
        time.sleep(1)
    return batch


def test_a_batch_of_several_providers_models_and_of_faults(
    stack: Stack, client: anthropic.Anthropic, stranger: anthropic.Anthropic
) -> None:
    text = unique()
    batch = client.messages.batches.create(
        requests=[
            asking("echo", text),
            asking("claude", text, model="of-anthropic"),
            asking("gemini", text, model="of-gemini"),
            asking("odd", text, top_k=5),
            asking("lost", text, model="nothing"),
        ]
    )
    assert batch.request_counts.processing == 5
    batch = ended(client, batch.id)
    assert (batch.request_counts.succeeded, batch.request_counts.errored) == (3, 2)
    told = {line.custom_id: line.result for line in client.messages.batches.results(batch.id)}
    assert list(told) == ["echo", "claude", "gemini", "odd", "lost"]
    echo, odd = told["echo"], told["odd"]
    assert echo.type == "succeeded"
    assert text in "".join(block.text for block in echo.message.content if block.type == "text")
    assert {told[name].type for name in ("claude", "gemini")} == {"succeeded"}
    assert odd.type == "errored"
    assert odd.error.error.message.startswith("params.top_k: ")
    # Who sends the key in the other header is led to the results as well.
    url = str(batch.results_url)
    key = str(client.api_key)
    lines = urllib3.request("GET", url, headers={"x-api-key": key, "anthropic-version": "2023-06-01"})
    assert lines.status == 200
    assert len(lines.data.splitlines()) == 5
    assert (
        stack.api.call("GET", f"/batches/{batch.id.replace('msgbatch_', 'batch_')}").body["endpoint"] == "/v1/messages"
    )
    for call in (
        stranger.messages.batches.retrieve,
        stranger.messages.batches.results,
        stranger.messages.batches.delete,
    ):
        with pytest.raises(anthropic.NotFoundError):
            call(batch.id)
    assert batch.id in [each.id for each in client.messages.batches.list(limit=2)]
    assert batch.id not in [each.id for each in stranger.messages.batches.list()]
    assert client.messages.batches.delete(batch.id).type == "message_batch_deleted"
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.results(batch.id)


def test_a_batch_is_canceled(client: anthropic.Anthropic) -> None:
    batch = client.messages.batches.create(requests=[asking(f"r{n}", unique(), model="slow") for n in range(20)])
    assert client.messages.batches.cancel(batch.id).processing_status in ("canceling", "ended")
    counts = ended(client, batch.id).request_counts
    assert counts.canceled + counts.succeeded == 20
    assert counts.canceled > 0
