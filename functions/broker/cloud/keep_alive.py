"""HTTP/1.1 over connections that are kept: a POST, and its whole reply.

llhttp, the parser of Node.js, reads the replies (by `httptools`); here are sockets and when to trust them. A reply that
only the end of its connection ends is as good as lost, for whether it is whole nobody can tell.
"""

import select
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import NamedTuple
from urllib.parse import urlsplit
from weakref import finalize

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

CHUNK = 64 * 1024
LARGEST_HEAD = 64 * 1024
"""Bytes before a body, those of interim replies (`100 Continue`) among them."""

MOST_IDLE = 10
"""Connections that are kept while nothing is asked over them; as many as botocore keeps."""

CLOSED = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
"""What it looks like when the other side has closed a connection."""


class Reply(NamedTuple):
    """A whole reply; names of headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class KeepAlive:
    """The connections to one server. Threads may share it."""

    def __init__(self, url: str, *, connect_s: float, read_s: float, bundle: str | None = None) -> None:
        """`connect_s` bounds connecting and the handshake, `read_s` each wait for bytes.

        `bundle` is the file of certificates that vouch for a server of `https`.
        """
        parts = urlsplit(url)
        self._host, self._tls = parts.hostname or "", parts.scheme == "https"
        self._port = parts.port or (443 if self._tls else 80)
        self._connect_s, self._read_s, self._bundle = connect_s, read_s, bundle
        self._idle: list[_Connection] = []
        finalize(self, _close_all, self._idle)

    def post(self, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send a request, and read its reply.

        Over a connection that the server closed while it was idle, nothing of a reply comes: then, and only then, the
        request is sent once more over a new one. All else that goes wrong is the caller's to repeat.

        Raises:
            OSError: no whole reply came, or no connection: a time was over, the certificate is not trusted, what came
                is no HTTP, …
            ValueError: a header would bring in another.
        """
        lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
        head = f"POST {path} HTTP/1.1\r\n{''.join(lines)}content-length: {len(body)}\r\n\r\n"
        if head.count("\n") != len(lines) + 3:
            raise ValueError("a header has more than one line")
        request = head.encode("latin-1") + body
        kept = self._unused()
        if kept:
            try:
                return self._exchange(kept, request)
            except CLOSED:
                if kept.heard:
                    raise
        return self._exchange(self._connected(), request)

    def _exchange(self, connection: "_Connection", request: bytes) -> Reply:
        try:
            reply = connection.exchange(request)
        except BaseException:  # also a bound of time that breaks in (`broker.bounds`)
            connection.close()
            raise
        if connection.keeps and len(self._idle) < MOST_IDLE:
            self._idle.append(connection)
        else:
            connection.close()
        return reply

    def _unused(self) -> "_Connection | None":
        while True:
            try:
                connection = self._idle.pop()  # the one that was used last
            except IndexError:  # also where another thread was faster
                return None
            if not connection.spoke():
                return connection
            connection.close()

    def _connected(self) -> "_Connection":
        made = socket.create_connection((self._host, self._port), self._connect_s)
        try:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if self._tls:
                made = _trusting(self._bundle).wrap_socket(made, server_hostname=self._host)
            made.settimeout(self._read_s)
        except BaseException:
            made.close()
            raise
        return _Connection(made)


class _Connection:
    """A socket, and what its parser has made so far of the reply; the `on_…` are called by the parser."""

    def __init__(self, made: socket.socket) -> None:
        self._socket = made
        self._parser = HttpResponseParser(self)
        self._poll = select.poll()
        self._poll.register(made, select.POLLIN)
        self.heard = 0
        """Bytes of the reply."""
        self.keeps = False
        """Whether the server lets another request follow."""

    def exchange(self, request: bytes) -> Reply:
        self.heard, self._status, self._whole = 0, 0, False
        self._headers: dict[str, str] = {}
        self._parts: list[bytes] = []
        self._socket.sendall(request)
        while not self._whole:
            data = self._socket.recv(CHUNK)
            if not data:
                raise ConnectionResetError("closed before the reply was whole")
            self.heard += len(data)
            try:
                self._parser.feed_data(data)
            except (HttpParserError, HttpParserUpgrade):
                raise ConnectionAbortedError("what came is no reply of HTTP") from None
            if self._status < 200 and self.heard > LARGEST_HEAD:
                raise ConnectionAbortedError("the reply's headers have no end")
        return Reply(self._status, self._headers, b"".join(self._parts))

    def spoke(self) -> bool:
        """True where an idle connection was closed, or has bytes that nobody asked for."""
        return bool(self._poll.poll(0))

    def close(self) -> None:
        with suppress(OSError):
            self._socket.close()

    def on_message_begin(self) -> None:
        if self._whole:
            raise ValueError("a second reply to one request")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._status < 200:  # what follows a body is none of its headers
            self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        self.keeps = self._parser.should_keep_alive()
        if self._status < 200:
            self._headers.clear()  # of an interim reply

    def on_body(self, part: bytes) -> None:
        self._parts.append(part)

    def on_message_complete(self) -> None:
        self._whole = self._status >= 200


def _close_all(connections: list[_Connection]) -> None:
    while connections:
        connections.pop().close()


@cache
def _trusting(bundle: str | None) -> ssl.SSLContext:
    """One for the process: reading a bundle takes 20 ms of CPU time."""
    return ssl.create_default_context(cafile=bundle)
