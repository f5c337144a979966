"""`broker compat`: recorded calls held against the stack, and a program whose calls are noted on their way."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from broker.cli import main
from broker.cli.compat.recording import Recorder
from broker.jobs.store import REQUEST

from tests.fakes.world import a_model
from tests.unit.doors.case import KEYS, Server, a_door, says, sent
from tests.unit.rest_door import Door

CHAT = {"model": "gpt-5", "messages": [{"role": "user", "content": "Hello"}]}
OURS = next(iter(KEYS))


@pytest.fixture
def door() -> Door:
    made = a_door(says("Hello to you"))
    made.world.register(a_model("small", capabilities=["json", "tools"]), a_model("vectors", tasks=["embed"]))
    return made


@pytest.fixture
def server(door: Door, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server(door) as running:
        monkeypatch.setenv("BROKER_URL", running.url)
        monkeypatch.setenv("BROKER_API_KEY", OURS)
        yield running


def line(method: str, path: str, body: Any = None, **headers: str) -> str:
    return json.dumps({"method": method, "path": path, "headers": headers, "body": body})


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    status = main(["compat", *arguments])
    told = capsys.readouterr()
    return status, told.out or told.err


def report(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    way, *rest = arguments
    status, told = run(capsys, way, "--json", *rest)
    return status, json.loads(told.partition("\nthe command")[0])


def test_recorded_calls_are_held_against_the_stack(
    server: Server, door: Door, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = tmp_path / "trace.jsonl"
    calls = [
        line("POST", "https://api.openai.com/v1/chat/completions", CHAT),
        line("POST", "/openai/v1/chat/completions", json.dumps(CHAT | {"temperature": 0})),
        line("POST", "/v1/chat/completions", CHAT | {"n": 3}),
        line("POST", "/v1/chat/completions", CHAT | {"model": "nobody"}),
        line("POST", "/v1/embeddings", {"model": "vectors", "input": "Hello"}),
        line("POST", "/v1/assistants", {"model": "gpt-5"}),
        line("GET", "/v1/models/small?x=1"),
        line("GET", "/v1/nothing"),
        line("GET", "/health"),
    ]
    trace.write_text("\n".join(calls))
    status, told = report(capsys, "trace", str(trace), "--model", "gpt-5=small")
    assert status == 1, "not all of them work"
    found = {(each["route"], each["result"]): (each["count"], each["why"]) for each in told["calls"]}
    chats = [each for each in told["calls"] if each["route"] == "POST /chat/completions"]
    assert [(each["result"], each["count"]) for each in chats] == [("works", 2), ("refused", 1), ("refused", 1)]
    assert [each["why"] for each in chats if each["result"] == "refused"] == [
        "n: only 1 is supported",
        "There is no model 'nobody'. (model)",
    ]
    assert found["POST /embeddings", "works"] == (1, "")
    assert found["GET /models/{id}", "works"] == (1, "")
    assert found["GET /nothing", "refused"] == (1, "there is no such route")
    assert "assistants" in found["POST /assistants", "refused"][1]
    assert [(each["model"], each["count"]) for each in told["models"]] == [("small", 2), ("vectors", 1)]
    assert all(0 < each["expected_cost_usd"] <= each["worst_cost_usd"] for each in told["models"])
    assert sent(door) == [], "nothing is run"
    assert {called.split()[1] for called in server.asked} == {"/estimates"}


def test_a_har_file_is_read(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def entry(method: str, url: str, **sent: Any) -> dict[str, Any]:
        headers = [{"name": "Anthropic-Version", "value": "2023-06-01"}]
        return {"request": {"method": method, "url": url, "headers": headers, **({"postData": sent} if sent else {})}}

    message = {"model": "small", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}
    form = {"mimeType": "multipart/form-data; boundary=x", "text": "--x"}
    entries = [
        entry(
            "POST",
            "https://api.anthropic.com/v1/messages?beta=true",
            mimeType="application/json",
            text=json.dumps(message),
        ),
        entry("OPTIONS", "https://api.anthropic.com/v1/messages"),
        entry("POST", "https://api.openai.com/v1/audio/transcriptions", **form),
        entry("GET", "https://example.com/logo.png"),
        entry("POST", "https://api.anthropic.com/v1/skills", mimeType="application/json", text="{}"),
    ]
    (tmp_path / "a.har").write_text(json.dumps({"log": {"version": "1.2", "entries": entries}}))
    _, told = run(capsys, "trace", str(tmp_path / "a.har"))
    assert "1  works     POST /messages" in told
    assert "POST /audio/transcriptions: a form, which was not looked at" in told
    assert "refused   POST /skills: not supported here (code that runs at Anthropic)" in told
    assert told.strip().endswith("2 of 3 calls work")


@pytest.mark.parametrize("bad", ["[1, 2]", '{"method": "GET"}', "{not json", '"GET /v1/models"'])
def test_what_is_no_trace_is_told_by_its_line(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], bad: str
) -> None:
    (tmp_path / "trace").write_text(line("GET", "/v1/models") + "\n" + bad)
    status, told = run(capsys, "trace", str(tmp_path / "trace"))
    assert (status, "Line 2" in told) == (3, True)


@pytest.mark.parametrize(
    "log",
    [
        "all of it",
        {"entries": {}},
        {"entries": [{}]},
        {"entries": [{"request": None}]},
        {"entries": [{"request": {"method": "GET", "url": 7}}]},
        {"entries": [{"request": {"method": "GET", "url": "/v1/models", "headers": [{"name": "a"}]}}]},
        {"entries": [{"request": {"method": "POST", "url": "/v1/x", "postData": {"text": "a", "encoding": "base64"}}}]},
    ],
)
def test_what_is_no_har_file_is_told_by_its_entry(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str], log: Any
) -> None:
    (tmp_path / "a.har").write_text(json.dumps({"log": log}))
    status, told = run(capsys, "trace", str(tmp_path / "a.har"))
    assert status == 3
    assert told.startswith(("broker: The HAR file has no list", "broker: Entry 0 is no call"))


PROGRAM = """
import openai, os
client = openai.OpenAI(max_retries=0)
assert os.environ["OPENAI_API_KEY"] != "ib_acme"
ask = {"model": "small", "messages": [{"role": "user", "content": "Hello"}]}
print(client.chat.completions.create(**ask).choices[0].message.content)
for call in (lambda: client.chat.completions.create(**ask, n=3), lambda: client.models.retrieve("none")):
    try:
        call()
    except openai.APIStatusError as error:
        print(error.status_code)
