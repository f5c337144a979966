"""`broker files`, against the REST door itself and a bucket beside it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from broker.cli import main, sending
from broker.cli.rest_client import RestClient
from broker.errors import InvalidRequest
from broker.files import uploading
from broker.rest import files as rest

from tests.fakes.file_bucket import LEAST_PART
from tests.unit.rest_door import Door
from tests.unit.rest_server import KEY, RestServer

Printed = pytest.CaptureFixture[str]


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def server(door: Door, monkeypatch: pytest.MonkeyPatch) -> Iterator[RestServer]:
    with RestServer(door) as running:
        monkeypatch.setenv("BROKER_URL", running.url)
        monkeypatch.setenv("BROKER_API_KEY", KEY)
        yield running


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "MOST_AT_ONCE", LEAST_PART)
    for module in (uploading, rest):
        monkeypatch.setattr(module, "PART_BYTES", LEAST_PART)


def run(capsys: Printed, *arguments: str) -> str:
    assert main(["files", *arguments]) == 0, capsys.readouterr()
    return capsys.readouterr().out


def a_file(folder: Path, data: bytes, name: str = "rows.jsonl") -> str:
    (folder / name).write_bytes(data)
    return str(folder / name)


def test_a_file_is_put_shown_listed_read_and_deleted(server: RestServer, tmp_path: Path, capsys: Printed) -> None:
    data = os.urandom(1000)
    made = json.loads(run(capsys, "put", a_file(tmp_path, data), "--purpose", "batch", "--keep", "3600"))
    assert (made["status"], made["purpose"], made["filename"]) == ("processed", "batch", "rows.jsonl")
    assert made["expires_at"] - made["created_at"] in (3600, 3601)
    assert json.loads(run(capsys, "get", made["id"])) == made
    listed = run(capsys, "list")
    assert made["id"] in listed and "1,000" in listed and "rows.jsonl" in listed
    assert run(capsys, "list", "--purpose", "vision") == ""
    assert "1000 bytes" in run(capsys, "content", made["id"], str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == data
    assert run(capsys, "delete", made["id"]) == f"{made['id']} deleted\n"
    assert main(["files", "get", made["id"]]) == 5
    assert "there is no such file" in capsys.readouterr().err


def test_the_key_goes_to_the_api_and_nowhere_else(server: RestServer, tmp_path: Path, capsys: Printed) -> None:
    made = json.loads(run(capsys, "put", a_file(tmp_path, b"x")))
    run(capsys, "content", made["id"], str(tmp_path / "back"))
    to_bucket = [headers for _, path, headers in server.asked if path.startswith("/bucket/")]
    assert len(to_bucket) == 2 and not any("authorization" in headers for headers in to_bucket)


@pytest.mark.parametrize("size", [LEAST_PART + 1, 2 * LEAST_PART])
def test_a_large_file_goes_in_parts(
    server: RestServer, door: Door, small_parts: None, tmp_path: Path, capsys: Printed, size: int
) -> None:
    data = os.urandom(size)
    made = json.loads(run(capsys, "put", a_file(tmp_path, data)))
    assert (made["bytes"], made["status"]) == (size, "processed")
    assert door.bucket.objects[f"files/acme/{made['id']}"] == data


def test_what_is_cut_off_goes_again(
    server: RestServer, door: Door, small_parts: None, tmp_path: Path, capsys: Printed
) -> None:
    server.cut = 2
    made = json.loads(run(capsys, "put", a_file(tmp_path, b"x" * (LEAST_PART + 1))))
    assert made["status"] == "processed"
    server.cut = 3
    assert main(["files", "put", a_file(tmp_path, b"x")]) == 8
    assert "The bucket did not take the bytes" in capsys.readouterr().err


def test_names_do_nothing_to_a_terminal(server: RestServer, door: Door, tmp_path: Path, capsys: Printed) -> None:
    run(capsys, "put", a_file(tmp_path, b"x", "a\u202eb\u2066.txt"))
    assert "\u202e" not in run(capsys, "list")


def test_pages_are_read_to_the_end(
    server: RestServer, tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "PAGE", 2)
    ids = [json.loads(run(capsys, "put", a_file(tmp_path, b"x")))["id"] for _ in range(5)]
    assert [line.split()[0] for line in run(capsys, "list").splitlines()] == sorted(ids, reverse=True)


def test_nothing_is_sent_in_the_clear_over_a_network() -> None:
    client = RestClient("https://api.example.com/v1", "key")
    with pytest.raises(InvalidRequest) as failure:
        client.put("http://bucket.example/secret?X-Amz-Signature=abc", {}, b"x")
    assert "abc" not in failure.value.message


@pytest.mark.parametrize("arguments", [("put", "/nowhere/at/all"), ("get", "file-0"), ("content", "file-0", "x")])
def test_what_cannot_be_done_says_why(server: RestServer, capsys: Printed, arguments: tuple[str, ...]) -> None:
    assert main(["files", *arguments]) in (3, 5, 8)
    assert capsys.readouterr().err.strip() != ""
