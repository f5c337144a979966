"""A bound of time on a piece of work, by the process's alarm clock.

The alarm breaks into whatever runs: a loop, a wait for a socket or a lock, and a regular expression that backtracks for
ever, which holds the interpreter so that a thread beside it could never say stop. Nothing is left running, so nothing
goes on in a frozen environment's next invocation. What runs is left in the middle, as by a crash, and has to bear it as
it bears one. Only a call into the C library that retries by itself is not broken into (`getaddrinfo`).
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

AGAIN_S = 1.0
"""The alarm rings again after so long: one that rang inside of a finalizer was swallowed by it."""

TICK_S = 0.001


class Overrun(BaseException):
    """The work took too long; like a crash, it is not for `except Exception`."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Bound what is done in this context; contexts may stand in each other. For the main thread, where handlers run.

    Raises:
        Overrun: the time is over.
    """
    began = time.monotonic()
    outer = signal.setitimer(signal.ITIMER_REAL, 0)[0]
    before = signal.signal(signal.SIGALRM, _ring)
    try:
        _arm(min(seconds, outer) if outer else seconds)
        yield
    finally:
        try:
            signal.setitimer(signal.ITIMER_REAL, 0)
        finally:  # it may have rung right before; then not again for `AGAIN_S`
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            if outer:
                _arm(outer - (time.monotonic() - began))


def _arm(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_REAL, max(seconds, TICK_S), AGAIN_S)


def _ring(*_: Any) -> None:
    raise Overrun("the time is over")
