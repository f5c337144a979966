"""Connections that are kept: servers that answer in every form, and those that leave at every moment."""

import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

import pytest
from broker.bounds import Overrun, within
from broker.cloud.keep_alive import LARGEST_HEAD, MOST_IDLE, KeepAlive, Reply
from cryptography import x509

from tests.fakes.raw_server import ECHO, RESET, STAY, RawServer, Turn, raw_server
from tests.unit.certificates import write_certificate

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: x\r\n"
WHOLE = HEAD + b"content-length: 7\r\n\r\nthe end"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n4\r\nthe \r\n3;note=1\r\nend\r\n0\r\n\r\n"
LONG = bytes(range(256)) * 2000


def client(server: RawServer, read_s: float = 20) -> KeepAlive:
    return KeepAlive(server.url, connect_s=20, read_s=read_s)


def ask(over: KeepAlive, body: bytes = b"?") -> Reply:
    return over.post("/", {"host": "x"}, body)


def split(reply: bytes) -> list[bytes]:
    return [reply[at : at + 1] for at in range(len(reply))]


@pytest.mark.parametrize(
    ("turn", "body"),
    [
        (WHOLE, b"the end"),
        (split(WHOLE), b"the end"),
        (CHUNKED, b"the end"),
        (split(CHUNKED), b"the end"),
        (CHUNKED[:-2] + b"content-type: of a trailer\r\n\r\n", b"the end"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + WHOLE, b"the end"),
        ([b"HTTP/1.1 103 Early Hints\r\ncontent-type: early\r\n\r\n", WHOLE], b"the end"),
        (HEAD + b"content-length: %d\r\n\r\n" % len(LONG) + LONG, LONG),
        (HEAD + b"Content-Length:0\r\n\r\n", b""),
    ],
    ids=["length", "length split", "chunks", "chunks split", "trailer", "continue", "hints", "long", "empty"],
)
def test_a_reply_comes_whole_in_whatever_form_and_its_connection_is_kept(turn: Turn, body: bytes) -> None:
    with raw_server([turn, turn, STAY]) as server:
        over = client(server)
        for _ in range(2):
            reply = ask(over)
            assert (reply.status, reply.headers["content-type"], reply.body) == (200, "x", body)
    assert [number for number, _ in server.asked] == [0, 0]


def test_a_reply_without_a_body_is_whole() -> None:
    with raw_server([b"HTTP/1.1 204 No Content\r\n\r\n", WHOLE, STAY]) as server:
        over = client(server)
        assert [ask(over).status for _ in range(2)] == [204, 200]


