"""The REST door of a broker in memory, over HTTP on the loopback interface, for tests of its clients."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from broker.errors import BrokerError
from broker.rest.api import ROUTES
from broker.rest.http import error_reply

from tests.unit.rest_door import Door

KEY = "ib_of_acme"


class RestServer:
    """Use as a context manager; who sends another key than `KEY` is nobody."""

    def __init__(self, door: Door) -> None:
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        """Method, path with query, and headers (names in lower case) of each call."""
        self.cut = 0
        """So many puts to the bucket are cut off."""
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                data = self.rfile.read(int(self.headers["content-length"]))
                owner.asked.append((self.command, self.path, {name.lower(): v for name, v in self.headers.items()}))
                if owner.cut > 0:
                    owner.cut -= 1
                    self.close_connection = True
                    return
                self.send_response(200 if door.bucket.sent(owner.url + self.path, data) else 403)
                self.send_header("content-length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0))).decode() or None
                headers = {name.lower(): value for name, value in self.headers.items()}
                owner.asked.append((self.command, self.path, headers))
                if self.path.startswith("/bucket/"):
                    key = urlsplit(self.path).path.removeprefix("/bucket/")
                    status, content, told_headers = 200, door.bucket.objects[key], {}
                else:
                    status, told, told_headers = answer(door, self.command, self.path, headers, body)
                    content = json.dumps(told).encode()
                self.send_response(status)
                for name, value in told_headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_DELETE = do_GET

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        door.bucket.url = f"{self.url}/bucket"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def answer(
    door: Door, method: str, target: str, headers: dict[str, str], body: str | None
) -> tuple[int, Any, dict[str, str]]:
    """What the door says: status, body, headers."""
    if headers.get("authorization") != f"Bearer {KEY}":
        return 401, {"error": {"type": "unauthorized", "code": "unauthorized", "message": "No.", "param": None}}, {}
    path, query = urlsplit(target).path, dict(parse_qsl(urlsplit(target).query))
    for (known, resource), _ in ROUTES.items():
        found = re.fullmatch(resource.replace("{id}", "([^/]+)"), path)
        if known == method and found:
            sent = {name: headers[name] for name in ("prefer", "idempotency-key") if name in headers}
            try:
                reply = door(method, resource, body, job_id="".join(found.groups()), query=query, **sent)
            except BrokerError as error:
                reply = error_reply(error, "req-1")
            return reply.status, reply.body, reply.headers
    return 404, {"message": "Missing"}, {}
