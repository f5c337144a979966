"""The HTTP server: routes, keys, orders about the connection, and the reply."""

import contextlib
import hashlib
import json
import math
import selectors
import socket
import socketserver
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from local.model_server import bodies, misbehaviour
from local.model_server.calls import Calls, CallSeen
from local.model_server.exchange import STATUS, Binary, Json, OddReply, Orders, Problem, Reply, Request
from local.model_server.formats import gemini, openai, openai_more
from local.model_server.rates import Rates
from local.model_server.routes import Endpoint, find
from local.model_server.work import Gone, TooLate, TooMuch, Work

_MOST_BYTES = 6 * 1024 * 1024
_HANG_SECONDS = 120.0
_KEEP_ALIVE_SECONDS = 300
_KEY_HEADERS = ("x-api-key", "x-goog-api-key", "ocp-apim-subscription-key")
_WRONG_KEY = "sk-wrong"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = _KEEP_ALIVE_SECONDS
    server: "_Server"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: an address may hold a key, and the calls are listed at ``/_calls``."""

    def do_GET(self) -> None:
        """Serve what can be looked up."""
        if self.path == "/_calls":
            self._send(200, self.server.calls.report())
        else:
            self._serve(self._look_up)

    def do_DELETE(self) -> None:
        """Forget the calls."""
        if self.path == "/_calls":
            self.server.calls.clear()
            self.server.failures.clear()
            self.server.rates.clear()
            self._send(200, {"cleared": True})
        else:
            self._serve(self._look_up)

    def do_POST(self) -> None:
        """Serve what a model does."""
        self._serve(self._post)

    def _serve(self, work: Callable[["_Exchange"], Reply]) -> None:
        """Do the work and send what comes of it; the call's status is on record before the reply leaves."""
        path = unquote(urlsplit(self.path).path)
        exchange = _Exchange(path, self.server.calls.begin(path), *find(path))
        wire = exchange.endpoint.wire if exchange.endpoint else gemini if path.startswith("/v1beta") else openai
        request_id = f"req_{uuid.uuid4().hex}"
        problem: Problem | None = None
        try:
            body = work(exchange)
        except Gone:
            self.close_connection = True
            return
        except Problem as raised:
            problem = raised
        except TooMuch as error:
            problem = Problem("invalid", str(error))
        except TooLate as error:
            problem = Problem("unavailable", str(error))
        except (
            Exception
        ) as unforeseen:  # answered as a provider would; its message may hold a prompt, so only its place
            place = traceback.extract_tb(unforeseen.__traceback__)[-1]
            print(f"{type(unforeseen).__name__} at {place.filename}:{place.lineno}", file=sys.stderr, flush=True)
            problem = Problem("server")
        if problem:
            body = wire.error(problem, request_id)
        headers = wire.headers(problem, request_id) | exchange.limits
        if problem and problem.retry_after is not None:
            headers["retry-after"] = str(math.ceil(problem.retry_after))
        status = STATUS[problem.kind] if problem else 200
        if isinstance(body, OddReply):
            status, body = body.status, body.body
        exchange.call.status = status
        self._send(status, body, headers, exchange.orders)

    def _look_up(self, exchange: "_Exchange") -> Json:
        self._body()
        if self.command == "GET" and exchange.path == "/v1/models":
            self._check_key()
            return openai_more.models()
        if exchange.endpoint:
            raise Problem("method")
        raise Problem("not_found", f"Invalid URL ({self.command} {exchange.path})")

    def _post(self, exchange: "_Exchange") -> Reply:
        raw = self._body()
        if not exchange.endpoint:
            raise Problem("not_found", f"Invalid URL (POST {exchange.path})")
        body, files = bodies.read(self.headers.get("Content-Type", ""), raw)
        name = exchange.model or body.get("model")
        if not isinstance(name, str) or not name:
            raise Problem("invalid", "you must provide a model parameter", "model")
        exchange.call.model = name
        self._check_key()
        model, ordered = misbehaviour.split(name)
        exchange.orders = misbehaviour.read(ordered, self.headers.get("X-Misbehave", ""))
        digests = {field: hashlib.sha256(file.content).hexdigest() for field, file in files.items()}
        canonical = json.dumps([body, digests], sort_keys=True)
        seed = hashlib.sha256(f"{exchange.path}\n{canonical}".encode()).hexdigest()
        if "rate" in exchange.orders:
            exchange.limits = self.server.rates.take(name, exchange.orders["rate"])
        self._misbehave(exchange.orders, model, name, seed)
        headers = {key.lower(): value for key, value in self.headers.items()}
        return exchange.endpoint.answer(Request(body, model, exchange.orders, headers, seed, Work(self._left), files))

    def _misbehave(self, orders: Orders, model: str, name: str, seed: str) -> None:
        if "latency" in orders:
            self._linger(orders["latency"])
        if "hang" in orders:
            self._linger(_HANG_SECONDS)
            raise Gone
        if "fail_first" in orders:
            self.server.failures.fail(name, seed, orders["fail_first"])
        misbehaviour.fail(orders, model)

    def _linger(self, seconds: float) -> None:
        """Wait; raise Gone as soon as the client leaves, or the server's stop ends the connection."""
        until = time.monotonic() + seconds
        if self._left(seconds):
            raise Gone
        # It may have sent its next request, which waits its turn; a pipelining client is not watched further.
        time.sleep(max(0.0, until - time.monotonic()))

    def _left(self, within: float = 0.0) -> bool:
        """Tell whether the client ends the connection within some seconds; what else it sends stays where it is."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.connection, selectors.EVENT_READ)
            if not selector.select(within):
                return False
        try:
            return not self.connection.recv(1, socket.MSG_PEEK)
        except ConnectionError:
            return True

    def _check_key(self) -> None:
        bearer = self.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        in_query = parse_qs(urlsplit(self.path).query).get("key", [])
        named = (self.headers.get(name) for name in _KEY_HEADERS)
        if _WRONG_KEY in (bearer, *named, *in_query):
            raise Problem("credentials")

    def _body(self) -> bytes:
        """Read the request's body; without a length it has none."""
        length = self.headers.get("Content-Length", "0")
        if self.headers.get("Transfer-Encoding") or not length.isdecimal():
            self.close_connection = True
            raise Problem("invalid", "A body needs a Content-Length.")
        if int(length) > _MOST_BYTES:
            self.close_connection = True
            raise Problem("too_large")
        return self.rfile.read(int(length))

    def _send(
        self, status: int, body: Json | Binary, headers: dict[str, str] | None = None, orders: Orders | None = None
    ) -> None:
        orders = orders or {}
        if isinstance(body, Binary) and "badjson" not in orders:
            data, media_type = body.content, body.media_type
        else:
            shown = {"error": "not what was asked for"} if isinstance(body, Binary) else body
            data, media_type = json.dumps(shown, ensure_ascii=False).encode("utf-8", "replace"), "application/json"
        if "badjson" in orders:
            data = data[: len(data) * 2 // 3]
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if "cut" in orders:
            data = data[: len(data) // 2]
            self.close_connection = True
        try:
            self.wfile.write(data)
        except ConnectionError:
            self.close_connection = True


@dataclass
class _Exchange:
    """One call as far as it is understood."""

    path: str
    call: CallSeen
    endpoint: Endpoint | None
    model: str | None
    """Where the path names it."""
    orders: Orders = field(default_factory=dict)
    limits: dict[str, str] = field(default_factory=dict)
    """Headers that tell of a limit."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = False  # so that closing waits for them

    def __init__(self, address: tuple[str, int]) -> None:
        self.calls = Calls()
        self.failures = misbehaviour.FirstFailures()
        self.rates = Rates()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without looking up the host's name, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, to end it when the server stops."""
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection."""
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Name what broke outside a call, without its message; that a client left is no news."""
        kind = sys.exc_info()[0]
        if kind is not None and not issubclass(kind, ConnectionError | TimeoutError):
            print(f"connection failed: {kind.__name__}", file=sys.stderr, flush=True)

    def stop(self) -> None:
        """Take no more connections, end those that are open, and wait for their threads."""
        self.shutdown()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


class ModelServer:
    """The server in a thread of its own; a context manager. Port 0 takes a free one."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._server = _Server((host, port))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.url = f"http://{host}:{self._server.server_port}"

    def __enter__(self) -> "ModelServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._thread.join()
