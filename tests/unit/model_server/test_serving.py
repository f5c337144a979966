"""The local model server as a server: what it turns away, what it records, how it starts and stops."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.unit.model_server.conftest import DOCUMENT, Client, Format, ask


@pytest.mark.parametrize("header", ["Authorization", "x-api-key", "x-goog-api-key"])
def test_a_wrong_key_is_turned_away_and_any_other_taken(client: Client, form: Format, header: str) -> None:
    path, body, headers = form.request("hi")
    prefix = "Bearer " if header == "Authorization" else ""
    status, _, data = client.call(path, body, headers | {header: f"{prefix}sk-wrong"})
    assert (status, "error" in json.loads(data)) == (401, True)
    assert client.call(path, body, headers | {header: f"{prefix}sk-any"})[0] == 200


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/chat/completions", [], 400),
        ("/v1/chat/completions", {"model": "small"}, 400),
        ("/v1/chat/completions", {"messages": []}, 400),
        ("/v1/chat/completions", {"model": "small", "messages": "hi"}, 400),
        ("/v1/chat/completions", {"model": "small", "messages": [{}], "stream": True}, 400),
        ("/v1/chat/completions", {"model": "small", "messages": [{}], "max_tokens": 0}, 400),
        ("/v1/chat/completions", {"model": "small", "messages": [{}], "tool_choice": "required"}, 400),
        ("/v1/messages", {"model": "small", "messages": [{}], "max_tokens": 5}, 400),
        ("/v1beta/models/small:generateContent", {}, 400),
        ("/v1/embeddings", {"model": "embed", "input": [""]}, 400),
        ("/v1/nothing", {}, 404),
        ("/v1/chat/completions", {"model": "small", "messages": [{"content": "x" * 7_000_000}]}, 413),
    ],
)
def test_what_is_wrong_is_said(client: Client, path: str, body: object, status: int) -> None:
    if status == 413:  # it is refused by its length, before it is read
        client.http.putrequest("POST", path)
        client.http.putheader("Content-Length", str(7_000_000))
        client.http.endheaders()
        assert client.http.getresponse().status == status
        return
    got, _, data = client.call(path, body)
    assert (got, bool(json.loads(data)["error"]["message"])) == (status, True)


def test_an_error_leaves_the_connection_usable(client: Client) -> None:
    path, body, headers = Format("openai").request("hi", "small!500")
    client.call(path, body, headers)
    opened = client.http.sock
    assert client.call(path, body, headers)[0] == 500
    assert client.http.sock is opened is not None
    assert client.call(path, None, method="GET")[0] == 405


def test_calls_are_listed_without_their_texts_and_cleared(client: Client) -> None:
    for model in ("small", "small!503"):
        path, body, headers = Format("gemini").request("a secret", model)
        client.call(path, body, headers)
    report = client.get("/_calls")
    assert report["total"] == 2
    assert report["by_model"] == {"small": 1, "small!503": 1}
    assert report["by_status"] == {"200": 1, "503": 1}
    assert set(report["calls"][0]) == {"model", "path", "status", "at"}
    assert "secret" not in json.dumps(report)
    client.json("/_calls", method="DELETE")
    assert client.get("/_calls")["calls"] == []


def test_a_hundred_clients_at_once_and_a_large_body(connect: Callable[..., Client]) -> None:
    path, body, headers = Format("openai").request("hi", "small!latency=0.2,echo")

    def status(_: int) -> int:
        return connect().call(path, body, headers)[0]

    with ThreadPoolExecutor(100) as pool:
        assert set(pool.map(status, range(100))) == {200}
    large = f"Summarize:\n\n{DOCUMENT} " + "word " * 1_000_000
    assert "serverless queue" in ask(connect(), large)


def test_the_command_says_where_it_listens_and_stops_on_sigterm() -> None:
    command = [sys.executable, "-m", "local.model_server", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout and process.stderr
        url = json.loads(process.stdout.readline())["url"]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
        client = Client(url)
        assert ask(client, "What colour is the sky? The sky is blue.") == "The sky is blue."
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.stderr.read() == ""
        client.http.close()


def test_it_never_listens_to_the_network() -> None:
    command = [sys.executable, "-m", "local.model_server", "--host", "0.0.0.0"]  # noqa: S104
    refused = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert refused.returncode == 2 and "loopback" in refused.stderr
