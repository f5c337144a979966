"""Reading an issuer's keys: over HTTPS, from where it was registered, and no more than a little."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from broker.tenants.identity import Unauthorized
from broker.tenants.jwts import MOST_BYTES, fetch_jwks

DOCUMENT = {"keys": [{"kid": "one"}]}
GOOD = json.dumps(DOCUMENT).encode()


class Issuer:
    """Answers each GET as it is told; `asked` are the paths."""

    def __init__(self) -> None:
        self.status, self.body, self.headers, self.cut = 200, GOOD, {}, 0
        self.asked: list[str] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.asked.append(self.path)
                self.send_response(owner.status)
                for name, value in owner.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(owner.body) + owner.cut))
                self.end_headers()
                self.wfile.write(owner.body)

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that reads no further is what some tests are about."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/jwks"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def refused(url: str, *, allow_http: bool = True) -> str:
    with pytest.raises(Unauthorized) as failure:
        fetch_jwks(url, allow_http=allow_http)
    return failure.value.reason


def test_a_document_is_read(issuer: Issuer) -> None:
    assert fetch_jwks(issuer.url, allow_http=True) == DOCUMENT
    assert issuer.asked == ["/jwks"]


@pytest.mark.parametrize("scheme", ["http", "HTTP", "ftp", "file", ""])
def test_only_https_is_asked(issuer: Issuer, scheme: str) -> None:
    assert refused(issuer.url.replace("http", scheme, 1), allow_http=False) == "issuer_without_https"
    assert issuer.asked == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(issuer: Issuer, status: int) -> None:
    issuer.status, issuer.headers = status, {"location": "/elsewhere"}
    assert refused(issuer.url) == "unreadable_signing_keys"
    assert issuer.asked == ["/jwks"]


@pytest.mark.parametrize("status", [204, 400, 404, 429, 500, 503])
def test_only_a_200_counts(issuer: Issuer, status: int) -> None:
    issuer.status = status
    issuer.body = b"" if status == 204 else GOOD
    assert refused(issuer.url) == "unreadable_signing_keys"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"5", b"null", b'"keys"', b"<html>", b"\xff\xfe", b'{"keys": NaN', b"[" * 100_000]
)
def test_what_is_no_document(issuer: Issuer, body: bytes) -> None:
    issuer.body = body
    assert refused(issuer.url) == "unreadable_signing_keys"


def test_a_document_has_a_size(issuer: Issuer) -> None:
    def padded(size: int) -> bytes:
        return GOOD[:-1] + b" " * (size - len(GOOD)) + b"}"

    issuer.body = padded(MOST_BYTES)
    assert fetch_jwks(issuer.url, allow_http=True) == DOCUMENT
    issuer.body = padded(MOST_BYTES + 1)
    assert refused(issuer.url) == "unreadable_signing_keys"


def test_a_document_that_is_cut_off_is_none(issuer: Issuer) -> None:
    issuer.cut = 10
    assert refused(issuer.url) == "issuer_unreachable"


def test_a_broken_encoding_is_no_document(issuer: Issuer) -> None:
    issuer.headers = {"content-encoding": "gzip"}
    assert refused(issuer.url) == "issuer_unreachable"


def test_who_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as left:
        url = f"http://127.0.0.1:{left.getsockname()[1]}"
    assert refused(url) == "issuer_unreachable"
    assert refused("https://[::1") == "issuer_unreachable"
