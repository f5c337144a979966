"""A provider on the loopback interface that answers by a script, for tests of the wire formats."""

import json
import ssl
import threading
import traceback
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from broker.errors import BrokerError
from broker.providers import lookup
from broker.providers.wire.base import Call

DRIP_S = 0.05

WORDS = "PROVIDER-TEXT that quotes: what is my diagnosis?"
"""What a provider says in an error; `failed` looks for it, for the key and for the prompt."""


@dataclass(frozen=True)
class Script:
    """One answer. `how`: whole, hang, cut (before the status), cut_body, drip_head, drip_body or drip_chunk."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    how: str = "whole"

    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Asked:
    """One request that arrived; header names in lower case, and bytes where it was not JSON."""

    path: str
    headers: dict[str, str]
    body: Any


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "_Server"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = json.loads(content) if headers.get("content-type") == "application/json" else content
        self.server.asked.append(Asked(self.path, headers, body))
        script = self.server.next()
        getattr(self, f"_{script.how}")(script)

    def _whole(self, script: Script) -> None:
        content = script.content()
        self._head(script, {"content-length": str(len(content))})
        self.wfile.write(content)

    def _head(self, script: Script, more: dict[str, str]) -> None:
        self.send_response(script.status)
        for name, value in {**script.headers, **more}.items():
            self.send_header(name, value)
        self.end_headers()

    def _hang(self, script: Script) -> None:
        self.server.closing.wait(60)
        self.close_connection = True

    def _cut(self, script: Script) -> None:
        self.close_connection = True

    def _cut_body(self, script: Script) -> None:
        content = script.content()
        self._head(script, {"content-length": str(len(content) + 100)})
        self.wfile.write(content)
        self.close_connection = True

    def _drip_head(self, script: Script) -> None:
        self._drip(b"HTTP/1.1 200 OK\r\nx-slow: " + b"x" * 2000)

    def _drip_body(self, script: Script) -> None:
        self._head(script, {"content-length": "2000"})
        self._drip(b" " * 2000)

    def _drip_chunk(self, script: Script) -> None:
        self._head(script, {"transfer-encoding": "chunked"})
        self._drip(b"1\r\n \r\n" * 400)

    def _drip(self, content: bytes) -> None:
        self.close_connection = True
        for place in range(len(content)):
            if self.server.closing.wait(DRIP_S):
                return
            self.wfile.write(content[place : place + 1])


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        self.closing = threading.Event()
        self.scripts = [Script()]
        self.asked: list[Asked] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    def next(self) -> Script:
        """What comes next; the last comes again and again."""
        return self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has left is what some tests are about."""


class ProviderServer:
    """Runs while the `with` block does; `answer` sets what comes next."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._server = _Server()
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "ProviderServer":
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def asked(self) -> list[Asked]:
        return self._server.asked

    def answer(self, *scripts: Script) -> None:
        self._server.asked = []
        self._server.scripts = list(scripts)


def failed(server: ProviderServer, provider: str, made: Call, script: Script, asked: int = 1) -> BrokerError:
    """The error of a call with the key `sk-the-key` for "A lamp", which tells neither these nor `WORDS`."""
    server.answer(script)
    with pytest.raises(BrokerError) as caught:
        lookup(provider).invoke(made)
    assert len(server.asked) == asked
    shown = "".join(traceback.format_exception(caught.value)) + caught.value.cause()
    assert not any(secret in shown for secret in ("sk-the-key", "PROVIDER-TEXT", "diagnosis", "A lamp"))
    return caught.value
