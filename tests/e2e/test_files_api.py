"""Files through the deployed API: bytes as they were, bounds that hold at the bucket, and OpenAI's own client."""

import hashlib
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest
import urllib3
from broker.cli import main
from broker.clock import now_ms
from broker.files.record import files_pk
from broker.rest.files import MOST_FORM_BYTES
from broker.storage import Update

from local.client import Client, HttpReply
from tests.e2e.stack import Stack

POOL = urllib3.PoolManager(retries=False)
MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module", autouse=True)
def closed() -> Iterator[None]:
    yield
    POOL.clear()


@pytest.fixture
def client(stack: Stack) -> Iterator[openai.OpenAI]:
    """OpenAI's, as it is but for the address and the key."""
    with openai.OpenAI(base_url=stack.base_url, api_key=stack.seeded.api_key, max_retries=0) as made:
        yield made


def send(api: Client, data: bytes, path: str = "/files", name: str = "file", **fields: str) -> HttpReply:
    """A form with a file in it."""
    parts: list[Any] = [*fields.items(), (name, ("rows.jsonl", data, "application/octet-stream"))]
    body, kind = urllib3.encode_multipart_formdata(parts)
    return api.call("POST", path, body, {"content-type": kind})


def put(where: dict[str, Any], data: bytes, **changed: str) -> int:
    """Put bytes where a reply says; gives the status."""
    headers = {**where["headers"], "Content-Length": str(len(data)), **changed}
    return POOL.request(where["method"], where["url"], body=data, headers=headers).status


def content(api: Client, file_id: str) -> bytes:
    """Follow the link as a client does that sends its credential to no other place."""
    reply = api.call("GET", f"/files/{file_id}/content")
    assert reply.status == 307, reply.body
    return POOL.request("GET", reply.headers["location"]).data


@pytest.mark.parametrize("size", [1, 70_000, MOST_FORM_BYTES])
def test_bytes_come_back_as_they_went_in(stack: Stack, size: int) -> None:
    data = os.urandom(size)
    reply = send(stack.api, data, purpose="user_data")
    assert reply.status == 200, reply.body
    made = reply.body
    assert (made["bytes"], made["status"], made["filename"]) == (size, "processed", "rows.jsonl")
    assert content(stack.api, made["id"]) == data
    link = stack.api.call("GET", f"/files/{made['id']}/content").headers["location"]
    assert POOL.request("GET", link).headers["content-disposition"].startswith("attachment")
    assert stack.api.call("DELETE", f"/files/{made['id']}").body["deleted"] is True
    assert POOL.request("GET", link).status == 404
    assert stack.api.call("GET", f"/files/{made['id']}").status == 404


def test_a_form_that_the_gateway_does_not_take_is_told_the_way(stack: Stack) -> None:
    for size in (4_800_000, 11_000_000):
        reply = send(stack.api, b"x" * size, purpose="batch")
        assert (reply.status, reply.body["error"]["code"]) == (413, "body_too_large")
        assert "/uploads" in reply.body["error"]["message"]


def test_another_tenant_finds_nothing_of_it(stack: Stack) -> None:
    made = send(stack.api, b"mine\n", purpose="batch").body
    other = stack.as_tenant("other")
    for method, path in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
        reply = other.call(method, f"/files/{made['id']}{path}")
        assert (reply.status, reply.body["error"]["code"]) == (404, "no_such_file")
    assert made["id"] not in json.dumps(other.call("GET", "/files").body)
    begun = stack.api.call("POST", "/uploads", {"filename": "x", "bytes": 4, "purpose": "batch"}).body
    assert send(other, b"x", f"/uploads/{begun['id']}/parts", "data").status == 404
    assert other.call("POST", f"/uploads/{begun['id']}/cancel").status == 404
    assert content(stack.api, made["id"]) == b"mine\n"


def test_the_bucket_takes_only_what_was_told(stack: Stack) -> None:
    data = os.urandom(6 * MEBIBYTE)
    told = {"filename": "big.bin", "bytes": len(data), "purpose": "user_data"}
    made = stack.api.call("POST", "/files", told | {"sha256": hashlib.sha256(data).hexdigest()}).body
    assert (made["status"], made["upload"]["method"]) == ("pending", "PUT")
    where = made["upload"]
    assert put(where, data + b"more") == 403
    assert put(where, data[:-1]) == 403
    assert put(where, data[::-1]) == 400, "another content of that size"
    assert stack.api.call("GET", f"/files/{made['id']}").body["status"] == "pending"
    assert put(where, data) == 200
    assert put(where, data) == 412, "what is there is not written over"
    assert stack.api.call("GET", f"/files/{made['id']}").body["status"] == "processed"
    assert content(stack.api, made["id"]) == data


def test_large_parts_go_to_the_bucket_and_may_go_again(stack: Stack) -> None:
    data = os.urandom(16 * MEBIBYTE + 1000)
    begun = stack.api.call("POST", "/uploads", {"filename": "x", "bytes": len(data), "purpose": "batch"}).body
    path = f"/uploads/{begun['id']}"
    parts = []
    assert begun["part_bytes"] == 16 * MEBIBYTE
    for number, piece in ((2, data[16 * MEBIBYTE :]), (1, data[: 16 * MEBIBYTE])):
        part = stack.api.call("POST", f"{path}/parts", {"number": number}).body
        assert put(part["upload"], piece + b"x") == 403
        assert [put(part["upload"], piece) for _ in range(2)] == [200, 200]
        parts.append(part["id"])
    there = stack.api.call("GET", path).body["parts"]
    assert [(each["id"], each["bytes"]) for each in there] == [("part_1", 16 * MEBIBYTE), ("part_2", 1000)]
    done = stack.api.call("POST", f"{path}/complete", {"part_ids": sorted(parts)}).body
    assert (done["status"], done["file"]["bytes"]) == ("completed", len(data))
    assert content(stack.api, done["file"]["id"]) == data


