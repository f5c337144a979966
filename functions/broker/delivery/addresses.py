"""The address guard: where a webhook may be sent, so that the broker cannot be made to call its own network.

An address is checked twice: its form when a job is accepted, and what its name resolves to right before each call. The
call then goes to the very address that was checked, so a name that changes in between gains nothing (DNS rebinding).
"""

import ipaddress
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from broker.errors import InvalidRequest, Unavailable

PORTS = {"https": 443, "http": 80}
NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?", re.ASCII | re.IGNORECASE)
INSIDE = ("localhost", "local", "internal", "lan", "home", "corp", "arpa", "onion")
"""Last labels that never name a host of the public internet."""

LOOKUP_S = 5.0
"""For a name to resolve; with the time of the POST (`delivery.post`) it is less than a record's share in `deliver`."""

NAT64 = ipaddress.ip_network("64:ff9b::/96")

NEVER = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20", "fec0::/10")))
"""Special networks of IANA's registries that some or all releases of Python take for global ones."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Lookup = Callable[[str, int], list[str]]


class AddressRefused(InvalidRequest):
    """Webhooks are not sent there."""

    def __init__(self, why: str, param: str = "webhook.url") -> None:
        super().__init__(f"{param} {why}.", code="webhook_address_refused", param=param)
        self.why = why


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect to, and what to say there. `address` was checked; `host` is for TLS and the Host header."""

    scheme: str
    host: str
    port: int
    path: str
    address: str


def check_form(url: str, *, allow_private: bool) -> None:
    """What can be said of an address without looking it up.

    Raises:
        AddressRefused: names the fault.
    """
    _parse(url, allow_private)


def resolve(url: str, *, allow_private: bool, lookup: Lookup | None = None) -> Target:
    """Check an address and what it resolves to; every one of its addresses must be allowed.

    Raises:
        AddressRefused: it leads to a place that is not public.
        Unavailable: its name does not resolve.
    """
    parts, port = _parse(url, allow_private)
    host = parts.hostname or ""
    found = (lookup or look_up)(host, port)
    if not found:
        raise Unavailable("The name of the webhook's address does not resolve.", code="webhook_name_unresolved")
    if not allow_private and not all(public(ipaddress.ip_address(each)) for each in found):
        raise AddressRefused("leads to an address that is not public")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, path, found[0])


def public(address: Address) -> bool:
    """True for a unicast address of the public internet, however it is wrapped."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if address in NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return public(inner)
    if any(address in network for network in NEVER):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _parse(url: str, allow_private: bool) -> tuple[SplitResult, int]:
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise AddressRefused("has characters that no URL has")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, PORTS.get(parts.scheme, 0) if parts.port is None else parts.port
    except ValueError:
        raise AddressRefused("is not a URL") from None
    if parts.scheme != "https" and not (allow_private and parts.scheme == "http"):
        raise AddressRefused("must begin with https://")
    if not host:
        raise AddressRefused("has no host")
    if port == 0:
        raise AddressRefused("has a port that no host has")
    if parts.username is not None or parts.password is not None:
        raise AddressRefused("must not hold a user name or password")
    if not allow_private:
        _check_host(host)
    return parts, port


def _check_host(host: str) -> None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if not NAME.fullmatch(host):
            raise AddressRefused("has a malformed host") from None
        labels = host.rstrip(".").lower().split(".")
        if len(labels) < 2 or labels[-1] in INSIDE:
            raise AddressRefused("must name a host of the public internet") from None
        return
    if not public(address):
        raise AddressRefused("leads to an address that is not public")


def look_up(host: str, port: int, within_s: float = LOOKUP_S) -> list[str]:
    """The addresses of a name; none where it does not resolve, or not in time."""
    found: list[tuple[Any, ...]] = []

    def look() -> None:
        try:
            found.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError):
            return

    # The C library's resolver takes its time where a name's server keeps silent, and no alarm breaks into it.
    beside = threading.Thread(target=look, daemon=True)
    beside.start()
    beside.join(within_s)
    return list(dict.fromkeys(str(each[4][0]).partition("%")[0] for each in found))