@pytest.mark.parametrize(
    "last",
    [
        WHOLE.replace(b"\r\n", b"\r\nConnection: close\r\n", 1),
        CHUNKED.replace(b"\r\n", b"\r\nconnection: Close\r\n", 1),
        WHOLE.replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
    ids=["length", "chunks", "1.0"],
)
def test_a_connection_that_the_server_ends_is_not_used_again(last: bytes) -> None:
    with raw_server([last, STAY], [WHOLE, STAY]) as server:
        over = client(server)
        assert [ask(over).body for _ in range(2)] == [b"the end"] * 2
    assert [number for number, _ in server.asked] == [0, 1]


CUT = {f"{name} cut at {at}": reply[:at] for name, reply in (("length", WHOLE), ("chunks", CHUNKED))
       for at in range(len(reply))}  # fmt: skip
WRONG = {
    "until the end": HEAD + b"\r\nthe end",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "no status": b"HTTP/1.1 abc\r\n\r\n",
    "other version": b"HTTP/9.9 200 OK\r\ncontent-length: 0\r\n\r\n",
    "two lengths": HEAD + b"content-length: 7\r\ncontent-length: 9\r\n\r\nthe end",
    "length and chunks": HEAD + b"content-length: 7\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "length below zero": HEAD + b"content-length: -1\r\n\r\n",
    "bad chunk": HEAD + b"transfer-encoding: chunked\r\n\r\nxyz\r\n",
    "two replies": WHOLE + WHOLE,
    "upgrade": b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    "long header": HEAD + b"x: " + b"x" * 2 * LARGEST_HEAD,
    "many headers": HEAD + b"x: y\r\n" * LARGEST_HEAD,
    "interim for ever": b"HTTP/1.1 100 Continue\r\n\r\n" * LARGEST_HEAD,
}


@pytest.mark.parametrize("turn", [*CUT.values(), *WRONG.values()], ids=[*CUT, *WRONG])
def test_what_is_no_whole_reply_is_an_error_and_nothing_is_sent_again(turn: bytes) -> None:
    with raw_server([turn], [WHOLE, STAY]) as server:
        over = client(server)
        with pytest.raises(OSError):
            ask(over, b"first")
        assert ask(over, b"second").body == b"the end"
    assert server.asked == [(0, b"first"), (1, b"second")]


def test_a_server_that_closes_before_the_request_is_an_error() -> None:
    with raw_server([]) as server, pytest.raises(OSError):
        ask(client(server), LONG * 20)
    assert server.asked == [] and server.accepted == 1


@pytest.mark.parametrize("end", [b"", RESET], ids=["closed", "reset"])
def test_a_kept_connection_that_ends_without_a_byte_is_replaced_once(end: bytes) -> None:
    with raw_server([WHOLE, end], [WHOLE, STAY]) as server:
        over = client(server)
        ask(over, b"first")
        assert ask(over, b"second").body == b"the end"
    assert server.asked == [(0, b"first"), (0, b"second"), (1, b"second")]


def test_it_is_replaced_once_only() -> None:
    with raw_server([WHOLE, b""], [b""], [WHOLE]) as server:
        over = client(server)
        ask(over, b"first")
        with pytest.raises(OSError):
            ask(over, b"second")
    assert server.asked == [(0, b"first"), (0, b"second"), (1, b"second")]


def test_of_a_kept_connection_a_reply_that_began_is_not_asked_for_again() -> None:
    with raw_server([WHOLE, WHOLE[:1]], [WHOLE, STAY]) as server:
        over = client(server)
        ask(over, b"first")
        with pytest.raises(OSError):
            ask(over, b"second")
    assert server.asked == [(0, b"first"), (0, b"second")]


def test_what_nobody_asked_for_is_no_reply() -> None:
    late = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n"
    with raw_server([[WHOLE, late], STAY], [WHOLE]) as server:
        over = client(server)
        with suppress(ConnectionAbortedError):  # where both came at once
            assert ask(over).body == b"the end"
        server.sent.acquire()
        assert ask(over).status == 200
    assert [number for number, _ in server.asked] == [0, 1]


def test_a_reply_that_comes_too_late_is_not_taken_for_the_next_ones() -> None:
    with raw_server([WHOLE, STAY], [WHOLE]) as server:
        over = client(server, read_s=0.05)
        ask(over, b"first")
        with pytest.raises(TimeoutError):
            ask(over, b"second")
        assert ask(over, b"third").body == b"the end"
    assert server.asked == [(0, b"first"), (0, b"second"), (1, b"third")]


def test_a_bound_of_time_that_breaks_in_ends_the_connection() -> None:
    with raw_server([STAY], [WHOLE]) as server:
        over = client(server)
        with pytest.raises(Overrun), within(0.05):
            ask(over)
        assert ask(over).body == b"the end"


def test_where_nobody_listens_is_an_error() -> None:
    with raw_server() as server:
        pass
    with pytest.raises(OSError):
        ask(client(server))


def test_a_header_brings_no_other_in() -> None:
    with raw_server([WHOLE]) as server, pytest.raises(ValueError, match="more than one line"):
        client(server).post("/", {"host": "x\r\nx-admin: yes"}, b"")
    assert server.asked == []


def test_each_thread_gets_the_reply_to_its_own_request() -> None:
    threads, each = 2 * MOST_IDLE, 20
    with raw_server(*[[ECHO] * threads * each] * threads) as server:
        over = client(server)

        def talk(name: int) -> None:
            for number in range(each):
                said = b"%d says %d" % (name, number)
                assert ask(over, said).body == said

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(talk, range(threads)))
        assert server.accepted <= threads
    assert len(server.asked) == threads * each


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return write_certificate(tmp_path, x509.IPAddress(ip_address("127.0.0.1")))


@pytest.fixture
def tls(certificate: Path) -> Iterator[ssl.SSLContext]:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate)
    yield made


def secure(server: RawServer, bundle: Path, host: str = "127.0.0.1", connect_s: float = 20) -> KeepAlive:
    return KeepAlive(f"https://{host}:{server.port}", connect_s=connect_s, read_s=20, bundle=str(bundle))


@pytest.mark.parametrize("turn", [WHOLE, split(CHUNKED)], ids=["length", "chunks split"])
def test_the_same_goes_for_connections_that_are_encrypted(turn: Turn, certificate: Path, tls: ssl.SSLContext) -> None:
    with raw_server([turn, turn, b""], [turn, STAY], tls=tls) as server:
        over = secure(server, certificate)
        assert [ask(over).body for _ in range(3)] == [b"the end"] * 3
    assert [number for number, _ in server.asked] == [0, 0, 0, 1]


def test_a_certificate_for_somebody_else_is_not_trusted(certificate: Path, tls: ssl.SSLContext) -> None:
    with raw_server([WHOLE], tls=tls) as server, pytest.raises(ssl.SSLCertVerificationError):
        ask(secure(server, certificate, "localhost"))
    assert server.asked == []


def test_a_certificate_that_the_bundle_does_not_vouch_for_is_not_trusted(tls: ssl.SSLContext, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    bundle = write_certificate(other, x509.IPAddress(ip_address("127.0.0.1")))
    with raw_server([WHOLE], tls=tls) as server, pytest.raises(ssl.SSLCertVerificationError):
        ask(secure(server, bundle))
    assert server.asked == []


def test_nothing_goes_in_the_clear_to_a_server_without_tls(certificate: Path) -> None:
    with raw_server([WHOLE]) as server, pytest.raises(OSError):
        ask(secure(server, certificate, connect_s=0.2), b"secret")
    assert server.asked == []