def test_a_file_ends_at_its_time_and_its_tenant_may_keep_another(stack: Stack) -> None:
    other = stack.as_tenant("other")

    def total() -> tuple[int, int]:
        item = stack.database.get("jobs", files_pk("other"), "TOTAL") or {"files": 0, "bytes": 0}
        return item["files"], item["bytes"]

    before = total()
    made = send(other, b"four", purpose="batch").body
    assert total() == (before[0] + 1, before[1] + 4)
    key = f"files/other/{made['id']}"
    record = Update("jobs", files_pk("other"), f"FILE#{made['id']}", set={"until": now_ms() // 1000})
    stack.database.write(record)
    stack.database.write(Update("jobs", files_pk("other"), f"ENDS#{key}", set={"due_at": now_ms()}))
    assert other.call("GET", f"/files/{made['id']}").status == 404
    stack.clean()
    assert total() == before
    bucket = stack.physical("PayloadsBucket")
    assert "Contents" not in stack.cloud.client("s3").list_objects_v2(Bucket=bucket, Prefix=key)


def test_openais_client_keeps_lists_reads_and_deletes_files(client: openai.OpenAI) -> None:
    data = b'{"custom_id": "1"}\n' * 1000 + bytes(range(256))
    made = client.files.create(
        file=("Zeilen ü.jsonl", data), purpose="batch", expires_after={"anchor": "created_at", "seconds": 3600}
    )
    assert (made.object, made.bytes, made.filename, made.purpose) == ("file", len(data), "Zeilen ü.jsonl", "batch")
    assert made.expires_at is not None and made.expires_at - made.created_at in (3600, 3601)
    assert client.files.wait_for_processing(made.id).status == "processed"
    assert client.files.retrieve(made.id) == made
    assert client.files.content(made.id).read() == data
    more = [client.files.create(file=b"x", purpose="user_data").id for _ in range(3)]
    listed = [each.id for each in client.files.list(limit=2, order="asc")]
    assert listed[-4:] == [made.id, *more] and len(listed) == len(set(listed))
    assert made.id not in [each.id for each in client.files.list(purpose="user_data")]
    assert client.files.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError) as gone:
        client.files.retrieve(made.id)
    assert (gone.value.code, gone.value.param) == ("no_such_file", "id")
    with pytest.raises(openai.BadRequestError) as refused:
        client.files.create(file=b"x", purpose="fine-tune")
    assert refused.value.param == "purpose"


def test_openais_client_sends_a_file_in_parts(client: openai.OpenAI) -> None:
    data = os.urandom(9_500_000)
    done = client.uploads.upload_file_chunked(
        file=data,
        filename="rows.jsonl",
        bytes=len(data),
        mime_type="application/jsonl",
        purpose="batch",
        part_size=4_500_000,
        md5=hashlib.md5(data, usedforsecurity=False).hexdigest(),
    )
    assert done.status == "completed" and done.file is not None
    assert client.files.content(done.file.id).read() == data
    begun = client.uploads.create(bytes=9, filename="x", mime_type="text/plain", purpose="batch")
    assert client.uploads.cancel(begun.id).status == "cancelled"


def test_the_bound_holds_for_those_who_come_at_once(stack: Stack) -> None:
    stack.register({"tenants": [{"id": "narrow", "max_files": 4, "max_file_bytes": 1000}]})
    narrow = stack.as_tenant("narrow")
    with ThreadPoolExecutor(10) as pool:
        replies = list(pool.map(lambda number: send(narrow, b"x" * 10, purpose="batch"), range(10)))
    kept = [reply.body["id"] for reply in replies if reply.status == 200]
    codes = {reply.body["error"]["code"] for reply in replies if reply.status != 200}
    assert len(kept) == 4 and codes <= {"too_many_files", "contention"}, (len(kept), codes)
    reply = send(narrow, b"x", purpose="batch")
    assert (reply.status, reply.body["error"]["code"]) == (400, "too_many_files")
    for file_id in kept:
        assert narrow.call("DELETE", f"/files/{file_id}").status == 200
    assert send(narrow, b"x" * 1001, purpose="batch").body["error"]["code"] == "too_many_files"
    assert send(narrow, b"x" * 1000, purpose="batch").status == 200


def test_the_command_sends_and_reads_a_file_of_any_size(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BROKER_URL", stack.base_url)
    monkeypatch.setenv("BROKER_API_KEY", stack.seeded.api_key)
    for size in (1000, 70 * MEBIBYTE):
        data = os.urandom(size)
        (tmp_path / "sent").write_bytes(data)
        assert main(["files", "put", str(tmp_path / "sent"), "--keep", "3600"]) == 0
        made = json.loads(capsys.readouterr().out)
        assert (made["status"], made["bytes"]) == ("processed", size)
        assert main(["files", "content", made["id"], str(tmp_path / "back")]) == 0
        assert (tmp_path / "back").read_bytes() == data
        capsys.readouterr()
        assert main(["files", "delete", made["id"]]) == 0
        capsys.readouterr()
