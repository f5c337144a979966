"""A part of one version of an object is what was asked for."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from ministack.services import s3

from local.emulator import versions
from local.emulator.rewriting import DoesNotFit
from tests.unit.emulator.conftest import restored

VERSIONING = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"


def ask(method: str, path: str, body: bytes = b"", query: Any = None, **headers: str) -> Any:
    return asyncio.run(s3.handle_request(method, path, {"host": "here"} | headers, body, query or {}))


@pytest.fixture
def version(patched: None) -> Iterator[str]:
    """Of an object that was written over."""
    ask("PUT", "/versions")
    ask("PUT", "/versions", VERSIONING, {"versioning": [""]})
    _, headers, _ = ask("PUT", "/versions/key", b"0123456789")
    ask("PUT", "/versions/key", b"other")
    yield headers["x-amz-version-id"]
    s3._buckets.pop("versions")


@pytest.mark.parametrize(
    ("part", "status", "body", "told"),
    [
        (None, 200, b"0123456789", None),
        ("bytes=3-5", 206, b"345", "bytes 3-5/10"),
        ("bytes=8-", 206, b"89", "bytes 8-9/10"),
        ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
    ],
)
def test_a_part_of_a_version(version: str, part: str | None, status: int, body: bytes, told: str | None) -> None:
    more = {"range": part} if part else {}
    found = ask("GET", "/versions/key", query={"versionId": [version]}, **more)
    assert (found[0], found[2], found[1].get("Content-Range")) == (status, body, told)
    assert found[1]["Content-Length"] == str(len(body))


def test_a_part_that_is_not_there(version: str) -> None:
    assert ask("GET", "/versions/key", query={"versionId": [version]}, range="bytes=10-")[0] == 416


def test_a_service_that_works_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with restored():
        monkeypatch.setattr(s3, "_get_object", lambda: None)
        with pytest.raises(DoesNotFit, match="_get_object is not as the patch knows it"):
            versions.patch()
