"""The routes of files: forms of every kind, what is shown, and what another tenant is told."""

import base64
import hashlib
import json
from typing import Any

import pytest
from broker.clock import now_ms
from broker.files.bodies import KEPT_S
from broker.files.keeping import NewFile
from broker.files.record import AWAITED_MS
from broker.rest.files import MOST_FORM_BYTES
from broker.rest.http import Reply, Request

from tests.unit.rest_door import Door

BOUNDARY = "----WebKitFormBoundary7MA4YWxk"


def part(head: str, data: bytes) -> bytes:
    return b"--" + BOUNDARY.encode() + b"\r\n" + head.encode() + b"\r\n\r\n" + data + b"\r\n"


def field(name: str, value: str) -> bytes:
    return part(f'Content-Disposition: form-data; name="{name}"', value.encode())


def file(data: bytes = b"one\n", how: str = 'filename="rows.jsonl"', name: str = "file") -> bytes:
    head = f'Content-Disposition: form-data; name="{name}"; {how}\r\nContent-Type: application/octet-stream'
    return part(head, data)


END = b"--" + BOUNDARY.encode() + b"--\r\n"
PURPOSE = field("purpose", "batch")
AN_HOUR = field("expires_after[seconds]", "3600")


def text_of(body: bytes) -> str:
    """As `Request` holds bytes that came as base64."""
    return body.decode(errors="surrogateescape")


def sent(door: Door, body: bytes, kind: str = f"multipart/form-data; boundary={BOUNDARY}", **more: Any) -> Reply:
    return door("POST", "/files", text_of(body), content_type=kind, **more)


def fault(door: Door, body: bytes, **more: Any) -> tuple[str, str | None]:
    kind = more.pop("kind", f"multipart/form-data; boundary={BOUNDARY}")
    error = door.fails("POST", "/files", text_of(body), content_type=kind, **more)
    assert error.status in (400, 413)
    return error.code, error.param


def kept(door: Door, file_id: str, tenant: str = "acme") -> bytes:
    return door.bucket.objects[f"files/{tenant}/{file_id}"]


def test_a_file_in_a_form_is_kept_byte_for_byte() -> None:
    door = Door()
    data = bytes(range(256)) * 3 + b"\r\n--" + BOUNDARY.encode()[:-1] + b"\r\n\n\r"
    before = now_ms() // 1000
    reply = sent(door, PURPOSE + file(data) + END)
    shown = reply.body
    assert (reply.status, kept(door, shown["id"])) == (200, data)
    assert {name: shown[name] for name in ("object", "bytes", "filename", "purpose", "status")} == {
        "object": "file",
        "bytes": len(data),
        "filename": "rows.jsonl",
        "purpose": "batch",
        "status": "processed",
    }
    assert before <= shown["created_at"] <= now_ms() // 1000
    assert shown["expires_at"] - shown["created_at"] in (KEPT_S, KEPT_S + 1)
    assert "upload" not in shown


