"""The order ``rate=N``: N calls a second with a model's name, and what ten seconds bring is saved up, as a bucket."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from local.model_server.exchange import Problem

SAVED_S = 10
_REMEMBERED = 1_000


class Rates:
    """Buckets by name; the latest 1,000 names are remembered."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` gives seconds."""
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """What is left, and when that was so."""
        self._lock = threading.Lock()

    def take(self, name: str, rate: float) -> dict[str, str]:
        """Count a call, and give the headers that tell of the limit; raise Problem where it is used up."""
        if rate <= 0:
            raise Problem("throttled", retry_after=60)
        most = max(1.0, SAVED_S * rate)
        with self._lock:
            now = self._clock()
            left, at = self._levels.get(name, (most, now))
            left = min(most, left + (now - at) * rate)
            taken = left >= 1
            self._levels[name] = left - taken, now
            self._levels.move_to_end(name)
            while len(self._levels) > _REMEMBERED:
                self._levels.popitem(last=False)
        if not taken:
            raise Problem("throttled", retry_after=(1 - left) / rate)
        limits = {"limit": rate * 60, "remaining": left - 1}
        return {f"x-ratelimit-{what}-requests": str(int(number)) for what, number in limits.items()}

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._levels.clear()
