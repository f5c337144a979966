"""The address guard: no form of an address, and no answer of DNS, leads inside."""

import ipaddress
import socket
import threading
from collections.abc import Sequence
from functools import partial

import pytest
from broker.delivery.addresses import AddressRefused, Target, check_form, look_up, public, resolve
from broker.errors import InvalidRequest, Unavailable
from hypothesis import given
from hypothesis import strategies as st

OUTSIDE = "93.184.215.14"

INSIDE_4 = """
    0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254 169.254.0.1
    169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.8 192.0.0.170 192.0.2.1 192.88.99.1
    192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
""".split()

INSIDE_6 = """
    :: ::1 ::127.0.0.1 ::a9fe:a9fe fe80::1 fe80::1%eth0 febf::1 fec0::1 fc00::1 fd00:ec2::254 fdff::1 ff02::1 ff0e::1
    ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:0:127.0.0.1 ::ffff:100.64.0.1
    2002:7f00:1:: 2002:a9fe:a9fe:: 2002:a00:1::1 2002:c0a8:1::
    2001:0:808:808::80ff:fffe 2001::5601:5601 2001:0:7f00:1::f5ff:fffe
    64:ff9b::7f00:1 64:ff9b::169.254.169.254 64:ff9b::a00:1 64:ff9b:1::808:808
    100::1 2001:2::1 2001:10::1 2001:db8::1 3fff::1 4000::1 5f00::1 e000::1
""".split()

OUTSIDE_ALL = """
    1.1.1.1 8.8.8.8 93.184.215.14 100.63.255.255 100.128.0.1 172.15.255.255 172.32.0.1 192.167.255.255 169.253.255.255
    2606:4700:4700::1111 2a00:1450:4001:82b::200e ::ffff:8.8.8.8 64:ff9b::8.8.8.8 2002:808:808::1
""".split()


def refused(url: str, *, allow_private: bool = False) -> str:
    with pytest.raises(AddressRefused) as failure:
        check_form(url, allow_private=allow_private)
    assert (failure.value.code, failure.value.param) == ("webhook_address_refused", "webhook.url")
    return failure.value.message


def to(addresses: Sequence[str], url: str = "https://hooks.example.com/in", *, allow_private: bool = False) -> Target:
    return resolve(url, allow_private=allow_private, lookup=lambda host, port: list(addresses))


@pytest.mark.parametrize("address", [*INSIDE_4, *INSIDE_6])
def test_what_is_not_public(address: str) -> None:
    assert not public(ipaddress.ip_address(address))
    with pytest.raises(AddressRefused):
        to([address])
    literal = f"[{address}]" if ":" in address else address
    if "%" not in literal:
        assert "not public" in refused(f"https://{literal}/")
        assert "not public" in refused(f"https://{literal}:8443/x")


@pytest.mark.parametrize("address", OUTSIDE_ALL)
def test_what_is_public(address: str) -> None:
    assert public(ipaddress.ip_address(address))
    literal = f"[{address}]" if ":" in address else address
    check_form(f"https://{literal}/", allow_private=False)
    assert to([address]).address == address