@pytest.mark.parametrize(
    ("how", "filename"),
    [
        ('filename="a b.txt"', "a b.txt"),
        ("filename=plain.txt", "plain.txt"),
        ('filename="Zeilen ü€.jsonl"', "Zeilen ü€.jsonl"),
        ('filename="a%22b.txt"', 'a"b.txt'),
        (r'filename="a\"b.txt"', 'a"b.txt'),
        ("filename*=UTF-8''Zeilen%20%C3%BC.jsonl", "Zeilen ü.jsonl"),
        ("filename=\"fallback.txt\"; filename*=utf-8'en'%E2%82%AC.txt", "€.txt"),
        ('filename="../../other/x.txt"', "../../other/x.txt"),
    ],
)
def test_names_are_read_as_clients_write_them_and_are_no_paths(how: str, filename: str) -> None:
    door = Door()
    shown = sent(door, PURPOSE + file(how=how) + END).body
    assert shown["filename"] == filename
    assert list(door.bucket.objects) == [f"files/acme/{shown['id']}"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (PURPOSE + END, "file"),
        (file() + END, "purpose"),
        (PURPOSE + file(b"") + END, "file"),
        (PURPOSE + file(how='filename=""') + END, "file"),
        (PURPOSE + file(how='filename="a%0Ab"') + END, "file"),
        (PURPOSE + file(how=f'filename="{"x" * 256}"') + END, "file"),
        (PURPOSE + part('Content-Disposition: form-data; name="file"', b"x") + END, "file"),
        (PURPOSE + PURPOSE + file() + END, "purpose"),
        (PURPOSE + file() + file() + END, "file"),
        (field("purpose", "fine-tune") + file() + END, "purpose"),
        (field("purpose", "batch_output") + file() + END, "purpose"),
        (part('Content-Disposition: form-data; name="purpose"', b"\xff") + file() + END, "purpose"),
        (field("purpose", "x" * 2000) + file() + END, "purpose"),
        (PURPOSE + field("colour", "blue") + file() + END, "colour"),
        (PURPOSE + field("bytes", "9") + file() + END, "bytes"),
        (PURPOSE + field("expires_after[seconds]", "60") + file() + END, "expires_after[seconds]"),
        (PURPOSE + field("expires_after[seconds]", "soon") + file() + END, "expires_after[seconds]"),
        (PURPOSE + field("expires_after[seconds]", "-1") + file() + END, "expires_after[seconds]"),
        (PURPOSE + field("expires_after[anchor]", "tomorrow") + AN_HOUR + file() + END, "expires_after[anchor]"),
        (PURPOSE + field("expires_after[anchor]", "created_at") + file() + END, "expires_after[seconds]"),
        (PURPOSE + field("sha256", "0" * 64) + file() + END, "sha256"),
        (b"".join(field(f"f{n}", "x") for n in range(40)) + END, None),
        (PURPOSE + file(), None),
        (PURPOSE + file() + END[:-4], None),
        (PURPOSE.replace(b"\r\n", b"\n") + file() + END, None),
        (PURPOSE + part("Content-Disposition: attachment", b"x") + END, None),
        (PURPOSE + part("X: y", b"x") + END, None),
        (b"", None),
        (b"{}", None),
    ],
)
def test_a_form_that_is_not_one_names_the_field(body: bytes, param: str | None) -> None:
    door = Door()
    assert fault(door, body)[1] == param
    assert door.bucket.objects == {}


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=other"]
)
def test_a_form_needs_its_own_boundary(kind: str) -> None:
    assert fault(Door(), PURPOSE + file() + END, kind=kind) == ("invalid_form", None)


def test_the_kind_is_read_whatever_its_letters_and_quotes() -> None:
    door = Door()
    reply = sent(door, PURPOSE + file() + END, f'Multipart/Form-Data; charset=utf-8; BOUNDARY="{BOUNDARY}"')
    assert kept(door, reply.body["id"]) == b"one\n"


def test_a_digest_in_a_form_is_held_against_its_bytes() -> None:
    door = Door()
    reply = sent(door, PURPOSE + field("sha256", hashlib.sha256(b"one\n").hexdigest()) + file() + END)
    assert reply.status == 200


def test_a_form_says_how_long_its_file_is_kept() -> None:
    body = PURPOSE + field("expires_after[anchor]", "created_at") + AN_HOUR + file() + END
    shown = sent(Door(), body).body
    assert shown["expires_at"] - shown["created_at"] in (3600, 3601)


def test_a_form_that_is_too_large_names_the_way() -> None:
    door = Door()
    body = PURPOSE + file(b"x" * (MOST_FORM_BYTES + 1)) + END
    error = door.fails("POST", "/files", text_of(body), content_type=f"multipart/form-data; boundary={BOUNDARY}")
    assert (error.status, error.code, error.param) == (413, "file_too_large", "file")
    assert "/uploads" in error.message and '"bytes"' in error.message
    assert sent(door, PURPOSE + file(b"x" * MOST_FORM_BYTES) + END).body["bytes"] == MOST_FORM_BYTES


