"""Jobs as they come and end, seen by looking at the newest ones again and again."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

PAUSE_S = 2.0
"""Between two looks: each is one request of the key's."""


def changes_of(
    look: Callable[[], Iterable[Any]],
    seconds: float | None,
    pause: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.monotonic,
) -> Iterator[Any]:
    """Each job when it is seen first, and again when its status has changed; oldest first.

    Args:
        look: gives the newest jobs, newest first. What more than these begin between two looks is not seen.
        seconds: after which it ends; never when None.
        pause: waits for some seconds.
        now: seconds of a clock that goes on by itself.
    """
    began, seen = now(), dict[str, str]()
    while True:
        found = list(look())
        for job in reversed(found):
            if seen.get(job["id"]) != job["status"]:
                yield job
        seen = {job["id"]: job["status"] for job in found}
        if seconds is not None and now() - began >= seconds:
            return
        pause(PAUSE_S)
