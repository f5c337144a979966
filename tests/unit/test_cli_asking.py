"""`broker submit`, `get`, `wait`, `cancel`, `jobs`, `prompts` and `models`, against the REST door itself."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from broker.cli import main
from broker.jobs.head import Status
from broker.jobs.store import REQUEST
from broker.registry.applying import apply
from broker.registry.document import parse_registry

from tests.fakes.world import JOB_ID, NOW, a_head
from tests.unit.prompts_case import SMALL
from tests.unit.rest_door import Door
from tests.unit.rest_server import KEY, RestServer

PROMPT = {"id": "shorten", "description": "Shortens.", "variables": {"text": {"type": "string"}}, "user": "{{text}}"}
ERROR = {"type": "unavailable", "code": "http_503", "message": "The provider could not answer."}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[RestServer]:
    """The API, and a shell that knows of it."""
    door = Door()
    apply(door.world.registry(), parse_registry({"models": [SMALL], "prompts": [PROMPT]}), by="ops", now=NOW)
    with RestServer(door) as running:
        running.door = door  # type: ignore[attr-defined]
        monkeypatch.setenv("BROKER_URL", running.url)
        monkeypatch.setenv("BROKER_API_KEY", KEY)
        yield running


@pytest.fixture
def door(server: Any) -> Door:
    found: Door = server.door
    return found


def ended(door: Door, status: Status = Status.SUCCEEDED, text: str = "Fine.", **changes: Any) -> None:
    output = "OUTPUT#1.1" if status is Status.SUCCEEDED else None
    facts = {
        "status": status,
        "run": 1,
        "started_at": NOW,
        "ended_at": NOW,
        "due_at": None,
        "output": output,
        **changes,
    }
    head = door.world.put(replace(a_head(), **facts))
    if output:
        door.world.payloads.save(head, output, {"text": text})


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 0, capsys.readouterr()
    return capsys.readouterr().out


def test_a_text_is_submitted_as_a_chat(server: RestServer, door: Door, capsys: pytest.CaptureFixture[str]) -> None:
    job = json.loads(run(capsys, "submit", "How are you?", "--model", "small", "--idempotency-key", "k-1"))
    assert (job["status"], job["task"], job["model"]) == ("queued", "chat", "small")
    again = json.loads(run(capsys, "submit", "How are you?", "--model", "small", "--idempotency-key", "k-1"))
    assert again["id"] == job["id"]
    assert len(door.world.queue.sent) == 1


def test_a_request_is_taken_from_a_file_or_from_standard_input(
    server: RestServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    body = {"input": "How are you?", "metadata": {"order": "17"}}
    (tmp_path / "job.json").write_text(json.dumps(body))
    assert json.loads(run(capsys, "submit", "--body", str(tmp_path / "job.json")))["metadata"] == {"order": "17"}
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(body)))
    assert json.loads(run(capsys, "submit", "--body", "-"))["metadata"] == {"order": "17"}


@pytest.mark.parametrize("value", ["A lamp.", "@{}", '"A lamp."'])
def test_a_prompt_is_run_by_its_variables(
    server: RestServer, door: Door, tmp_path: Path, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    (tmp_path / "text.txt").write_text("A lamp.")
    given = f"text={value.format(tmp_path / 'text.txt')}"
    job = json.loads(run(capsys, "submit", "--prompt", "shorten", "--set", given))
    assert job["prompt"]["id"] == "shorten"
    kept = door.world.payloads.load(job["id"], REQUEST)
    assert "A lamp." in json.dumps(kept)


def test_a_job_is_shown_and_its_answer_alone(
    server: RestServer, door: Door, capsys: pytest.CaptureFixture[str]
) -> None:
    ended(door)
    assert json.loads(run(capsys, "get", JOB_ID))["output"] == {"text": "Fine."}
    assert run(capsys, "get", JOB_ID, "--text") == "Fine.\n"
    assert run(capsys, "wait", JOB_ID, "--text") == "Fine.\n"
    run(capsys, "get", JOB_ID, "--route")
    assert server.asked[-1][1].endswith("?include=route")
    assert json.loads(run(capsys, "get", JOB_ID, "--queue", "--route"))["queue"] is None, "it has ended"


def test_an_answer_does_nothing_on_the_terminal(
    server: RestServer, door: Door, capsys: pytest.CaptureFixture[str]
) -> None:
    ended(door, text="\x1b[2J\u202eevil")
    assert "\x1b" not in run(capsys, "get", JOB_ID, "--text")
    shown = run(capsys, "get", JOB_ID)
    assert "\x1b" not in shown and "\u202e" not in shown
    assert json.loads(shown)["output"]["text"] == "\x1b[2J\u202eevil"


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELED])
def test_the_exit_status_says_whether_it_succeeded(
    server: RestServer, door: Door, capsys: pytest.CaptureFixture[str], status: Status
) -> None:
    ended(door, status, error=ERROR if status is Status.FAILED else None)
    assert main(["wait", JOB_ID]) == 1
    assert json.loads(capsys.readouterr().out)["status"] == status
    assert main(["wait", JOB_ID, "--text"]) == 1
    assert f"{JOB_ID} is {status.value}" in capsys.readouterr().out


def test_waiting_ends_when_its_time_is_over(server: RestServer, door: Door, capsys: pytest.CaptureFixture[str]) -> None:
    door.world.put(a_head())
    assert main(["wait", JOB_ID, "--seconds", "0"]) == 9
    assert json.loads(capsys.readouterr().out)["status"] == "queued"


def test_a_job_is_canceled_once(server: RestServer, door: Door, capsys: pytest.CaptureFixture[str]) -> None:
    job = json.loads(run(capsys, "submit", "How are you?"))
    assert json.loads(run(capsys, "cancel", job["id"]))["status"] == "canceled"
    assert main(["cancel", job["id"]]) == 6
    printed = capsys.readouterr()
    assert printed.out == "" and [line[:7] for line in printed.err.splitlines()] == ["broker:", "  next:"]


def test_lists_have_a_line_each_and_follow_the_pages(
    server: RestServer, door: Door, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = [json.loads(run(capsys, "submit", f"Number {number}"))["id"] for number in range(3)]
    lines = run(capsys, "jobs").splitlines()
    assert [line.split()[0] for line in lines] == ids[::-1]
    assert len(run(capsys, "jobs", "--limit", "2").splitlines()) == 2
    assert run(capsys, "jobs", "--status", "failed") == ""
    assert run(capsys, "prompts").splitlines() == ["shorten  version 1  Shortens.", "    text: string, needed"]
    assert [line.split()[0] for line in run(capsys, "models").splitlines()] == ["large", "small"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["get", "job_none"], "There is no such job. (id)"),
        (["submit", "Hi", "--model", "none"], "(model)"),
        (["get", "../models"], "(id)"),
        (["submit", "--body", str(Path(__file__))], "is not JSON"),
        (["submit", "--body", "{list}", "--model", "small"], "is no JSON object"),
        (["submit"], "There is nothing to do"),
        (["submit", "--prompt", "shorten", "--set", "text"], "write NAME=VALUE"),
        (["submit", "--prompt", "shorten"], "(prompt.variables.text)"),
        (["submit", "--body", "/no/such/file"], "No such file"),
    ],
)
def test_a_fault_is_a_line_that_says_what_is_wrong(
    server: RestServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    (tmp_path / "list.json").write_text("[1]")
    assert main([each.format(list=tmp_path / "list.json") for each in arguments]) in (3, 5)
    printed = capsys.readouterr()
    assert printed.out == ""
    first, *more = printed.err.splitlines()
    assert first.startswith("broker: ") and said in first
    assert [line[:8] for line in more] in ([], ["  next: "]), "what the API refuses has a next step"


def test_without_a_key_or_with_another_nothing_is_shown(
    server: RestServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BROKER_API_KEY", "ib_another")
    assert main(["models"]) == 4
    assert "No." in capsys.readouterr().err
    monkeypatch.delenv("BROKER_API_KEY")
    assert main(["models"]) == 4
    assert "BROKER_API_KEY" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["http://broker.example.com/v1", "ftp://broker.example.com"])
def test_a_key_is_sent_over_networks_encrypted_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    monkeypatch.setenv("BROKER_URL", url)
    monkeypatch.setenv("BROKER_API_KEY", KEY)
    assert main(["models"]) == 3
    assert "no key is sent there" in capsys.readouterr().err


def test_an_api_that_is_not_there_is_one_line(
    server: RestServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BROKER_URL", "http://127.0.0.1:9")
    assert main(["models"]) == 8
    assert capsys.readouterr().err.count("\n") == 1