COMING = {"filename": "rows.jsonl", "bytes": 4, "purpose": "batch"}


def test_no_address_works_longer_than_the_bytes_are_awaited() -> None:
    door = Door()
    files = door.batches.finds.uploads
    assert files is not None
    now = now_ms()
    begun = now - AWAITED_MS + 60_000
    awaited = files.expect(NewFile("acme", "rows.jsonl", "batch", 4, now // 1000 + KEPT_S), begun)
    ends = door("GET", "/files/{id}", job_id=awaited.id).body["upload"]["expires_at"]
    assert now // 1000 < ends <= awaited.awaited_until // 1000


def test_a_file_that_is_put_to_the_bucket_is_there_when_it_came() -> None:
    door = Door()
    shown = door("POST", "/files", json.dumps(COMING)).body
    assert (shown["status"], shown["upload"]["method"]) == ("pending", "PUT")
    again = door("GET", "/files/{id}", job_id=shown["id"]).body
    assert again["upload"]["url"] == shown["upload"]["url"], "who lost the address asks for it"
    assert door.fails("GET", "/files/{id}/content", job_id=shown["id"]).code == "file_not_uploaded"
    assert not door.bucket.sent(shown["upload"]["url"], b"more than that")
    assert door.bucket.sent(shown["upload"]["url"], b"one\n")
    assert not door.bucket.sent(shown["upload"]["url"], b"two\n"), "what is there is not written over"
    there = door("GET", "/files/{id}", job_id=shown["id"]).body
    assert (there["status"], "upload" in there) == ("processed", False)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"bytes": 0}, "bytes"),
        ({"bytes": 5_000_000_001}, "bytes"),
        ({"bytes": "4"}, "bytes"),
        ({"filename": ""}, "filename"),
        ({"filename": "a\nb"}, "filename"),
        ({"purpose": "evals"}, "purpose"),
        ({"sha256": "abc"}, "sha256"),
        ({"expires_after": {"anchor": "created_at", "seconds": 31_536_001}}, "expires_after.seconds"),
        ({"file": "x"}, "file"),
    ],
)
def test_a_body_that_is_not_as_the_contract_has_it_names_the_field(change: dict[str, Any], param: str) -> None:
    door = Door()
    assert door.fails("POST", "/files", json.dumps(COMING | change)).param == param
    assert door("GET", "/files").body["data"] == []


def test_content_is_a_link_that_works_as_long_as_the_file() -> None:
    door = Door()
    shown = sent(door, PURPOSE + file() + END).body
    reply = door("GET", "/files/{id}/content", job_id=shown["id"])
    assert (reply.status, reply.body) == (307, None)
    assert shown["id"] in reply.headers["location"] and reply.headers["location"].endswith("for=900")


def test_files_are_listed_as_openais_clients_page() -> None:
    door = Door()
    ids = [sent(door, field("purpose", "vision") + file() + END).body["id"] for _ in range(3)]
    sent(door, PURPOSE + file() + END, tenant="other")
    page = door("GET", "/files", query={"limit": "2", "order": "asc"}).body
    assert ([each["id"] for each in page["data"]], page["has_more"]) == (sorted(ids)[:2], True)
    assert (page["object"], page["first_id"], page["last_id"]) == ("list", sorted(ids)[0], sorted(ids)[1])
    rest = door("GET", "/files", query={"order": "asc", "after": page["last_id"], "limit": "10000"}).body
    assert ([each["id"] for each in rest["data"]], rest["has_more"]) == (sorted(ids)[2:], False)
    assert door("GET", "/files", query={"purpose": "batch"}).body == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }


@pytest.mark.parametrize(
    "query",
    [{"limit": "0"}, {"limit": "10001"}, {"limit": "x"}, {"order": "up"}, {"purpose": "cake"}, {"after": "\n"}],
)
def test_a_list_that_cannot_be_names_the_parameter(query: dict[str, str]) -> None:
    assert Door().fails("GET", "/files", query=query).param == next(iter(query))


