"""Files, uploads and batches that OpenAI's package asks for again, for a reply was lost: each call makes one thing."""

from typing import Any

import openai
import pytest

from tests.unit.doors.batch_case import CHAT, Broker, row, upload
from tests.unit.doors.case import Json, Server
from tests.unit.rest_door import Door

DATA = b"One line.\n"
PARTS = [b"One ", b"line."]


@pytest.fixture
def door(broker: Broker) -> Door:
    return broker.door


def create_batch(client: openai.OpenAI, file_id: str) -> str:
    return client.batches.create(input_file_id=file_id, endpoint=CHAT, completion_window="24h").id


def create_file(client: openai.OpenAI, data: bytes = DATA, **more: Any) -> str:
    return client.files.create(file=("rows.jsonl", data), purpose="batch", **more).id


@pytest.mark.parametrize("fate", ["lost", "500", "503"])
def test_a_batch_whose_reply_is_lost_is_one(server: Server, client: openai.OpenAI, fate: str) -> None:
    file_id = upload(client, row("a"))
    server.fate = lambda number: fate
    batch_id = create_batch(client, file_id)
    assert sum("POST /batches" in call for call in server.asked) == 3
    server.fate = lambda number: "answered"
    assert [each.id for each in client.batches.list()] == [batch_id]
    assert create_batch(client, file_id) != batch_id, "that was another call"
    assert len(client.batches.list().data) == 2


@pytest.mark.parametrize("fate", ["lost", "500", "503"])
def test_a_file_whose_reply_is_lost_is_one_though_its_form_is_cut_elsewhere(
    server: Server, client: openai.OpenAI, fate: str
) -> None:
    server.fate = lambda number: fate
    file_id = create_file(client)
    assert server.asked.count("POST /files") == 3
    server.fate = lambda number: "answered"
    assert [each.id for each in client.files.list()] == [file_id]
    assert create_file(client) != file_id
    assert len(client.files.list().data) == 2


def test_a_file_with_other_bytes_or_facts_is_no_repeat(client: openai.OpenAI) -> None:
    first = create_file(client, extra_headers={"x-stainless-retry-count": "0"})
    again: Json = {"extra_headers": {"x-stainless-retry-count": "1"}}
    assert create_file(client, b"Other.\n", **again) != first
    assert create_file(client, expires_after={"anchor": "created_at", "seconds": 3_600}, **again) != first
    stranger = client.with_options(api_key="ib_rich")
    assert create_file(stranger, **again) != first
    with pytest.raises(openai.NotFoundError):
        stranger.files.retrieve(first)
    assert create_file(client, **again) == first


def test_an_upload_whose_replies_are_lost_is_one_with_its_bytes(
    broker: Broker, server: Server, client: openai.OpenAI
) -> None:
    server.fate = lambda number: "lost"
    made = client.uploads.create(bytes=9, filename="rows.jsonl", mime_type="text/jsonl", purpose="batch")
    parts = [client.uploads.parts.create(made.id, data=part).id for part in PARTS]
    done = client.uploads.complete(made.id, part_ids=parts)
    server.fate = lambda number: "answered"
    assert done.status == "completed"
    assert done.file is not None
    (file,) = client.files.list()
    assert file.id == done.file.id
    assert broker.door.bucket.objects[f"files/acme/{file.id}"] == b"One line."
    other = client.uploads.create(bytes=9, filename="rows.jsonl", mime_type="text/jsonl", purpose="batch")
    assert other.id != made.id


def test_a_file_in_parts_whose_replies_are_lost_is_whole(broker: Broker, server: Server, client: openai.OpenAI) -> None:
    server.fate = lambda number: "lost"
    about: Json = {"filename": "rows.jsonl", "mime_type": "text/jsonl", "purpose": "batch", "bytes": 13}
    done = client.uploads.upload_file_chunked(file=b"One line, two", part_size=4, **about)
    server.fate = lambda number: "answered"
    assert done.file is not None and client.files.wait_for_processing(done.file.id).status == "processed"
    assert broker.door.bucket.objects == {f"files/acme/{done.file.id}": b"One line, two"}


def test_a_key_stands_for_one_file_and_one_batch(client: openai.OpenAI) -> None:
    keyed: Json = {"extra_headers": {"idempotency-key": "k-1"}}
    first = create_file(client, **keyed)
    assert create_file(client, **keyed) == first
    with pytest.raises(openai.UnprocessableEntityError) as failure:
        create_file(client, b"Other.\n", **keyed)
    assert failure.value.code == "idempotency_key_reused"
    file_id = upload(client, row("a"))
    body: Json = {"input_file_id": file_id, "endpoint": CHAT, "completion_window": "24h"}
    keyed = {"extra_headers": {"idempotency-key": "k-2"}}
    assert client.batches.create(**body, **keyed).id == client.batches.create(**body, **keyed).id
    with pytest.raises(openai.UnprocessableEntityError):
        client.batches.create(**body, metadata={"order": "17"}, **keyed)


def test_a_try_that_died_on_its_way_is_gone_on_with(broker: Broker, client: openai.OpenAI) -> None:
    """The record was written, and the bytes were not: the repeat brings them."""
    broker.door.bucket.down = 1
    file_id = create_file(client)
    assert client.files.retrieve(file_id).status == "processed"
    assert broker.door.bucket.objects[f"files/acme/{file_id}"] == DATA
    assert [each.id for each in client.files.list()] == [file_id]


def test_a_repeat_starts_what_the_first_try_did_not(broker: Broker, client: openai.OpenAI) -> None:
    body: Json = {"input_file_id": upload(client, row("a")), "endpoint": CHAT, "completion_window": "24h"}
    first = client.batches.create(**body, extra_headers={"x-stainless-retry-count": "0"})
    broker.workflows.started.clear()
    for count in ("1", "2"):
        assert client.batches.create(**body, extra_headers={"x-stainless-retry-count": count}).id == first.id
        assert broker.workflows.started == [(first.id, 0)]
    broker.run_all(first.id)
    broker.workflows.started.clear()
    assert client.batches.create(**body, extra_headers={"x-stainless-retry-count": "3"}).status == "completed"
    assert broker.workflows.started == []


def test_equal_files_that_are_to_come_are_not_one_by_a_tenants_window(broker: Broker) -> None:
    """Their requests are alike, and their bytes need not be."""
    broker.world.tenant("acme", repeat_window_seconds=600)
    body = '{"filename": "rows.jsonl", "bytes": 4, "purpose": "batch"}'
    made = {broker.door("POST", route, body).body["id"] for route in ("/files", "/uploads") for _ in range(2)}
    assert len(made) == 4
    batch = '{"requests": [{"input": "Hello"}]}'
    assert len({broker.door("POST", "/batches", batch).body["id"] for _ in range(2)}) == 1