"""


def test_a_programs_calls_are_noted_and_priced(
    server: Server, door: Door, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    status = main(["compat", "run", "--", sys.executable, str(tmp_path / "program.py")])
    told = capfd.readouterr().out
    assert status == 1, "two of its calls did not work"
    assert told.startswith("Hello to you\n400\n404\n")
    assert "1  works     POST /chat/completions" in told
    assert "1  refused   POST /chat/completions: n: only 1 is supported" in told
    assert "1  refused   GET /models/{id}: " in told
    assert "1  small: " in told
    assert told.strip().endswith("1 of 3 calls work")
    (head,) = sent(door)
    assert (door.world.payloads.load(head.id, REQUEST) or {})["input"]["messages"][0]["content"] == "Hello"


def test_a_command_that_fails_or_is_missing_is_told(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["compat", "run", "--", sys.executable, "-c", "raise SystemExit(3)"]) == 1
    assert "the command ended with status 3" in capfd.readouterr().out
    assert main(["compat", "run", "no-such-command-here"]) == 3
    assert main(["compat", "run"]) == 3


def test_nobody_else_calls_with_the_brokers_key(server: Server) -> None:
    import urllib3

    with Recorder(server.url, OURS, lambda method, path: path) as recorder:
        pool = urllib3.PoolManager()
        for headers in ({}, {"authorization": f"Bearer {OURS}"}, {"x-api-key": "ü".encode().decode("latin-1")}):
            assert pool.request("GET", f"{recorder.url}/v1/models", headers=headers).status == 401
        own = {"authorization": f"Bearer {recorder.token}"}
        assert pool.request("GET", f"{recorder.url}/v1/models", headers=own).status == 200
        assert pool.request("GET", f"{recorder.url}/elsewhere", headers=own).status == 404
        assert len(server.asked) == 1


def test_a_body_in_chunks_comes_whole(server: Server, door: Door) -> None:
    import http.client

    with Recorder(server.url, OURS, lambda method, path: path) as recorder:
        connection = http.client.HTTPConnection(recorder.url.removeprefix("http://"))
        ask = json.dumps({"model": "small", "messages": [{"role": "user", "content": "Hello"}]}).encode()
        headers = {"authorization": f"Bearer {recorder.token}", "transfer-encoding": "chunked"}
        pieces = (ask[:9], ask[9:])
        connection.request("POST", "/v1/chat/completions", pieces, headers, encode_chunked=True)
        assert connection.getresponse().status == 200
        connection.close()
    assert [(each.route, each.result) for each in recorder.outcomes] == [("POST /chat/completions", "works")]
