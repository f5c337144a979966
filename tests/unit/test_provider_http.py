"""The HTTP layer below the providers: deadlines, limits, connections and certificates."""

import ipaddress
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from broker.errors import BadOutput, BrokerError, InvalidRequest, ModelTimedOut, Throttled, Unavailable
from broker.providers.wire import http_client
from broker.providers.wire.http_client import ProviderReply, post_json
from cryptography import x509

from tests.unit.certificates import write_certificate
from tests.unit.provider_server import ProviderServer, Script


@pytest.fixture(scope="module")
def server() -> Iterator[ProviderServer]:
    with ProviderServer() as running:
        yield running


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that nobody but its file vouches for, with its key."""
    return write_certificate(tmp_path_factory.mktemp("tls"), x509.IPAddress(ipaddress.ip_address("127.0.0.1")))


@pytest.fixture(scope="module")
def tls_server(certificate: Path) -> Iterator[ProviderServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with ProviderServer(context) as running:
        yield running


def post(url: str, timeout: float = 20) -> ProviderReply:
    return post_json(url, {"a": "ü"}, headers={}, timeout=timeout, read_error=lambda status, body: None)


def failed(url: str, timeout: float = 20) -> BrokerError:
    with pytest.raises(BrokerError) as caught:
        post(url, timeout)
    return caught.value


@pytest.mark.parametrize("how", ["drip_head", "drip_body", "drip_chunk"])
@pytest.mark.parametrize("kind", ["server", "tls_server"])
def test_a_server_that_drips_bytes_does_not_outlast_the_call(
    kind: str, how: str, certificate: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    server: ProviderServer = request.getfixturevalue(kind)
    server.answer(Script(how=how))  # goes on for a hundred seconds
    began = time.monotonic()
    error = failed(server.url, timeout=1)
    assert time.monotonic() - began < 30
    assert (type(error), error.code, error.maybe_paid) == (ModelTimedOut, "timeout", True)


def test_a_connection_is_kept_and_has_its_whole_time_again(server: ProviderServer) -> None:
    for _ in range(3):
        server.answer(Script({"b": 1}))
        assert post(server.url).body == {"b": 1}
    assert server.asked[0].body == {"a": "ü"}


def test_a_reply_that_is_too_large_is_bad_output(server: ProviderServer) -> None:
    server.answer(Script(b" " * (http_client.LARGEST_REPLY + 1)))
    error = failed(server.url)
    assert (type(error), error.code, error.maybe_paid) == (BadOutput, "reply_too_large", True)
    server.answer(Script(b" " * (http_client.LARGEST_REPLY + 1), 500))
    assert type(failed(server.url)) is Unavailable


def test_a_reply_with_a_broken_encoding_is_bad_output(server: ProviderServer) -> None:
    server.answer(Script(b"no gzip", headers={"content-encoding": "gzip"}))
    error = failed(server.url)
    assert (type(error), error.code, error.maybe_paid) == (BadOutput, "reply_not_json", True)


def test_an_error_is_known_by_its_status_though_its_body_is_cut_off(server: ProviderServer) -> None:
    server.answer(Script(b"Slow do", 429, {"retry-after": "2"}, how="cut_body"))
    error = failed(server.url)
    assert (type(error), error.retry_after, error.maybe_paid) == (Throttled, 2, False)


def test_a_redirect_is_not_followed(server: ProviderServer) -> None:
    server.answer(Script(status=307, headers={"location": server.url}))
    assert failed(server.url).code == "http_307"
    assert len(server.asked) == 1


def test_who_is_not_there_was_not_paid() -> None:
    with socket.create_server(("127.0.0.1", 0)) as left:
        url = f"http://127.0.0.1:{left.getsockname()[1]}"
    error = failed(url)
    assert (type(error), error.code, error.maybe_paid) == (Unavailable, "unreachable", False)


@pytest.mark.parametrize("url", ["", "provider", "ftp://127.0.0.1/", "http://", "http://[::1", "http://127.0.0.1:x/"])
def test_an_endpoint_that_is_no_url_says_so(url: str) -> None:
    error = failed(url)
    assert (type(error), error.maybe_paid) == (Unavailable, False)


def test_a_number_that_json_has_not_is_an_invalid_request(server: ProviderServer) -> None:
    with pytest.raises(InvalidRequest):
        post_json(server.url, {"a": float("nan")}, headers={}, timeout=5, read_error=lambda status, body: None)


def test_an_unknown_certificate_is_not_trusted(tls_server: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    tls_server.answer(Script({}))
    error = failed(tls_server.url)
    assert (type(error), error.code, error.maybe_paid) == (Unavailable, "bad_certificate", False)
    assert tls_server.asked == []


def test_a_known_certificate_is_trusted(
    tls_server: ProviderServer, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls_server.answer(Script({"b": 1}))
    assert post(tls_server.url).body == {"b": 1}
