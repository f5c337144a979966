"""Orders to misbehave: how they are read, and the failures they make. The package's docstring has the table."""

import hashlib
import threading
from collections import OrderedDict

from local.model_server.exchange import Kind, Orders, Problem

ERRORS: dict[str, Kind] = {
    "400": "invalid",
    "401": "credentials",
    "403": "forbidden",
    "404": "not_found",
    "429": "throttled",
    "500": "server",
    "503": "unavailable",
    "context": "context",
}
CONTENT = frozenset({"refuse", "empty", "long", "echo", "notschema"})
"""What a model says."""
ODD = frozenset(
    {
        *("error200", "failed200", "busy200", "busy400", "busy429", "tokens413", "limit400"),
        *("context400", "context413", "context422", "context500", "flagged200", "flagged400", "flagged403"),
        *(
            "flagged498",
            "held200",
            "refused200",
            "unpaid",
            "key403",
            "gone400",
            "gone403",
            "gone404",
            "failed424",
            "timeout408",
        ),
        *("thinking", "full200", "badcall", "badcall400"),
    }
)
"""What services really send to a chat, each format in its own words (`odd`)."""
_FLAGS = CONTENT - {"long"} | ODD | ERRORS.keys() | {"hang", "cut", "badjson"}
_VALUED = frozenset({"latency", "429", "long", "fail_first", "rate"})
_LONGEST = 50_000_000
_REMEMBERED = 10_000


def split(name: str) -> tuple[str, str]:
    """Part a model's name from its orders: ``small!429`` is ``small`` and ``429``."""
    model, _, orders = name.partition("!")
    return model, orders


def read(*texts: str) -> Orders:
    """Read comma-separated orders; later texts win. An unknown order raises Problem, so that no typo passes."""
    orders: dict[str, float] = {}
    for entry in ",".join(texts).split(","):
        name, equals, value = (part.strip() for part in entry.partition("="))
        if not name:
            continue
        if name not in (_VALUED if equals else _FLAGS):
            raise Problem("invalid", f"Unknown misbehaviour '{entry.strip()}'.", "model")
        orders[name] = _number(name, value) if equals else 1.0
    return orders


def _number(name: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1
    if not 0 <= number <= _LONGEST:
        raise Problem("invalid", f"Misbehaviour '{name}' takes a number from 0 to {_LONGEST}.", "model")
    return number


def fail(orders: Orders, model: str) -> None:
    """Raise the first status that was ordered, if any."""
    for order, value in orders.items():
        if order in ERRORS:
            raise Problem(ERRORS[order], model=model, retry_after=value if order == "429" else None)


def allow(orders: Orders, *content: str) -> None:
    """Raise Problem for orders about what a chat model says that have no meaning for this call."""
    for order in orders:
        if order in CONTENT | ODD and order not in content:
            raise Problem("invalid", f"Misbehaviour '{order}' has no meaning here.", "model")


class FirstFailures:
    """Counts the failures of ``fail_first``; remembers the latest 10,000 inputs."""

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, int] = OrderedDict()
        self._lock = threading.Lock()

    def fail(self, name: str, seed: str, times: float) -> None:
        """Raise Problem if fewer than ``times`` calls of this name and input have failed."""
        key = hashlib.sha256(f"{name}\n{seed}".encode()).digest()
        with self._lock:
            seen = self._seen.get(key, 0)
            self._seen[key] = min(seen + 1, _LONGEST)
            self._seen.move_to_end(key)
            while len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        if seen < times:
            raise Problem("server")

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._seen.clear()
