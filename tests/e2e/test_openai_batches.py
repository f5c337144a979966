"""Batches by OpenAI's own package against the deployed stack: two tenants, rows of every kind, crashes on the way."""

import json
import uuid
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import openai
import pytest
from broker.batches.listing import batch_pk
from broker.clock import now_ms
from broker.storage import ConditionFailed, If, Update
from openai.types import Batch
from openai.types.chat import ChatCompletion
from openai.types.create_embedding_response import CreateEmbeddingResponse
from openai.types.responses import Response

from tests.e2e.stack import Stack, until
from tests.e2e.test_openai_clients import client_of

CHAT: Any = "/v1/chat/completions"
RESPONSES: Any = "/v1/responses"
EMBEDDINGS: Any = "/v1/embeddings"
ENDED = ("completed", "failed", "expired", "cancelled")


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[openai.OpenAI]:
    with client_of(stack, "demo") as made:
        yield made


@pytest.fixture(scope="module")
def stranger(stack: Stack) -> Iterator[openai.OpenAI]:
    with client_of(stack, "other") as made:
        yield made


def row(custom_id: str, text: str = "Hello", model: str = "echoes", **more: Any) -> dict[str, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    return {"custom_id": custom_id, "method": "POST", "url": CHAT, "body": body} | more


def upload(client: openai.OpenAI, *rows: Any) -> str:
    lines = [each if isinstance(each, str) else json.dumps(each) for each in rows]
    return client.files.create(file=("rows.jsonl", "\n".join(lines).encode()), purpose="batch").id


def create(client: openai.OpenAI, *rows: Any, endpoint: Any = CHAT, **more: Any) -> Batch:
    file_id = upload(client, *rows)
    return client.batches.create(input_file_id=file_id, endpoint=endpoint, completion_window="24h", **more)


def ended(client: openai.OpenAI, batch_id: str, seconds: int = 180) -> Batch:
    until(lambda: client.batches.retrieve(batch_id).status in ENDED, seconds)
    return client.batches.retrieve(batch_id)


def lines(client: openai.OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    """The lines of a file of results, as the package reads it."""
    assert file_id
    return [json.loads(line) for line in client.files.content(file_id).text.splitlines()]


def test_a_mixed_batch_of_several_providers_models(client: openai.OpenAI) -> None:
    text = f"The lamp {uuid.uuid4().hex}"
    rows: list[Any] = [
        row("first", text),
        "{not json",
        row("second", text, "of-anthropic"),
        row("elsewhere", url=RESPONSES),
        row("nowhere", url="/v1/cakes"),
        row("third", text, "of-gemini"),
        row("first", "again"),
        row("streams", body=row("x")["body"] | {"stream": True}),
        row("refused", text, "refuses"),
        row("nobody", text, "no-such-model"),
    ]
    batch = create(client, *rows, metadata={"order": "17"})
    assert (batch.object, batch.endpoint, batch.metadata) == ("batch", CHAT, {"order": "17"})
    batch = ended(client, batch.id)
    assert (batch.status, batch.model) == ("completed", None)
    assert batch.request_counts is not None and batch.usage is not None
    assert batch.request_counts.to_dict() == {"total": 10, "completed": 3, "failed": 7}
    assert batch.usage.total_tokens == batch.usage.input_tokens + batch.usage.output_tokens > 0
    assert batch.completed_at is not None and batch.created_at <= batch.completed_at < batch.expires_at  # type: ignore[operator]
    output = lines(client, batch.output_file_id)
    assert [line["custom_id"] for line in output] == ["first", "second", "third"]
    answers = [ChatCompletion.model_validate(line["response"]["body"]) for line in output]
    assert [answer.model for answer in answers] == ["echoes", "of-anthropic", "of-gemini"]
    assert text in str(answers[0].choices[0].message.content)
    assert client.chat.completions.retrieve(answers[0].id).to_dict() == answers[0].to_dict()
    told = {
        (line["custom_id"], (line["error"] or line["response"]["body"]["error"])["code"]): line
        for line in lines(client, batch.error_file_id)
    }
    assert list(told) == [
        (None, "invalid_json"),
        ("elsewhere", "invalid_url"),
        ("nowhere", "invalid_url"),
        ("first", "duplicate_custom_id"),
        ("streams", "unsupported"),
        ("refused", "model_refused"),
        ("nobody", "unknown_model"),
    ]
    assert told["streams", "unsupported"]["error"]["line"] == 8
    assert told["streams", "unsupported"]["error"]["param"] == "body.stream"
    assert told["refused", "model_refused"]["response"]["status_code"] == 400


def test_responses_and_embeddings(client: openai.OpenAI) -> None:
    body = {"model": "echoes", "input": "Hello there", "metadata": {"order": "17"}}
    said = create(client, row("a") | {"url": RESPONSES, "body": body}, endpoint=RESPONSES)
    body = {"model": "answers", "input": ["heron", "lamp"], "encoding_format": "base64"}
    numbers = create(client, row("a") | {"url": EMBEDDINGS, "body": body}, endpoint=EMBEDDINGS)
    (line,) = lines(client, ended(client, said.id).output_file_id)
    response = Response.model_validate(line["response"]["body"])
    assert ("Hello there" in response.output_text, response.metadata) == (True, {"order": "17"})
    assert client.responses.retrieve(response.id).to_dict() == response.to_dict()
    (line,) = lines(client, ended(client, numbers.id).output_file_id)
    found = CreateEmbeddingResponse.model_validate(line["response"]["body"] | {"data": []})
    assert found.model == "answers"
    mine = [each["embedding"] for each in line["response"]["body"]["data"]]
    direct = client.embeddings.with_raw_response.create(
        model="answers", input=["heron", "lamp"], encoding_format="base64"
    )
    assert mine == [each["embedding"] for each in json.loads(direct.text)["data"]]


def test_what_is_another_tenants_is_not_there(client: openai.OpenAI, stranger: openai.OpenAI) -> None:
    file_id, batch = upload(client, row("a")), create(client, row("a"))
    with pytest.raises(openai.NotFoundError) as failure:
        stranger.batches.create(input_file_id=file_id, endpoint=CHAT, completion_window="24h")
    assert failure.value.param == "input_file_id"
    for call in (stranger.batches.retrieve, stranger.batches.cancel):
        with pytest.raises(openai.NotFoundError):
            call(batch.id)
    output = ended(client, batch.id).output_file_id
    with pytest.raises(openai.NotFoundError):
        stranger.files.content(str(output))
    assert batch.id not in [each.id for each in stranger.batches.list(limit=100)]
    assert batch.id in [each.id for each in client.batches.list(limit=3)]


def test_a_batch_is_canceled(client: openai.OpenAI) -> None:
    batch = create(client, *(row(f"r{n}", model="hangs-on") for n in range(3)))
    assert client.batches.cancel(batch.id).status in ("cancelling", "cancelled")
    assert ended(client, batch.id).status == "cancelled"


def test_calls_whose_function_crashes_at_random_make_one_thing_each(stack: Stack) -> None:
    """Before and after its writes, by an exception or by the end of the process; the package repeats by itself."""
    stack.register({"tenants": [{"id": "batch-crashes", "monthly_budget_usd": 1000}]})
    with client_of(stack, "batch-crashes", max_retries=9) as client:
        with stack.faults("0.05", ["Api"]):
            files = [upload(client, row(f"r{n}")) for n in range(8)]
            made = [
                client.batches.create(input_file_id=each, endpoint=CHAT, completion_window="24h").id for each in files
            ]
            upload_id = client.uploads.create(bytes=4, filename="a", mime_type="text/plain", purpose="user_data").id
            parts = [client.uploads.parts.create(upload_id, data=each).id for each in (b"ab", b"cd")]
            whole = client.uploads.complete(upload_id, part_ids=parts).file
        assert whole is not None
        assert client.files.content(whole.id).content == b"abcd"
        assert sorted(each.id for each in client.batches.list(limit=100)) == sorted(made)
        for batch_id in made:
            hurry(stack, batch_id)
            assert ended(client, batch_id, 300).status == "completed"
        kept = [each.id for each in client.files.list() if each.purpose != "batch_output"]
        assert sorted(kept) == sorted([*files, whole.id])


def hurry(stack: Stack, batch_id: str) -> None:
    """Have the sweep look at a batch at once, and not in five minutes: one whose workflow was not started."""
    with suppress(ConditionFailed):
        when = (If("status", "=", "validating"), If("due_at", "exists"))
        stack.database.write(Update("jobs", batch_pk(batch_id), "BATCH", set={"due_at": now_ms()}, when=when))


def test_texts_are_judged_and_messages_are_rows_as_well(client: openai.OpenAI) -> None:
    (result,) = client.moderations.create(model="of-openai", input="I will kill you").results
    assert result.category_scores.violence >= 0
    judged = row("a") | {
        "url": "/v1/moderations",
        "body": {"model": "of-openai", "input": ["Hello", "I will kill you"]},
    }
    said: dict[str, Any] = {"model": "of-gemini", "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]}
    batches = [
        create(client, judged, endpoint="/v1/moderations"),
        create(client, row("a") | {"url": "/v1/messages", "body": said}, endpoint="/v1/messages"),
    ]
    (verdict,), (message,) = (lines(client, ended(client, each.id).output_file_id) for each in batches)
    assert len(verdict["response"]["body"]["results"]) == 2
    assert (message["response"]["body"]["type"], message["response"]["body"]["role"]) == ("message", "assistant")
