"""One POST to a checked address: pinned to it, without redirects, within a deadline that nothing can stretch."""

import http.client
import socket
import threading
import time
from dataclasses import dataclass
from functools import cache
from typing import Any

from broker.clock import retry_after
from broker.delivery.addresses import Target
from broker.delivery.client_certificates import Identity, tls_as
from broker.errors import Unavailable

TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class WebhookReply:
    """What the receiver answered; its body is not read."""

    status: int
    retry_after_s: float | None
    latency_ms: int
    control: str | None = None
    """Its `webhook-delivery`, if it has one."""


def post(
    target: Target,
    body: bytes,
    headers: dict[str, str],
    timeout_s: float = TIMEOUT_S,
    *,
    identity: Identity | None = None,
) -> WebhookReply:
    """Send, and read the reply's head; with an `identity`, as that client (mutual TLS).

    Raises:
        Unavailable: no connection, no certificate that fits, no HTTP, or no answer in time.
    """
    began = time.monotonic()
    until = began + timeout_s
    default = {"https": 443, "http": 80}[target.scheme]
    host = f"[{target.host}]" if ":" in target.host else target.host
    named = {"host": host if target.port == default else f"{host}:{target.port}"}
    connection = http.client.HTTPConnection(target.address, target.port)
    watchdog: threading.Timer | None = None
    try:
        connection.sock = sock = _connect(target, until, identity)
        sock.settimeout(_left(until))
        # A socket's timeout begins anew with each byte; a receiver that answers a byte at a time is cut off by this.
        watchdog = threading.Timer(_left(until), _cut, [sock])
        watchdog.daemon = True
        watchdog.start()
        connection.request("POST", target.path, body=body, headers=named | headers)
        with connection.getresponse() as reply:
            _left(until)  # a head that was cut off is taken for a whole one
            status, wait = reply.status, retry_after(reply.headers.get("retry-after"))
            control = reply.headers.get("webhook-delivery")
    except (http.client.HTTPException, OSError, ValueError, OverflowError) as error:
        name = type(error).__name__
        raise Unavailable(f"The webhook's receiver did not answer ({name}).", code="webhook_unreachable") from None
    finally:
        if watchdog:
            watchdog.cancel()
        connection.close()
    return WebhookReply(status, wait, round((time.monotonic() - began) * 1000), control)


def _connect(target: Target, until: float, identity: Identity | None) -> socket.socket:
    """A connection to the checked address; its name is held against the certificate of the receiver."""
    sock = socket.create_connection((target.address, target.port), _left(until))
    if target.scheme == "http":
        return sock
    try:
        context = tls_as(identity) if identity else tls()
        sock.settimeout(_left(until))  # a handshake's timeout is for all of it
        wrapped: socket.socket = context.wrap_socket(sock, server_hostname=target.host.rstrip("."))
        return wrapped
    finally:
        sock.close()  # no more than a husk, once it is wrapped


@cache
def tls() -> Any:
    """Who vouches for receivers, read once: it takes 20 ms of CPU time."""
    import ssl

    return ssl.create_default_context()


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("the call's time is over")
    return left


def _cut(sock: socket.socket) -> None:
    try:
        socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not TLS's own, which is not for a thread beside a reader
    except OSError:
        return  # it ended by itself