@given(st.integers(0, 2**32 - 1))
def test_a_wrapped_address_is_as_good_as_the_bare_one(number: int) -> None:
    bare = ipaddress.IPv4Address(number)
    teredo = (0x2001_0000_0808_0808 << 64) | (number ^ 0xFFFF_FFFF)
    wrapped = ((0xFFFF << 32) | number, (0x2002 << 112) | (number << 80), (0x64_FF9B << 96) | number, teredo)
    for each in wrapped:
        assert public(ipaddress.IPv6Address(each)) == public(bare)


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "127.1",
        "0",
        "0x7f.1",
        "017700000001",
        "127.000.000.001",
    ],
)
def test_other_ways_to_write_a_number_lead_nowhere(host: str) -> None:
    with pytest.raises((AddressRefused, Unavailable)):  # what is left to the system's own resolver, as in earnest
        resolve(f"https://{host}/", allow_private=False)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "https"),
        ("example.com", "https"),
        ("http://example.com/", "https"),
        ("ftp://example.com/", "https"),
        ("file:///etc/passwd", "https"),
        ("javascript:alert(1)", "https"),
        ("//example.com/", "https"),
        ("https:example.com", "no host"),
        ("https://", "no host"),
        ("https:///path", "no host"),
        ("https://:443/", "no host"),
        ("https://?x", "no host"),
        ("https://user@example.com/", "user name"),
        ("https://user:word@example.com/", "user name"),
        ("https://:word@example.com/", "user name"),
        ("https://@example.com/", "user name"),
        ("https://example.com@127.0.0.1/", "user name"),
        ("https://127.0.0.1#@example.com/", "not public"),
        ("https://127.0.0.1?@example.com/", "not public"),
        ("https://example.com\\@127.0.0.1/", "characters"),
        ("https://example.com\\.evil.com/", "characters"),
        ("https://exam ple.com/", "characters"),
        (" https://example.com/", "characters"),
        ("https://example.com/\r\nx-evil: 1", "characters"),
        ("https://example.com/\n", "characters"),
        ("https://example.com/a\tb", "characters"),
        ("https://example.com/\x00", "characters"),
        ("https://example.com/\x7f", "characters"),
        ("https://exämple.com/", "characters"),
        ("https://①②⑦.⓪.⓪.①/", "characters"),
        ("https://127。0。0。1/", "characters"),
        ("https://example.com:0/", "port"),
        ("https://example.com:65536/", "not a URL"),
        ("https://example.com:-1/", "not a URL"),
        ("https://example.com:x/", "not a URL"),
        ("https://[::1/", "not a URL"),
        ("https://[example.com]/", "not a URL"),
        ("https://[v1.fe80::1]/", "malformed"),
        ("https://%31%32%37.0.0.1/", "malformed"),
        ("https://example.com%00.evil.com/", "malformed"),
        ("https://example..com/", "malformed"),
        ("https://.example.com/", "malformed"),
        ("https://example.com../", "malformed"),
        ("https://exam*ple.com/", "malformed"),
        (f"https://{'a' * 64}.com/", "malformed"),
        (f"https://{'a.' * 127}com/", "malformed"),
        ("https://localhost/", "public internet"),
        ("https://LOCALHOST/", "public internet"),
        ("https://localhost./", "public internet"),
        ("https://api.localhost/", "public internet"),
        ("https://printer.local/", "public internet"),
        ("https://metadata.google.internal/", "public internet"),
        ("https://ip-10-0-0-1.ec2.INTERNAL./", "public internet"),
        ("https://router.lan/", "public internet"),
        ("https://1.0.0.127.in-addr.arpa/", "public internet"),
        ("https://intranet/", "public internet"),
        ("https://com/", "public internet"),
        ("https://abc.onion/", "public internet"),
    ],
)
def test_what_no_webhook_is_sent_to(url: str, why: str) -> None:
    assert why in refused(url)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://example.com", ("https", "example.com", 443, "/")),
        ("HTTPS://EXAMPLE.com/In?a=b&c=%20", ("https", "example.com", 443, "/In?a=b&c=%20")),
        ("https://example.com:8443?x", ("https", "example.com", 8443, "/?x")),
        ("https://example.com:/in#part", ("https", "example.com", 443, "/in")),
        ("https://my_app-1.example.com./in", ("https", "my_app-1.example.com.", 443, "/in")),
        ("https://xn--bcher-kva.example/", ("https", "xn--bcher-kva.example", 443, "/")),
        ("https://localhost.example.com/", ("https", "localhost.example.com", 443, "/")),
        ("https://example.com//evil.com/", ("https", "example.com", 443, "//evil.com/")),
    ],
)
def test_where_a_webhook_goes(url: str, target: tuple[str, str, int, str]) -> None:
    check_form(url, allow_private=False)
    assert to([OUTSIDE], url) == Target(*target, OUTSIDE)


@pytest.mark.parametrize("inside", ["127.0.0.1", "::1", "169.254.169.254", "::ffff:10.0.0.1"])
def test_one_address_inside_spoils_the_whole_answer(inside: str) -> None:
    for answer in ([inside, OUTSIDE], [OUTSIDE, inside], [OUTSIDE, "8.8.8.8", inside]):
        with pytest.raises(AddressRefused):
            to(answer)


def test_a_name_that_changes_in_between_gains_nothing() -> None:
    turns = iter([[OUTSIDE], ["127.0.0.1"]])
    target = resolve("https://rebind.example.com/", allow_private=False, lookup=lambda host, port: next(turns))
    assert (target.address, target.host) == (OUTSIDE, "rebind.example.com")
    with pytest.raises(AddressRefused):
        resolve("https://rebind.example.com/", allow_private=False, lookup=lambda host, port: next(turns))


def test_a_name_that_does_not_resolve_may_later() -> None:
    with pytest.raises(Unavailable) as failure:
        to([])
    assert failure.value.code == "webhook_name_unresolved"


def test_what_is_looked_up() -> None:
    asked: list[tuple[str, int]] = []

    def lookup(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return [OUTSIDE]

    resolve("https://Hooks.Example.com:8443/", allow_private=False, lookup=lookup)
    resolve("https://[2606:4700:4700::1111]/", allow_private=False, lookup=lookup)
    assert asked == [("hooks.example.com", 8443), ("2606:4700:4700::1111", 443)]


def test_the_embedded_clouds_receivers_are_inside() -> None:
    assert resolve("http://127.0.0.1:8080/in", allow_private=True) == Target(
        "http", "127.0.0.1", 8080, "/in", "127.0.0.1"
    )
    check_form("http://localhost/", allow_private=True)
    for url in ("ftp://127.0.0.1/", "http://user@127.0.0.1/", "http://127.0.0.1/ x", "http://127.0.0.1:0/"):
        refused(url, allow_private=True)


@given(st.text(max_size=40))
def test_no_text_breaks_the_guard(text: str) -> None:
    for url in (text, f"https://{text}", f"https://example.com/{text}", f"https://[{text}]"):
        try:
            check_form(url, allow_private=False)
        except InvalidRequest as error:
            assert isinstance(error, AddressRefused)


def test_a_name_whose_server_keeps_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [over.wait(60)][1:])
    with pytest.raises(Unavailable) as failure:
        resolve("https://silent.example/", allow_private=False, lookup=partial(look_up, within_s=0.01))
    over.set()
    assert failure.value.code == "webhook_name_unresolved"
