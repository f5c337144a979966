"""One POST to a checked address: pinned to it, without redirects, within a deadline that nothing can stretch."""

import socket
import threading
import time
from dataclasses import dataclass

from broker.clock import retry_after
from broker.delivery.addresses import Target
from broker.errors import Unavailable

TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What the receiver answered; its body is not read."""

    status: int
    retry_after_s: float | None
    latency_ms: int


def post(target: Target, body: bytes, headers: dict[str, str], timeout_s: float = TIMEOUT_S) -> Reply:
    """Send, and read the reply's head.

    Raises:
        Unavailable: no connection, no certificate that fits, or no answer in time.
    """
    import urllib3.connection
    from urllib3.exceptions import HTTPError

    began = time.monotonic()
    connection = (
        urllib3.connection.HTTPSConnection(
            target.address,
            target.port,
            timeout=timeout_s,
            cert_reqs="CERT_REQUIRED",
            server_hostname=target.host,
            assert_hostname=target.host,
        )
        if target.scheme == "https"
        else urllib3.connection.HTTPConnection(target.address, target.port, timeout=timeout_s)
    )
    default = {"https": 443, "http": 80}[target.scheme]
    host = f"[{target.host}]" if ":" in target.host else target.host
    named = {"host": host if target.port == default else f"{host}:{target.port}"}
    # A socket's timeout begins anew with each byte; a receiver that answers a byte at a time is cut off by this.
    watchdog = threading.Timer(timeout_s, _cut, [connection])
    watchdog.daemon = True
    watchdog.start()
    try:
        connection.request("POST", target.path, body=body, headers=named | headers, preload_content=False)
        reply = connection.getresponse()
        status, wait = reply.status, retry_after(reply.headers.get("retry-after"))
    except (HTTPError, OSError, ValueError) as error:
        name = type(error).__name__
        raise Unavailable(f"The webhook's receiver did not answer ({name}).", code="webhook_unreachable") from None
    finally:
        watchdog.cancel()
        connection.close()
    return Reply(status, wait, round((time.monotonic() - began) * 1000))


def _cut(connection: object) -> None:
    sock = getattr(connection, "sock", None)
    if sock is not None:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it ended by itself
