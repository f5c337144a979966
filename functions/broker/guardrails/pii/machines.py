"""Addresses of machines: IPv4, IPv6 and MAC."""

import re
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from broker.guardrails.patterns import pattern
from broker.guardrails.spans import Span
from broker.guardrails.work import Work

HINT = pattern(r"\.[0-9]{1,3}\.[0-9]{1,3}\.|\.[0-9A-Fa-f]{4}\.")
COLON_HINT = pattern(r":[0-9A-Fa-f]{0,4}:")
HYPHEN_HINT = pattern(r"-[0-9A-Fa-f]{2}-[0-9A-Fa-f]{2}-")
"""The middle of an address: rare in ordinary text, and quick to look for."""

IPV4 = pattern(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
MAC = pattern(
    r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}|(?:[0-9A-Fa-f]{2}-){5}[0-9A-Fa-f]{2}|(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}"
)
REACH = 48
"""More characters than an address has."""

MIDDLE = 20
"""Steps of a look at one."""

BEFORE = pattern(r"[0-9A-Za-z_:.-]*\Z")
OTHER = pattern(r"[^0-9A-Za-z_:.-]")

NETWORK = pattern(r"/[0-9]")
"""A range of addresses is nobody's."""

VERSION = pattern(
    r"(?:version|release|ver|rev|section|sections|chapter|rfc ?[0-9]{0,5}|oid|§|[<>=~^]=?)[\"' :=`(v]{0,4}\Z"
    r"|(?<![a-z])v\.? ?\Z",
    re.IGNORECASE,
)
"""What makes four numbers with dots a version."""


def find_addresses(text: str, work: Work) -> Iterator[Span]:
    """The addresses in a text, those of one notation after those of another."""
    for sign, hint in ((".", HINT), (":", COLON_HINT), ("-", HYPHEN_HINT)):
        free = 0
        for middle in hint.finditer(text) if sign in text else ():
            if middle.start() < free:
                continue
            if not work.take(MIDDLE):
                return
            before = BEFORE.findall(text[max(free, middle.start() - REACH) : middle.start()])[0]
            behind = OTHER.search(text, middle.end())
            free = behind.start() if behind else len(text)
            if found := _address(text, middle.start() - len(before), free):
                yield found


def _address(text: str, begin: int, end: int) -> Span | None:
    """What the run of characters is: an address, perhaps with a port, or with what ends a sentence."""
    run = text[begin:end]
    lead = len(run) - len(run.lstrip(".-"))
    run = run.strip(".-")
    if run.startswith(":") and not run.startswith("::"):
        run, lead = run[1:], lead + 1
    if run.endswith(":") and not run.endswith("::"):
        run = run[:-1]
    begin += lead
    if MAC.fullmatch(run):
        return Span(begin, begin + len(run), "mac_address") if len(set(run)) > 3 else None
    host = run.split(":")[0] if run.count(":") == 1 else run
    if IPV4.fullmatch(host):
        named = (
            _personal(IPv4Address, host)
            and not NETWORK.match(text, begin + len(host))
            and not VERSION.search(text[max(0, begin - 16) : begin])
        )
        return Span(begin, begin + len(host), "ip_address") if named else None
    if run.count(":") > 1 and any(map(str.isdigit, run)) and _personal(IPv6Address, run):
        return Span(begin, begin + len(run), "ip_address")
    return None


def _personal(of: type[IPv4Address] | type[IPv6Address], written: str) -> bool:
    """True for an address that may be somebody's: not this machine's own, nobody's, everybody's, or a mask."""
    try:
        address = of(written)
    except AddressValueError:
        return False
    groups = [group for group in written.split(":") if group]
    if isinstance(address, IPv6Address) and (len(groups) < 3 or all(len(group) == 2 for group in groups)):
        # `a::b` of a program, and pairs that are a key's fingerprint or a longer MAC address.
        return False
    return not (address.is_loopback or address.is_unspecified or address.is_multicast or written.startswith("255."))
