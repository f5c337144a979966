"""Which stack the command works on: an account's, or the one of this machine."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from broker.cli import main
from broker.cli.this_machine import ANOTHER
from moto.server import ThreadedMotoServer

from local import environment
from local.__main__ import tell
from local.deployment import Cloud
from local.seeding import Seeded
from tests.unit.rest_door import Door
from tests.unit.rest_server import KEY, RestServer
from tests.unit.test_cli import TEMPLATE


class Running:
    """A stack of this machine, as `make up` tells of it."""

    def __init__(self, cloud_url: str, api_url: str) -> None:
        self.cloud = Cloud(cloud_url)
        self.outputs = {"ApiUrl": api_url, "BusName": "bus", "InboxBucket": "in box'", "OutboxBucket": "outbox"}
        self.seeded = Seeded(KEY, "ib_other", "whsec_x")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of a shell that names no account."""
    for name in (*ANOTHER, "BROKER_API_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    inner = tmp_path / "docs" / "deep"
    inner.mkdir(parents=True)
    (tmp_path / ".local").mkdir()
    monkeypatch.chdir(inner)
    return tmp_path


@pytest.fixture(scope="module")
def cloud() -> Iterator[str]:
    """AWS on the loopback interface, with a stack."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    Cloud(url).client("cloudformation").create_stack(StackName="inference-broker", TemplateBody=json.dumps(TEMPLATE))
    yield url
    server.stop()


@pytest.fixture
def api() -> Iterator[str]:
    with RestServer(Door()) as running:
        yield running.url


def test_the_stack_of_this_machine_is_found_from_the_folders_below(
    folder: Path, cloud: str, api: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = environment.write(Running(cloud, api), folder / ".local")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert main(["outputs"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["SecretsPrefix"] == "my-broker/"
    assert printed.err == f"broker: on the stack of this machine, {api}\n"
    assert main(["models"]) == 0
    assert "small" in capsys.readouterr().out
    environment.remove(folder / ".local")
    assert main(["--local", "models"]) == 3
    assert "make up" in capsys.readouterr().err


@pytest.mark.parametrize("name", ANOTHER)
def test_a_shell_that_names_an_account_is_not_taken_elsewhere(
    folder: Path, cloud: str, api: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    environment.write(Running(cloud, api), folder / ".local")
    monkeypatch.setenv(name, "http://127.0.0.1:9" if name.endswith(("_URL", "_URI")) else "another")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert main(["models"] if name == "BROKER_URL" else ["outputs"]) > 1
    assert "this machine" not in capsys.readouterr().err
    assert main(["--local", "outputs"]) == 0
    assert f"on the stack of this machine, {api}" in capsys.readouterr().err


def test_a_stack_that_is_named_is_not_looked_for_here(
    folder: Path, cloud: str, api: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.write(Running(cloud, api), folder / ".local")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert main(["--stack", "production", "outputs"]) > 1
    assert "this machine" not in capsys.readouterr().err


@pytest.mark.parametrize(("cloud_url", "api_url"), [("http://evil.example", ""), ("", "https://evil.example/v1")])
def test_a_file_that_leads_elsewhere_is_not_followed(
    folder: Path, capsys: pytest.CaptureFixture[str], cloud_url: str, api_url: str
) -> None:
    here = "http://127.0.0.1:9"
    environment.write(Running(cloud_url or here, api_url or here), folder / ".local")
    assert main(["outputs"]) == 3
    printed = capsys.readouterr()
    assert (printed.out, "not followed" in printed.err) == ("", True)


def test_a_file_is_read_and_never_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / ".local" / "env").write_text(f"touch {folder}/ran\nexport AWS_ENDPOINT_URL=$(touch {folder}/ran)\n")
    assert main(["outputs"]) == 3
    assert "not followed" in capsys.readouterr().err
    assert not (folder / "ran").exists()


def test_a_file_of_somebody_else_is_not_followed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.write(Running("http://127.0.0.1:9", "http://127.0.0.1:9"), folder / ".local")
    monkeypatch.setattr(os, "getuid", lambda: os.stat(folder).st_uid + 1)
    assert main(["outputs"]) == 3
    assert "not yours" in capsys.readouterr().err


def test_a_shell_takes_the_file_as_it_stands(folder: Path) -> None:
    stack = Running("http://127.0.0.1:4566", "http://127.0.0.1:4566/v1")
    file = environment.write(stack, folder / ".local")
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    taken = subprocess.run(  # noqa: S603 - our own
        ["sh", "-c", f'. "{file}"; exec "{sys.executable}" -c \'{code}\''],  # noqa: S607
        capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    known: dict[str, Any] = json.loads(taken.stdout)
    told = environment.variables(stack)
    assert {name: known[name] for name in told} == told
    assert told["BROKER_INBOX"] == "in box'"


def test_all_that_a_newcomer_needs_is_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stack = Running("http://127.0.0.1:4566", "http://127.0.0.1:4566/v1")
    tell(stack)  # type: ignore[arg-type]
    shown = capsys.readouterr().out
    assert all(f"{name}  " in shown and value in shown for name, value in environment.variables(stack).items()
               if name.startswith("BROKER_"))  # fmt: skip
    assert "whsec_x" in shown and "ib_other" in shown and "bus" in shown and "in box'" in shown
