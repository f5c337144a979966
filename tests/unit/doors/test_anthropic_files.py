"""Anthropic's files: its own package against the broker's stored files, and messages that name one."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import anthropic
import openai
import pytest
from broker.errors import Forbidden
from broker.jobs.store import REQUEST
from broker.rest.files import MOST_FORM_BYTES

from tests.fakes.world import a_model
from tests.unit.doors.case import Server, sent
from tests.unit.rest_door import Door

VERSION = {"anthropic_version": "2023-06-01"}
PDF = b"%PDF-1.7 some pages"
PNG = b"\x89PNG\r\n\x1a\n and some dots"
BETA = ["files-api-2025-04-14"]


@pytest.fixture
def server(door: Door) -> Iterator[Server]:
    with Server(door, stage="/v1") as running:
        door.bucket.url = f"{running.url}/bucket"
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=server.url, api_key="ib_acme") as made:
        yield made


@pytest.fixture
def stranger(server: Server) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=server.url, api_key="ib_rich") as made:
        yield made


def put(client: anthropic.Anthropic, name: str = "notes.txt", data: bytes = b"The lamp.", **more: Any) -> Any:
    return client.files.upload(file=(name, data), **more)


def ask(client: anthropic.Anthropic, *blocks: dict[str, Any]) -> anthropic.types.Message:
    said: Any = [*blocks, {"type": "text", "text": "What is it?"}]
    return client.messages.create(model="small", max_tokens=64, messages=[{"role": "user", "content": said}])


def named(kind: str, file_id: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "source": {"type": "file", "file_id": file_id}, **more}


def kept(door: Door) -> Any:
    (head,) = sent(door)
    return (door.world.payloads.load(head.id, REQUEST) or {})["input"]["messages"][-1]["content"]


def test_a_file_is_kept_told_of_read_and_deleted(client: anthropic.Anthropic) -> None:
    made = put(client, "lamp.pdf", PDF)
    assert (made.type, made.filename, made.mime_type, made.size_bytes) == ("file", "lamp.pdf", "application/pdf", 19)
    assert made.created_at.tzinfo is not None and made.downloadable
    assert client.files.retrieve_metadata(made.id) == made
    assert client.files.download(made.id).read() == PDF
    assert [each.id for each in client.files.list()] == [made.id]
    gone = client.files.delete(made.id)
    assert (gone.id, gone.type) == (made.id, "file_deleted")
    for call in (client.files.retrieve_metadata, client.files.download, client.files.delete):
        with pytest.raises(anthropic.NotFoundError):
            call(made.id)


def test_the_routes_in_beta_are_the_same(client: anthropic.Anthropic) -> None:
    made = client.beta.files.upload(file=("notes.txt", b"The lamp."), betas=BETA)
    assert client.beta.files.retrieve_metadata(made.id, betas=BETA).filename == "notes.txt"
    assert [each.id for each in client.beta.files.list(betas=BETA)] == [made.id]
    assert client.beta.files.download(made.id, betas=BETA).read() == b"The lamp."
    assert client.beta.files.delete(made.id, betas=BETA).type == "file_deleted"


def test_a_file_is_its_tenants(client: anthropic.Anthropic, stranger: anthropic.Anthropic, door: Door) -> None:
    mine = put(client)
    for call in (stranger.files.retrieve_metadata, stranger.files.download, stranger.files.delete):
        with pytest.raises(anthropic.NotFoundError):
            call(mine.id)
    assert [*stranger.files.list()] == []
    with pytest.raises(anthropic.NotFoundError) as unknown:
        ask(stranger, named("document", mine.id))
    told: Any = unknown.value.body
    assert told["error"]["details"]["param"] == "messages.0.content.0.source.file_id"
    assert sent(door) == []
    assert client.files.retrieve_metadata(mine.id).id == mine.id


def test_pages_go_on_whichever_way_a_client_asks(client: anthropic.Anthropic, server: Server) -> None:
    newest_first = [put(client, f"{number}.txt").id for number in range(5)][::-1]
    server.asked.clear()
    assert [each.id for each in client.files.list(limit=2)] == newest_first
    assert len(server.asked) == 3

    def page(**query: Any) -> Any:
        return client.get("/v1/files", cast_to=object, options={"params": query})

    after = page(limit=2, after_id=newest_first[1])
    assert ([each["id"] for each in after["data"]], after["has_more"]) == (newest_first[2:4], True)
    assert (after["first_id"], after["last_id"]) == (newest_first[2], newest_first[3])
    before = page(limit=2, before_id=newest_first[3])
    assert ([each["id"] for each in before["data"]], before["has_more"]) == (newest_first[1:3], True)
    assert [each["id"] for each in page(limit=9, before_id=newest_first[1])["data"]] == newest_first[:1]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"page": "file-1"}, "page"),
        ({"page": "page_x", "after_id": "y"}, "after_id"),
        ({"after_id": "x", "before_id": "y"}, "before_id"),
        ({"after_id": "\n"}, "after_id"),
        ({"ids[]": "x"}, "ids[]"),
        ({"ids": "x"}, "ids"),
        ({"scope_id": "x"}, "scope_id"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused_by_its_name(door: Door, query: dict[str, str], param: str) -> None:
    assert door.fails("GET", "/files", query=query, **VERSION).param == param


def test_a_file_is_kept_as_long_as_it_is_told(client: anthropic.Anthropic) -> None:
    made = put(client, expires_in_seconds=3600)
    assert made.expires_at is not None
    assert timedelta(seconds=3500) < made.expires_at - datetime.now(UTC) <= timedelta(seconds=3600)
    for wrong in (3599, 7_776_001, -1):
        with pytest.raises(anthropic.BadRequestError) as refused:
            put(client, expires_in_seconds=wrong)
        told: Any = refused.value.body
        assert told["error"]["details"]["param"] == "expires_in_seconds"


@pytest.mark.parametrize(
    ("name", "told"), [("../../etc/passwd.txt", "passwd.txt"), (r"C:\a\b.txt", "b.txt"), ("/", "unnamed")]
)
def test_of_a_name_the_last_part_is_kept(client: anthropic.Anthropic, name: str, told: str) -> None:
    assert put(client, name).filename == told


def test_a_field_that_there_is_not_and_a_file_that_is_too_large_are_refused(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError) as refused:
        client.files.upload(file=("a.txt", b"a"), extra_body={"purpose": "batch"})
    assert "purpose" in str(refused.value)
    with pytest.raises(anthropic.APIStatusError) as large:
        put(client, data=b"x" * (MOST_FORM_BYTES + 1))
    assert large.value.status_code == 413
    with pytest.raises(anthropic.BadRequestError):
        put(client, data=b"")


def test_one_file_is_seen_by_the_clients_of_both_makers_each_in_its_form(
    client: anthropic.Anthropic, server: Server
) -> None:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="ib_acme") as other:
        theirs = other.files.create(file=("rows.jsonl", b"{}\n"), purpose="batch")
        mine = put(client)
        assert {each.id for each in client.files.list()} == {each.id for each in other.files.list()}
        assert other.files.retrieve(mine.id).purpose == "user_data"
        assert client.files.retrieve_metadata(theirs.id).size_bytes == 3
        assert isinstance(other.files.retrieve(theirs.id).created_at, int)


def test_what_the_package_sends_again_makes_no_second_file(client: anthropic.Anthropic, server: Server) -> None:
    server.fate = lambda number: "lost"
    made = put(client)
    assert len(server.asked) == 3
    server.fate = lambda number: "answered"
    assert [each.id for each in client.files.list()] == [made.id]


def test_a_document_that_is_named_is_asked_about_as_if_it_had_been_sent(
    client: anthropic.Anthropic, door: Door
) -> None:
    door.world.register(a_model("small", capabilities=["vision", "documents"]))
    text, pdf, picture = put(client), put(client, "lamp.pdf", PDF), put(client, "lamp.png", PNG)
    ask(
        client,
        named("document", text.id, title="Notes", cache_control={"type": "ephemeral"}),
        named("document", pdf.id),
        named("image", picture.id),
    )
    title, said, file, image, question = kept(door)
    assert (title["text"], said["text"], question["text"]) == ("Notes", "The lamp.", "What is it?")
    assert said["cache_control"] == {"type": "ephemeral"}
    assert file["file"]["filename"] == "lamp.pdf" and file["file"]["file_data"].startswith(
        "data:application/pdf;base64,"
    )
    assert image["image_url"]["url"].startswith("data:image/png;base64,")


def test_results_of_tools_in_one_another_are_refused_however_deep(client: anthropic.Anthropic, door: Door) -> None:
    block: Any = {"type": "text", "text": "x"}
    for _ in range(400):
        block = {"type": "tool_result", "tool_use_id": "c", "content": [block]}
    with pytest.raises(anthropic.BadRequestError, match=r"messages.0.content.0.content.0.type"):
        client.messages.create(model="small", max_tokens=64, messages=[{"role": "user", "content": [block]}])


def test_the_result_of_a_tool_may_name_one_too_and_tokens_are_counted_with_it(
    client: anthropic.Anthropic, door: Door
) -> None:
    file = put(client, data=b"A long report. " * 500)
    used: Any = {"type": "tool_use", "id": "c", "name": "look", "input": {}}
    result: Any = {"type": "tool_result", "tool_use_id": "c", "content": [named("document", file.id)]}
    talk: Any = [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": [used]},
        {"role": "user", "content": [result]},
    ]
    tool: Any = {"name": "look", "description": "Looks.", "input_schema": {"type": "object"}}
    assert client.messages.count_tokens(model="small", messages=talk, tools=[tool]).input_tokens > 1000
    client.messages.create(model="small", max_tokens=64, messages=talk, tools=[tool])
    assert kept(door)[0]["text"].startswith("A long report.")


@pytest.mark.parametrize(
    ("kind", "data", "source"),
    [
        ("image", b"The lamp.", {}),
        ("image", PDF, {}),
        ("document", PNG, {}),
        ("document", b"\xff\xfe\x00", {}),
        ("document", b"The lamp.", {"media_type": "text/plain"}),
        ("document", b"The lamp.", {"file_id": 7}),
        ("document", b"The lamp.", {"file_id": None}),
        ("document", b"The lamp.", {"file_id": "x/../y"}),
        ("document", b"The lamp.", {"file_id": "\ud800"}),
    ],
)
def test_a_file_that_is_not_what_its_block_is_for_makes_no_job(
    client: anthropic.Anthropic, door: Door, kind: str, data: bytes, source: dict[str, Any]
) -> None:
    block = named(kind, put(client, data=data).id)
    block["source"] |= source
    body = {"model": "small", "max_tokens": 9, "messages": [{"role": "user", "content": [block]}]}
    error = door.fails("POST", "/messages", json.dumps(body), **VERSION)
    assert error.status in (400, 404) and (error.param or "").startswith("messages.0.content.0.source")
    assert sent(door) == []


def test_the_files_of_a_message_are_bounded_together(client: anthropic.Anthropic, door: Door) -> None:
    large = put(client, data=b"x" * (MOST_FORM_BYTES - 10))
    small = put(client, data=b"x" * 11)
    with pytest.raises(anthropic.APIStatusError) as refused:
        ask(client, named("document", large.id), named("document", small.id))
    assert refused.value.status_code == 413
    with pytest.raises(anthropic.BadRequestError):
        ask(client, *[named("document", small.id)] * 21)
    assert sent(door) == []


def test_who_may_not_read_files_may_not_have_them_read(client: anthropic.Anthropic, door: Door) -> None:
    body = {"model": "small", "max_tokens": 9, "messages": [{"role": "user", "content": [named("document", "file-1")]}]}
    error = door.fails("POST", "/messages", json.dumps(body), scopes="jobs:write", **VERSION)
    assert isinstance(error, Forbidden)


def test_a_message_without_files_asks_for_none(client: anthropic.Anthropic, door: Door) -> None:
    def none() -> Any:
        raise AssertionError("nobody named a file")

    door.files = none  # type: ignore[method-assign]
    ask(client)
    assert len(sent(door)) == 1
