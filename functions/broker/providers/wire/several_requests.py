"""More texts, or parts of one, than a service takes at once: several requests, which share the call's time."""

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from broker.errors import BrokerError, ModelTimedOut

P = TypeVar("P")
T = TypeVar("T")


def in_batches(given: list[P], most: int, timeout: float, ask: Callable[[list[P], float], T]) -> Iterator[T]:
    """Ask for at most `most` things at once; `ask` gets them and the seconds that are left.

    Raises:
        ModelTimedOut: the time is over.
        BrokerError: what `ask` raises; after the first answer it may have been paid for in any case.
    """
    until = time.monotonic() + timeout
    for place in range(0, len(given), most):
        left = until - time.monotonic() if place else timeout
        try:
            if place and left <= 0:
                raise ModelTimedOut("The provider did not answer in time.", code="timeout")
            answered = ask(given[place : place + most], left)
        except BrokerError as error:
            error.maybe_paid = error.maybe_paid or place > 0
            error.tokens = None if place else error.tokens  # what came before is paid for too
            raise
        yield answered
