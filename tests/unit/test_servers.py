"""The servers of the embedded cloud: ports, and processes that are ours and no others."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from local.servers import LAMBDA_CONCURRENCY, Server, Servers, _start_time, free_port

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A process with a group of its own."""
    running = subprocess.Popen(SLEEPER, start_new_session=True)  # noqa: S603 - our own words
    yield running
    running.kill()
    running.wait()


def server(process: subprocess.Popen[bytes], name: str = "models") -> Server:
    return Server(name, process.pid, _start_time(process.pid), "http://127.0.0.1:1")


def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def test_the_wanted_port_is_taken_where_it_is_free() -> None:
    with listening() as left:
        wanted = left.getsockname()[1]
    assert free_port(wanted) == wanted


def test_another_port_is_taken_where_it_is_not() -> None:
    with listening() as there:
        wanted = there.getsockname()[1]
        found = free_port(wanted)
        assert found != wanted
        with socket.create_server(("127.0.0.1", found)):
            assert free_port(found) not in (found, wanted)


def test_a_server_lives_as_long_as_its_process(process: subprocess.Popen[bytes]) -> None:
    ours = server(process)
    assert ours.started and ours.alive()
    process.kill()
    process.wait()
    assert not ours.alive()


def test_a_zombie_is_not_alive(process: subprocess.Popen[bytes]) -> None:
    ours = server(process)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has collected it
    assert not ours.alive()


def test_a_recycled_id_is_not_ours_and_is_left_alone(process: subprocess.Popen[bytes]) -> None:
    recycled = replace(server(process), started="1")
    assert not recycled.alive()
    recycled.stop()
    assert process.poll() is None


def test_a_server_may_be_stopped_twice(process: subprocess.Popen[bytes]) -> None:
    ours = server(process)
    ours.stop()
    assert not ours.alive()
    ours.stop()
    assert process.wait() < 0


def test_what_runs_is_known_from_its_folder(process: subprocess.Popen[bytes], tmp_path: Path) -> None:
    servers = Servers(tmp_path, lambda text: None)
    assert servers.running() == {}
    ours, gone = server(process), replace(server(process, "cloud"), started="1")
    (tmp_path / "servers.json").write_text(json.dumps([asdict(ours), asdict(gone)]))
    assert servers.running() == {"models": ours}
    assert servers.stop() == ["models"]
    assert process.wait() < 0
    assert servers.stop() == []
    assert not (tmp_path / "servers.json").exists()


def test_a_server_is_told_to_stay_on_the_loopback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of an account")
    given = Servers(tmp_path, lambda text: None)._environment(4566, persist=False)
    assert (given["BIND_HOST"], given["GATEWAY_PORT"], given["IOT_MTLS_ENABLED"]) == ("127.0.0.1", "4566", "0")
    assert {given["AWS_ACCESS_KEY_ID"], given["AWS_SECRET_ACCESS_KEY"]} == {"test"}
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN"} & given.keys()
    assert given["STATE_DIR"].startswith(str(tmp_path))


@pytest.mark.parametrize(("said", "most"), [(None, LAMBDA_CONCURRENCY), ("20", "20")])
def test_how_many_functions_run_at_a_time_can_be_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str | None, most: str
) -> None:
    monkeypatch.delenv("LAMBDA_CONCURRENCY", raising=False)
    if said:
        monkeypatch.setenv("LAMBDA_CONCURRENCY", said)
    assert Servers(tmp_path, print)._environment(1, False)["LAMBDA_ACCOUNT_CONCURRENCY"] == most
