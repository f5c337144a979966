"""A server on the loopback interface that sends what it is told, byte by byte if need be, and then closes."""

import socket
import ssl
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

RESET = b"\0reset"
"""A turn: end the connection by a reset, not by a farewell."""
STAY = b"\0stay"
"""A turn: leave the connection open, and say nothing more."""

ECHO = b"\0echo"
"""A turn: the request's body is the reply's."""

LONGEST_S = 30
"""Nobody waits longer for the other side."""

Turn = bytes | Sequence[bytes]
"""What is sent after one request; pieces of a sequence go out one at a time."""


@dataclass
class RawServer:
    """`connections` says for each connection, in their order, what follows each request; then it is closed."""

    port: int = 0
    connections: list[list[Turn]] = field(default_factory=list)
    asked: list[tuple[int, bytes]] = field(default_factory=list)
    """Bodies of requests, each with the number of its connection."""
    accepted: int = 0
    sent: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    """Released for each turn that is out."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, peer: socket.socket, number: int, over: threading.Event) -> None:
        """One connection, to its end."""
        with peer.makefile("rb") as lines:
            for turn in self.connections[number] if number < len(self.connections) else []:
                length = 0
                while (line := lines.readline()) not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                if not line:
                    return  # the client left
                body = lines.read(length)
                self.asked.append((number, body))
                if turn == STAY:
                    over.wait()
                    return
                elif turn == RESET:
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                elif turn == ECHO:
                    turn = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (length, body)
                for piece in [turn] if isinstance(turn, bytes) else turn:
                    peer.sendall(piece)
                self.sent.release()


@contextmanager
def raw_server(*connections: list[Turn], tls: ssl.SSLContext | None = None) -> Iterator[RawServer]:
    """Serve, while it lasts."""
    made, over = RawServer(connections=list(connections)), threading.Event()
    threads: list[threading.Thread] = []
    peers: list[socket.socket] = []
    listener = socket.create_server(("127.0.0.1", 0))
    made.port = listener.getsockname()[1]

    def one(plain: socket.socket, number: int) -> None:
        with suppress(OSError):  # the client left, or trusts nobody
            peer = tls.wrap_socket(plain, server_side=True) if tls else plain
            peers.append(peer)
            with peer:
                made.serve(peer, number, over)

    def accept() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # each piece goes out by itself
            peer.settimeout(LONGEST_S)
            peers.append(peer)
            threads.append(threading.Thread(target=one, args=(peer, made.accepted)))
            made.accepted += 1
            threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield made
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()
        for peer in peers:
            with suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
        for peer in peers:
            peer.close()
