"""The connections below the providers: kept for the process, bounded in time as a whole, dropped when long idle."""

import io
import math
import time
from functools import cache
from http.client import HTTPResponse
from socket import socket
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

LONGEST_IDLE_S = 30.0
"""Connections unused for longer are dropped: a function that was frozen finds them dead only after it has sent a call,
and would have to book that call as perhaps paid for."""


class _Timed(io.RawIOBase):
    """A socket's bytes until a moment; a plain socket's timeout would start anew with each byte that drips in."""

    def __init__(self, sock: socket, inner: io.RawIOBase) -> None:
        self._sock = sock
        self._inner = inner
        # urllib3 has just set what is left of the call's total.
        left = sock.gettimeout()
        self._until = math.inf if left is None else time.monotonic() + left

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._until < math.inf:
            left = self._until - time.monotonic()
            if left <= 0:
                raise TimeoutError("the call's time is over")
            self._sock.settimeout(left)
        return self._inner.readinto(buffer)

    def close(self) -> None:
        self._inner.close()
        super().close()


class _TimedResponse(HTTPResponse):
    def __init__(self, sock: socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_Timed(sock, self.fp.detach()))


class _Connection(HTTPConnection):
    response_class = _TimedResponse


class _SecureConnection(HTTPSConnection):
    response_class = _TimedResponse


class _Connections(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecureConnections(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class Pool:
    """The process's connections."""

    def __init__(self) -> None:
        self._manager = urllib3.PoolManager(num_pools=16)
        self._manager.pool_classes_by_scheme = {"http": _Connections, "https": _SecureConnections}
        self._used_at = 0.0

    def manager(self) -> urllib3.PoolManager:
        """For one exchange; its connections end a call at its total time, however slowly bytes come."""
        # By the wall clock: the monotonic one may stand still while a function is frozen.
        now = time.time()
        if abs(now - self._used_at) > LONGEST_IDLE_S:
            self._manager.clear()
        self._used_at = now
        return self._manager


@cache
def pool() -> Pool:
    """The one of this process."""
    return Pool()
