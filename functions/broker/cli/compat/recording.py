"""A proxy on the loopback interface: a program's calls go to the stack, with the broker's key, and are noted."""

import hmac
import json
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import urllib3

from broker.cli.compat.call import FAILED, REFUSED, WORKS, Cost, Outcome, json_of
from broker.cli.compat.trace import VERSION, path_of
from broker.errors import BrokerError

TIMEOUT_S = 40

HOP = {"host", "authorization", "x-api-key", "content-length", "connection", "accept-encoding", "transfer-encoding"}
"""Headers of a call that are not handed on."""

BACK = {"content-length", "connection", "transfer-encoding", "content-encoding", "date", "server"}
"""The same of a reply."""


@dataclass
class Recorder:
    """Use as a context manager."""

    base_url: str
    """Of the stack's API, with its version."""
    key: str
    route_of: Callable[[str, str], str | None]
    """The resource of a method and a path; None where no route has them."""
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    """What a program has as its key, so that nobody else of the machine calls with ours."""
    outcomes: list[Outcome] = field(default_factory=list)
    jobs: list[tuple[int, str]] = field(default_factory=list)
    """Which call made, or found, which job."""

    def __enter__(self) -> Self:
        self._pool = urllib3.PoolManager(retries=False)
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def environment(self) -> dict[str, str]:
        """What leads clients' packages here."""
        own = {"OPENAI_BASE_URL": f"{self.url}{VERSION}", "OPENAI_API_KEY": self.token}
        return own | {"ANTHROPIC_BASE_URL": self.url, "ANTHROPIC_API_KEY": self.token}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = _body_of(self)
                headers = {name.lower(): value for name, value in self.headers.items()}
                status, told, content = owner._answered(self.command, self.path, headers, body)
                self.send_response(status)
                for name, value in told.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = do_HEAD = answer

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        return Handler

    def _answered(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        given = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            return 401, {"content-type": "application/json"}, _error("This is no key of this recording.")
        path = path_of(target)
        if path is None:
            return 404, {"content-type": "application/json"}, _error(f"Paths begin with {VERSION} here.")
        query = target.partition("?")[2]
        url = f"{self.base_url}{path}" + (f"?{query}" if query else "")
        sent = {name: value for name, value in headers.items() if name not in HOP}
        try:
            reply = self._pool.request(
                method,
                url,
                body=body or None,
                headers=sent | {"authorization": f"Bearer {self.key}"},
                timeout=TIMEOUT_S,
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            self._note(method, path, 502, {}, None)
            return 502, {"content-type": "application/json"}, _error(f"The stack does not answer: {error}")
        told = {name.lower(): value for name, value in reply.headers.items() if name.lower() not in BACK}
        self._note(method, path, reply.status, told, json_of(reply.data))
        return reply.status, told, reply.data

    def _note(self, method: str, path: str, status: int, headers: dict[str, str], body: Any) -> None:
        resource = self.route_of(method, path)
        error = body.get("error") if isinstance(body, dict) else None
        message = str(error.get("message", "")) if isinstance(error, dict) else ""
        result = WORKS if status < 400 else REFUSED if status < 500 and status not in (401, 409, 429) else FAILED
        why = "" if result == WORKS else message or f"the stack answered {status}"
        location = headers.get("location", "")
        with self._lock:
            if method == "POST" and "/jobs/" in location:
                self.jobs.append((len(self.outcomes), location.rpartition("/")[2]))
            self.outcomes.append(Outcome(f"{method} {resource or path}", result, why))

    def priced(self, job: Callable[[str], Any]) -> list[Outcome]:
        """The outcomes with what their jobs cost; `job` gives a job's view by its id."""
        found = list(self.outcomes)
        for number, job_id in self.jobs:
            try:
                seen = job(job_id)
            except BrokerError:  # it was deleted meanwhile
                continue
            if seen["model"]:
                cost = seen["usage"]["cost_usd"]
                known = found[number]
                found[number] = Outcome(known.route, known.result, known.why, Cost(seen["model"], cost, cost))
        return found


def _body_of(call: BaseHTTPRequestHandler) -> bytes:
    """All that a client sends, also in chunks, as Node's `fetch` sends a form (RFC 9112, section 7.1)."""
    if call.headers.get("transfer-encoding", "").lower() != "chunked":
        return call.rfile.read(int(call.headers.get("content-length") or 0))
    pieces = []
    while size := int(call.rfile.readline().partition(b";")[0], 16):
        pieces.append(call.rfile.read(size))
        call.rfile.readline()
    while call.rfile.readline().strip():  # trailers
        pass
    return b"".join(pieces)


def _error(message: str) -> bytes:
    return json.dumps({"error": {"type": "compat", "code": "compat", "message": message, "param": None}}).encode()
