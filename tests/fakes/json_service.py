"""An AWS service on the loopback interface that answers by a script, whatever it is asked."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from botocore.config import Config
from botocore.credentials import Credentials
from botocore.session import get_session

KEYS = Credentials("AKIDEXAMPLE", "secret", "token")
REGION = "eu-central-1"


@dataclass(frozen=True)
class Answer:
    """One reply; without a status the connection is closed."""

    status: int | None = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    hang_s: float = 0


@dataclass
class JsonService:
    """What it will answer (then always `{}`), and what it was asked: path, headers in lower case, body."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def client(self, service: str, verify: str | None = None, **config: Any) -> Any:
        """A client of botocore for it, that tries three times."""
        retries = {"mode": "standard", "total_max_attempts": 3}
        return get_session().create_client(
            service,
            REGION,
            endpoint_url=self.url,
            verify=verify,
            config=Config(retries=retries, user_agent="broker", parameter_validation=False, **config),
            aws_access_key_id=KEYS.access_key,
            aws_secret_access_key=KEYS.secret_key,
            aws_session_token=KEYS.token,
        )


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[JsonService]:
    """Serve, while it lasts."""
    made, closing = JsonService(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            made.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            answer = made.answers.pop(0) if made.answers else Answer()
            closing.wait(answer.hang_s)
            if answer.status is None:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in {**answer.headers, "content-length": str(len(answer.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that does not trust the server leaves."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    made.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
