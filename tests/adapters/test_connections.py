"""API Gateway's `@connections` as botocore calls it: one attempt, soon, and what is gone is told from what failed."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import pytest
from broker.cloud import clients
from broker.cloud.connections import SocketGateway
from broker.push.telling import ConnectionGone

ID = "L0SM9cOFvHcCIhw="
"""As API Gateway makes them."""


class Answering(BaseHTTPRequestHandler):
    """Answers as the path says, and keeps what it was asked."""

    asked: list[tuple[str, str, bytes]]

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.asked.append((self.command, unquote(self.path), body))
        assert self.headers["authorization"].startswith("AWS4-HMAC-SHA256")
        status = int(self.path.split("/")[1])
        if status == 999:
            time.sleep(0.5)
        self.send_response(200 if status == 999 else status)
        kinds = {410: "GoneException", 429: "LimitExceededException", 403: "ForbiddenException"}
        if status in kinds:
            self.send_header("x-amzn-errortype", kinds[status])
        self.send_header("content-length", "0")
        self.end_headers()

    do_POST = do_DELETE = _answer

    def log_message(self, *given: Any) -> None:
        """Keep the tests' output clean."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    clients.of_connections.cache_clear()
    Answering.asked = []
    made = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()
    clients.of_connections.cache_clear()


def gateway(server: ThreadingHTTPServer, status: int) -> SocketGateway:
    return SocketGateway(f"http://127.0.0.1:{server.server_port}/{status}")


def test_a_message_is_sent_as_it_is(server: ThreadingHTTPServer) -> None:
    gateway(server, 200).post(ID, '{"text":"ü"}')
    assert Answering.asked == [("POST", f"/200/@connections/{ID}", '{"text":"ü"}'.encode())]


def test_a_connection_that_is_gone_is_told_from_other_trouble(server: ThreadingHTTPServer) -> None:
    with pytest.raises(ConnectionGone):
        gateway(server, 410).post(ID, "x")
    gateway(server, 410).close(ID)


@pytest.mark.parametrize("status", [403, 429, 500, 503])
def test_nothing_is_tried_twice(server: ThreadingHTTPServer, status: int) -> None:
    with pytest.raises(Exception) as error:
        gateway(server, status).post(ID, "x")
    assert not isinstance(error.value, ConnectionGone)
    assert len(Answering.asked) == 1
    with pytest.raises(Exception, match=r".+"):
        gateway(server, status).close(ID)
    assert [each[0] for each in Answering.asked] == ["POST", "DELETE"]


def test_an_answer_that_is_late_is_none(server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "SOON_S", 0.1)
    with pytest.raises(Exception, match="Read timeout"):
        gateway(server, 999).post(ID, "x")
    assert len(Answering.asked) == 1
