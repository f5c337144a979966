"""Receivers of webhooks that mean no good: none outlasts the deadline, and none breaks the one who posts."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from broker.delivery.addresses import Target
from broker.delivery.post import post
from broker.errors import Unavailable

LONGER_THAN_ANY = 30
"""Seconds: what is cut off after one would go on for ever."""


def failed(target: Target, timeout_s: float = 10) -> str:
    with pytest.raises(Unavailable) as failure:
        post(target, b"{}", {}, timeout_s)
    assert failure.value.code == "webhook_unreachable"
    return failure.value.message


@pytest.fixture
def raw() -> Iterator[Callable[[Callable[[socket.socket, threading.Event], None]], int]]:
    """Starts receivers that speak no HTTP of a library: gives the port."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []
    over = threading.Event()

    def start(answer: Callable[[socket.socket, threading.Event], None]) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def serve() -> None:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                try:
                    answer(peer, over)
                except OSError:
                    return  # it was cut off

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return int(listener.getsockname()[1])

    yield start
    over.set()
    for listener in listeners:
        listener.close()
    for thread in threads:
        thread.join()


def test_a_handshake_does_not_outlast_the_deadline(raw: Callable[..., int]) -> None:
    def drip(peer: socket.socket, over: threading.Event) -> None:
        peer.sendall(b"\x16\x03\x03\x40\x00")  # a record of 16 KiB, which comes a byte at a time
        while not over.wait(0.05):
            peer.sendall(b"\x02")

    began = time.monotonic()
    failed(Target("https", "hooks.example.com", raw(drip), "/", "127.0.0.1"), timeout_s=1)
    assert time.monotonic() - began < LONGER_THAN_ANY


def test_interim_answers_without_end_are_cut_off(raw: Callable[..., int]) -> None:
    def go_on(peer: socket.socket, over: threading.Event) -> None:
        while not over.is_set():
            peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    began = time.monotonic()
    failed(Target("http", "hooks.example.com", raw(go_on), "/", "127.0.0.1"), timeout_s=1)
    assert time.monotonic() - began < LONGER_THAN_ANY


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 99 Low\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"x" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 200 + b"\r\n",
    ],
    ids=range(7),
)
def test_what_is_no_answer_is_an_error_of_ours(raw: Callable[..., int], answer: bytes) -> None:
    def say(peer: socket.socket, over: threading.Event) -> None:
        peer.recv(65_536)
        peer.sendall(answer)

    message = failed(Target("http", "hooks.example.com", raw(say), "/", "127.0.0.1"))
    assert "OpenSSH" not in message and "999" not in message


@pytest.mark.parametrize("wait", [b"9" * 400, b"Wed, 21 Oct 2015 07:28:00 +99999999999999999", "٣".encode()])
def test_a_pause_that_nobody_can_keep_is_none(raw: Callable[..., int], wait: bytes) -> None:
    def say(peer: socket.socket, over: threading.Event) -> None:
        peer.recv(65_536)
        peer.sendall(b"HTTP/1.1 429 Wait\r\ncontent-length: 0\r\nretry-after: " + wait + b"\r\n\r\n")

    reply = post(Target("http", "hooks.example.com", raw(say), "/", "127.0.0.1"), b"{}", {})
    assert (reply.status, reply.retry_after_s) == (429, None)
