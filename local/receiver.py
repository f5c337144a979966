"""A webhook receiver on the loopback interface: keeps what arrives, and fails on order."""

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Received:
    """One POST as it arrived; header names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Receiver:
    """Use as a context manager; `answers` are the statuses of the next POSTs, then 204 for ever."""

    answers: list[int] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None
    _arrived: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        """Where to send to."""
        assert self._server is not None, "the receiver is not listening"  # noqa: S101 - a caller's mistake
        return f"http://127.0.0.1:{self._server.server_address[1]}/hooks"

    def __enter__(self) -> Self:
        """Listen on a free port."""
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status = owner._note(Received(self.path, headers, body))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *arguments: Any) -> None:
                """Stay silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()

    def _note(self, received: Received) -> int:
        with self._arrived:
            self.received.append(received)
            self._arrived.notify_all()
            return self.answers.pop(0) if self.answers else 204

    def wait(self, count: int = 1, seconds: float = 30, *, path: str | None = None) -> list[Received]:
        """What arrived (at `path`), once there are so many; fewer when the time is over."""

        def matching() -> list[Received]:
            return [each for each in self.received if path in (None, each.path)]

        with self._arrived:
            self._arrived.wait_for(lambda: len(matching()) >= count, timeout=seconds)
            return matching()
