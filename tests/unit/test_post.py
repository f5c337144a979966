"""One POST: to the address that was checked, for the name that was asked, and no longer than it may take."""

import email.utils
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from broker.delivery.addresses import Target
from broker.delivery.post import WebhookReply, post, tls
from broker.errors import Unavailable
from cryptography import x509

from tests.unit.certificates import write_certificate
from tests.unit.provider_server import ProviderServer, Script

NAME = "hooks.example.com"
HEADERS = {"content-type": "application/json", "webhook-id": "evt_1"}
LONGER_THAN_ANY = 30
"""Seconds: what is cut off after one would go on for a minute or more."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for one name that nobody but its file vouches for, with its key."""
    return write_certificate(tmp_path_factory.mktemp("tls"), x509.DNSName(NAME))


@pytest.fixture(autouse=True)
def new_process() -> Iterator[None]:
    """Who is trusted is read once in a process, and each test has its own."""
    tls.cache_clear()
    yield
    tls.cache_clear()


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


@pytest.fixture(scope="module")
def named() -> list[str | None]:
    """The names that TLS clients asked for."""
    return []


@pytest.fixture(scope="module")
def tls_server(certificate: Path, named: list[str | None]) -> Iterator[ProviderServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda sock, name, _: named.append(name)
    with ProviderServer(context) as running:
        yield running


def at(server: ProviderServer, host: str = NAME, path: str = "/in?a=b") -> Target:
    scheme, _, port = server.url.replace("//", "").split(":")
    return Target(scheme, host, int(port), path, "127.0.0.1")


def failed(target: Target, timeout_s: float = 10) -> str:
    with pytest.raises(Unavailable) as failure:
        post(target, b"{}", HEADERS, timeout_s)
    assert failure.value.code == "webhook_unreachable"
    return failure.value.message


def test_what_is_posted_arrives(server: ProviderServer) -> None:
    server.answer(Script(status=202))
    reply = post(at(server), b'{"a": 1}', HEADERS)
    assert (reply.status, reply.retry_after_s) == (202, None)
    assert reply.latency_ms >= 0
    (asked,) = server.asked
    assert (asked.path, asked.body) == ("/in?a=b", {"a": 1})
    assert asked.headers["host"] == f"{NAME}:{at(server).port}"
    assert HEADERS.items() <= asked.headers.items()
    assert asked.headers["content-length"] == "8"


def test_an_address_of_ipv6_is_named_in_brackets(server: ProviderServer) -> None:
    server.answer(Script())
    post(at(server, "2606:4700::1"), b"{}", HEADERS)
    assert server.asked[0].headers["host"] == f"[2606:4700::1]:{at(server).port}"


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("host", [NAME, f"{NAME}."])
def test_tls_is_for_the_name_at_the_checked_address(
    tls_server: ProviderServer, named: list[str | None], host: str
) -> None:
    named.clear()
    tls_server.answer(Script(status=204))
    assert post(at(tls_server, host), b"{}", HEADERS).status == 204  # it has no such name on this machine
    assert named == [NAME]
    assert tls_server.asked[0].headers["host"] == f"{host}:{at(tls_server).port}"


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("host", ["other.example.com", "example.com", f"a.{NAME}", "127.0.0.1", "receiver"])
def test_the_certificate_of_another_name_is_refused(tls_server: ProviderServer, host: str) -> None:
    tls_server.answer(Script())
    assert "SSLCertVerificationError" in failed(at(tls_server, host))
    assert tls_server.asked == []


def test_a_certificate_of_nobody_is_refused(tls_server: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    tls_server.answer(Script())
    assert "SSLCertVerificationError" in failed(at(tls_server))
    assert tls_server.asked == []


@pytest.mark.usefixtures("trusted")
def test_no_proxy_of_the_environment_comes_in_between(server: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server.answer(Script())
    assert post(at(server), b"{}", HEADERS).status == 200


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_like_any_other(server: ProviderServer, status: int) -> None:
    server.answer(Script(status=status, headers={"location": server.url}))
    assert post(at(server), b"{}", HEADERS).status == status
    assert len(server.asked) == 1


@pytest.mark.parametrize("kind", ["server", "tls_server"])
@pytest.mark.parametrize("how", ["hang", "drip_head"])
@pytest.mark.usefixtures("trusted")
def test_a_receiver_does_not_outlast_the_deadline(kind: str, how: str, request: pytest.FixtureRequest) -> None:
    server: ProviderServer = request.getfixturevalue(kind)
    server.answer(Script(how=how))
    began = time.monotonic()
    failed(at(server), timeout_s=1)
    assert time.monotonic() - began < LONGER_THAN_ANY


@pytest.mark.parametrize("how", ["drip_body", "drip_chunk"])
def test_the_body_of_an_answer_is_not_waited_for(server: ProviderServer, how: str) -> None:
    server.answer(Script(how=how))
    assert post(at(server), b"{}", HEADERS).status == 200


@pytest.mark.parametrize(("header", "seconds"), [("120", 120), ("0", 0), ("soon", None), ("-3", None)])
def test_a_receiver_may_ask_for_time(server: ProviderServer, header: str, seconds: float | None) -> None:
    server.answer(Script(status=503, headers={"retry-after": header}))
    reply = post(at(server), b"{}", HEADERS)
    assert reply == WebhookReply(503, seconds, reply.latency_ms)
    server.answer(Script(status=503, headers={"retry-after": email.utils.formatdate(time.time() + 90, usegmt=True)}))
    asked = post(at(server), b"{}", HEADERS).retry_after_s
    assert asked is not None and 30 < asked <= 90


def test_who_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as left:
        port = left.getsockname()[1]
    assert "ConnectionRefusedError" in failed(Target("http", NAME, port, "/", "127.0.0.1"))
