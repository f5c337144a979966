"""What was called, for tests to read. Prompts and answers are never kept."""

import threading
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass

from local.model_server.exchange import Json

_KEPT = 10_000


@dataclass
class CallSeen:
    """One call: the model's name as it was sent, and no status while, or if, no answer was sent."""

    model: str | None
    path: str
    status: int | None
    at: float


class Calls:
    """The latest 10,000 calls and the number of all since the last clear."""

    def __init__(self) -> None:
        self._calls: deque[CallSeen] = deque(maxlen=_KEPT)
        self._total = 0
        self._lock = threading.Lock()

    def begin(self, path: str) -> CallSeen:
        """Note that a call came in; the caller fills in model and status as they become known."""
        call = CallSeen(None, path, None, time.time())
        with self._lock:
            self._calls.append(call)
            self._total += 1
        return call

    def clear(self) -> None:
        """Forget all calls."""
        with self._lock:
            self._calls.clear()
            self._total = 0

    def report(self) -> Json:
        """Give the calls, oldest first, with their number (forgotten ones too) and counts of those listed."""
        with self._lock:
            calls, total = [asdict(call) for call in self._calls], self._total
        return {
            "total": total,
            "by_model": Counter(call["model"] for call in calls if call["model"] is not None),
            "by_status": Counter(str(call["status"]) for call in calls if call["status"] is not None),
            "calls": calls,
        }