def test_another_tenant_is_told_the_same_as_of_no_file() -> None:
    door = Door()
    shown = sent(door, PURPOSE + file() + END).body
    for method, resource in (("GET", "/files/{id}"), ("GET", "/files/{id}/content"), ("DELETE", "/files/{id}")):
        theirs = door.fails(method, resource, job_id=shown["id"], tenant="other")
        none = door.fails(method, resource, job_id="file-0", tenant="other")
        assert (theirs.status, theirs.facts()) == (404, none.facts())
    assert door("DELETE", "/files/{id}", job_id=shown["id"]).body == {
        "id": shown["id"],
        "object": "file",
        "deleted": True,
    }
    assert door.bucket.objects == {}


def test_an_upload_goes_as_openais_clients_send_it() -> None:
    door = Door()
    begun = door("POST", "/uploads", json.dumps(COMING | {"mime_type": "text/plain"})).body
    assert (begun["object"], begun["status"], begun["file"], begun["bytes"]) == ("upload", "pending", None, 4)
    assert begun["expires_at"] - begun["created_at"] == 3600
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    parts = []
    for data in (b"on", b"e\n"):
        body = text_of(file(data, 'filename="upload"', "data") + END)
        parts.append(door("POST", "/uploads/{id}/parts", body, job_id=begun["id"], content_type=kind).body)
    assert all(each["object"] == "upload.part" and each["upload_id"] == begun["id"] for each in parts)
    body = json.dumps({"part_ids": [each["id"] for each in parts]})
    done = door("POST", "/uploads/{id}/complete", body, job_id=begun["id"]).body
    assert (done["status"], done["file"]["status"], done["file"]["bytes"]) == ("completed", "processed", 4)
    assert kept(door, done["file"]["id"]) == b"one\n"
    assert door("GET", "/uploads/{id}", job_id=begun["id"]).body == done | {"parts": []}


def test_an_upload_is_canceled() -> None:
    door = Door()
    begun = door("POST", "/uploads", json.dumps(COMING)).body
    assert door("POST", "/uploads/{id}/cancel", job_id=begun["id"]).body == begun | {"status": "cancelled"}
    assert door.fails("GET", "/uploads/{id}", job_id=begun["id"]).status == 404


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (file(b"", 'filename="x"', "data") + END, "part_too_large"),
        (file(b"x", 'filename="x"', "data") + field("colour", "blue") + END, "invalid_field"),
        (file(b"x", 'filename="x"') + END, "invalid_field"),
    ],
)
def test_a_part_that_is_none_is_not_taken(body: bytes, code: str) -> None:
    door = Door()
    begun = door("POST", "/uploads", json.dumps(COMING)).body
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    error = door.fails("POST", "/uploads/{id}/parts", text_of(body), job_id=begun["id"], content_type=kind)
    assert error.code == code and door.bucket.objects == {}


def test_files_ask_for_scopes_of_their_own() -> None:
    door = Door()
    for method, resource, scope in (
        ("GET", "/files", "files:write jobs:read"),
        ("POST", "/files", "files:read jobs:write"),
        ("DELETE", "/files/{id}", "files:read"),
    ):
        assert door.fails(method, resource, scopes=scope).code == "missing_scope"


def test_bytes_come_through_the_gateway_as_they_were() -> None:
    event = {
        "httpMethod": "POST",
        "resource": "/files",
        "headers": {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
        "body": base64.b64encode(bytes(range(256))).decode(),
        "isBase64Encoded": True,
        "requestContext": {
            "authorizer": {"tenant": "acme", "principal": "p", "scopes": "*"},
            "requestId": "r",
            "apiId": "a",
            "path": "/v1/files",
            "domainName": "d",
        },
    }
    assert Request.of(event).raw_body() == bytes(range(256))
