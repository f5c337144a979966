"""One call for each documented reply of the routes of files, and what is there before it."""

import hashlib
import json
from typing import Any

from broker.clock import now_ms
from broker.contract.file_operations import EXAMPLE_FILE
from broker.jobs.idempotency import fingerprint, reserve
from broker.rest.files import MOST_FORM_BYTES

from tests.contract.world import World
from tests.fakes.file_bucket import results_of

FORM = {"content-type": "multipart/form-data; boundary=XX"}
KEYED = {"headers": {"idempotency-key": "k"}}
COMING = {"filename": "rows.jsonl", "bytes": 4, "purpose": "batch"}


def form(name: str, data: str, **fields: str) -> dict[str, Any]:
    """A call's form with a file in a field of that name."""
    parts = [
        f'--XX\r\nContent-Disposition: form-data; name="{each}"\r\n\r\n{text}\r\n' for each, text in fields.items()
    ]
    file = f'--XX\r\nContent-Disposition: form-data; name="{name}"; filename="rows.jsonl"\r\n\r\n{data}\r\n--XX--\r\n'
    return {"headers": FORM, "body": "".join(parts) + file}


def keyed(call: dict[str, Any]) -> dict[str, Any]:
    """A call with a key."""
    return call | {"headers": {**call.get("headers", {}), **KEYED["headers"]}}


def theirs(call: dict[str, Any]) -> dict[str, Any]:
    """A call of Anthropic's clients."""
    return call | {"headers": {**call.get("headers", {}), "anthropic-version": "2023-06-01"}}


def file_before(world: World, before: str) -> dict[str, Any]:
    """Make it, and name it as a call does."""
    match before:
        case "file key used":
            world.call("POST", "/uploads", body=json.dumps(COMING | {"bytes": 5}), **KEYED)
            return {}
        case "file key held" | "upload key held":
            resource = "/files" if before == "file key held" else "/uploads"
            document = {"path": resource, "body": COMING, "digest": None}
            reserve(world.database, "acme", "k", fingerprint(document), EXAMPLE_FILE, now_ms())
            return {}
        case "part key used" | "part key held":
            path: dict[str, Any] = {"path": {"id": world.call("POST", "/uploads", body=json.dumps(COMING)).body["id"]}}
            if before == "part key used":
                world.call("POST", "/uploads/{id}/parts", **path, **keyed(form("data", "two\n")))
            else:
                same = {"upload": path["path"]["id"], "digest": hashlib.sha256(b"one\n").hexdigest()}
                reserve(world.database, "acme", "k", fingerprint(same), "part_1", now_ms())
            return path
        case "a file":
            made = world.call("POST", "/files", **form("file", "one\n", purpose="batch"))
        case "an awaited file" | "other bytes":
            made = world.call("POST", "/files", body=json.dumps(COMING))
            if before == "other bytes":
                world.bucket.put(f"files/acme/{made.body['id']}", b"others")
        case "a file of results":
            return {"path": {"id": results_of(world.database, world.bucket, b'{"custom_id": "a"}\n')}}
        case _:
            made = world.call("POST", "/uploads", body=json.dumps(COMING))
    path = {"path": {"id": made.body["id"]}}
    if before in ("a whole upload", "a complete upload"):
        part = world.call("POST", "/uploads/{id}/parts", **path, **form("data", "one\n")).body["id"]
        path["body"] = json.dumps({"part_ids": [part]})
    if before == "a complete upload":
        world.call("POST", "/uploads/{id}/complete", **path)
    return path


def file_calls() -> list[Any]:
    """One call for each."""
    coming, lost = {"body": json.dumps(COMING)}, {"path": {"id": "none"}}
    large = "x" * (MOST_FORM_BYTES + 1)
    part = {"body": '{"number": 1}'}
    none = {"body": '{"part_ids": ["part_1"]}'}
    return [
        ("POST", "/files", 200, None, form("file", "one\n", purpose="batch")),
        ("POST", "/files", 200, None, coming),
        ("POST", "/files", 400, None, form("file", "one\n", purpose="cake")),
        ("POST", "/files", 400, None, {"body": "{}"}),
        ("POST", "/files", 413, None, form("file", large, purpose="batch")),
        ("POST", "/files", 409, "file key held", coming | KEYED),
        ("POST", "/files", 422, "file key used", coming | KEYED),
        ("GET", "/files", 200, None, {}),
        ("GET", "/files", 200, "a file", {"query": {"limit": "1"}}),
        ("GET", "/files", 200, "an awaited file", {"query": {"order": "asc"}}),
        ("GET", "/files", 400, None, {"query": {"order": "up"}}),
        ("GET", "/files/{id}", 200, "a file", {}),
        ("GET", "/files/{id}", 200, "an awaited file", {}),
        ("GET", "/files/{id}", 400, "other bytes", {}),
        ("GET", "/files/{id}", 404, None, lost),
        ("GET", "/files/{id}/content", 200, "a file of results", {}),
        ("GET", "/files/{id}/content", 307, "a file", {}),
        ("GET", "/files/{id}/content", 400, "an awaited file", {}),
        ("GET", "/files/{id}/content", 404, None, lost),
        ("DELETE", "/files/{id}", 200, "a file", {}),
        ("DELETE", "/files/{id}", 404, None, lost),
        ("POST", "/files", 200, None, theirs(form("file", "one\n"))),
        ("POST", "/files", 400, None, theirs(form("file", "one\n", purpose="batch"))),
        ("GET", "/files", 200, "a file", theirs({"query": {"limit": "1"}})),
        ("GET", "/files", 400, None, theirs({"query": {"page": "x"}})),
        ("GET", "/files/{id}", 200, "a file", theirs({})),
        ("GET", "/files/{id}", 404, None, theirs(lost)),
        ("DELETE", "/files/{id}", 200, "a file", theirs({})),
        ("POST", "/uploads", 200, None, coming),
        ("POST", "/uploads", 400, None, {"body": "{}"}),
        ("POST", "/uploads", 409, "upload key held", coming | KEYED),
        ("POST", "/uploads", 422, "file key used", coming | KEYED),
        ("GET", "/uploads/{id}", 200, "an upload", {}),
        ("GET", "/uploads/{id}", 200, "a complete upload", {}),
        ("GET", "/uploads/{id}", 404, None, lost),
        ("POST", "/uploads/{id}/parts", 409, "part key held", keyed(form("data", "one\n"))),
        ("POST", "/uploads/{id}/parts", 422, "part key used", keyed(form("data", "one\n"))),
        ("POST", "/uploads/{id}/parts", 200, "an upload", form("data", "one\n")),
        ("POST", "/uploads/{id}/parts", 200, "an upload", part),
        ("POST", "/uploads/{id}/parts", 400, "a whole upload", part),
        ("POST", "/uploads/{id}/parts", 404, None, lost | part),
        ("POST", "/uploads/{id}/parts", 413, "an upload", form("data", large)),
        ("POST", "/uploads/{id}/complete", 200, "a whole upload", {}),
        ("POST", "/uploads/{id}/complete", 400, "an upload", none),
        ("POST", "/uploads/{id}/complete", 404, None, lost | none),
        ("POST", "/uploads/{id}/cancel", 200, "an upload", {}),
        ("POST", "/uploads/{id}/cancel", 400, "a complete upload", {}),
        ("POST", "/uploads/{id}/cancel", 404, None, lost),
    ]
