"""Whether an object is there is told to those only who may list its bucket."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from ministack import app
from ministack.services import s3

DENIED = (403, {"Content-Type": "application/xml"}, b"<Error><Code>AccessDenied</Code></Error>")


@pytest.fixture(autouse=True)
def bucket(patched: None) -> Iterator[None]:
    ask("PUT", "/limits")
    ask("PUT", "/limits/there", b"x")
    yield
    ask("DELETE", "/limits/there")
    ask("DELETE", "/limits")


def ask(method: str, path: str, body: bytes = b"") -> Any:
    return asyncio.run(s3.handle_request(method, path, {"host": "here"}, body, {}))


@pytest.mark.parametrize("may_list", [True, False])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_missing_key(monkeypatch: pytest.MonkeyPatch, method: str, may_list: bool) -> None:
    asked: list[Any] = []

    def enforce(service: str, action: str, *request: Any, resource_arn: str) -> Any:
        asked.append((action, resource_arn))
        return None if may_list else DENIED

    monkeypatch.setattr(app, "_enforce_data_plane", enforce)
    status, _, body = ask(method, "/limits/missing/a b")
    assert status == (404 if may_list else 403)
    assert (b"AccessDenied" in body) == (method == "GET" and not may_list)
    assert asked == [("s3:ListBucket", "arn:aws:s3:::limits")]


def test_what_is_there_or_has_no_bucket_is_answered_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "_enforce_data_plane", lambda *request, **more: DENIED)
    answers = [ask("GET", path)[0] for path in ("/limits/there", "/none/missing", "/none")]
    assert answers == [200, 404, 404]
