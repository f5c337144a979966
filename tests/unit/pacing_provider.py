"""A provider with rate limits, as providers count them: buckets that fill all the time, fixed windows, sliding ones."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tests.fakes.world import MINUTE, NOW, SECOND

HEADERS: Mapping[str, Mapping[str, str]] = {
    "openai": {
        "x-ratelimit-limit-requests": "limit calls",
        "x-ratelimit-remaining-requests": "left calls",
        "x-ratelimit-limit-tokens": "limit tokens",
        "x-ratelimit-remaining-tokens": "left tokens",
    },
    "calls alone": {"x-ratelimit-limit-requests": "limit calls", "x-ratelimit-remaining-requests": "left calls"},
    "anthropic": {
        "anthropic-ratelimit-requests-limit": "limit calls",
        "anthropic-ratelimit-requests-remaining": "left calls",
        "anthropic-ratelimit-tokens-limit": "limit tokens",
        "anthropic-ratelimit-tokens-remaining": "left tokens",
    },
    "limits without what is left": {"x-ratelimit-limit-requests": "limit calls"},
    "what is left without limits": {"x-ratelimit-remaining-requests": "left calls"},
    "a draft": {"ratelimit-limit": "limit calls", "ratelimit-remaining": "left calls", "ratelimit-reset": "60"},
}
"""Of replies, by how a provider names its limits, which are of a minute."""

UNKNOWN = "limit tokens", "left tokens"
"""Where a provider has no limit of tokens."""


class Limiter(Protocol):
    """So many calls, or tokens, in some time."""

    def room(self, now: int) -> float:
        """What may be taken now."""
        ...

    def take(self, amount: float, now: int) -> None:
        """Count it, though there be no room for it."""
        ...

    def wait_ms(self, amount: float, now: int) -> int:
        """Until there is room for so much, if nobody else takes any."""
        ...

    def scale(self, times: float, now: int) -> None:
        """Another rate from now on."""
        ...

    @property
    def minute(self) -> float:
        """The limit of a minute."""
        ...


@dataclass
class Bucket:
    """So much a second, and so much saved up."""

    rate: float
    most: float
    level: float = field(init=False)
    _at: int = NOW

    def __post_init__(self) -> None:
        self.level = self.most

    def room(self, now: int) -> float:
        """See `Limiter`."""
        self.level = min(self.most, self.level + self.rate * (now - self._at) / 1000)
        self._at = now
        return self.level

    def take(self, amount: float, now: int) -> None:
        """See `Limiter`."""
        self.level = self.room(now) - amount

    def wait_ms(self, amount: float, now: int) -> int:
        """See `Limiter`."""
        return max(0, round((amount - self.room(now)) / self.rate * 1000))

    def scale(self, times: float, now: int) -> None:
        """See `Limiter`."""
        self.room(now)
        self.rate, self.most = self.rate * times, self.most * times

    @property
    def minute(self) -> float:
        """See `Limiter`."""
        return self.rate * 60


@dataclass
class Fixed:
    """So much in each window, which begin at times that nobody knows."""

    limit: float
    span_ms: int
    offset_ms: int = 0
    _window: int = -1
    _used: float = 0.0

    def room(self, now: int) -> float:
        """See `Limiter`."""
        window = (now - self.offset_ms) // self.span_ms
        if window != self._window:
            self._window, self._used = window, 0.0
        return self.limit - self._used

    def take(self, amount: float, now: int) -> None:
        """See `Limiter`."""
        self.room(now)
        self._used += amount

    def wait_ms(self, amount: float, now: int) -> int:
        """See `Limiter`."""
        return 0 if self.room(now) >= amount else self.span_ms - (now - self.offset_ms) % self.span_ms

    def scale(self, times: float, now: int) -> None:
        """See `Limiter`."""
        self.limit *= times

    @property
    def minute(self) -> float:
        """See `Limiter`."""
        return self.limit * MINUTE / self.span_ms


@dataclass
class Sliding:
    """So much in any time of such a length."""

    limit: float
    span_ms: int
    _taken: deque[tuple[int, float]] = field(default_factory=deque)
    _used: float = 0.0

    def room(self, now: int) -> float:
        """See `Limiter`."""
        while self._taken and self._taken[0][0] <= now - self.span_ms:
            self._used -= self._taken.popleft()[1]
        return self.limit - self._used

    def take(self, amount: float, now: int) -> None:
        """See `Limiter`."""
        self._taken.append((now, amount))
        self._used += amount

    def wait_ms(self, amount: float, now: int) -> int:
        """See `Limiter`."""
        lacking = amount - self.room(now)
        for at, freed in self._taken:
            if lacking <= 0:
                break
            lacking -= freed
            until = at + self.span_ms - now
        return 0 if amount <= self.room(now) else until

    def scale(self, times: float, now: int) -> None:
        """See `Limiter`."""
        self.limit *= times

    @property
    def minute(self) -> float:
        """See `Limiter`."""
        return self.limit * MINUTE / self.span_ms


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Calls of somebody else by the same account, evenly, which come first."""

    rate: float
    """A second, while they are made."""
    on_ms: int = 1
    off_ms: int = 0
    tokens: int = 1_000

    def due(self, since: int, until: int) -> int:
        """How many are made in some time."""
        return self._until(until) - self._until(since)

    def _until(self, at: int) -> int:
        rounds, rest = divmod(at - NOW, self.on_ms + self.off_ms)
        return int((rounds * self.on_ms + min(rest, self.on_ms)) * self.rate / 1000)


@dataclass
class Limited:
    """A provider of one model."""

    calls: Limiter
    tokens: Limiter | None = None
    names: str = ""
    """A key of `HEADERS`; empty where it names no limits."""
    retry_after: float | str | None = None
    """Seconds; `true` for as long as it takes."""
    elsewhere: Elsewhere | None = None
    _elsewhere_until: int = NOW

    def takes(self, tokens: int, now: int) -> bool:
        """True where a call is within the limits; it is then counted."""
        self._others(now)
        if self.calls.room(now) < 1 or (self.tokens and self.tokens.room(now) < tokens):
            return False
        self.calls.take(1, now)
        if self.tokens:
            self.tokens.take(tokens, now)
        return True

    def pause_s(self, tokens: int, now: int) -> float | None:
        """What it asks for where it refuses a call."""
        if self.retry_after != "true":
            return None if self.retry_after is None else float(self.retry_after)
        waits = [self.calls.wait_ms(1, now), *([self.tokens.wait_ms(tokens, now)] if self.tokens else [])]
        return max(waits) / SECOND

    def headers(self, now: int) -> dict[str, str]:
        """Of any reply."""
        known: dict[str, float] = {"limit calls": self.calls.minute, "left calls": self.calls.room(now)}
        if self.tokens:
            known |= {"limit tokens": self.tokens.minute, "left tokens": self.tokens.room(now)}
        named = HEADERS[self.names] if self.names else {}
        return {
            name: str(max(0, int(known.get(what, what))))
            for name, what in named.items()
            if what in known or what.isdigit()
        }

    def scale(self, times: float, now: int) -> None:
        """Other limits from now on."""
        self._others(now)
        self.calls.scale(times, now)
        if self.tokens:
            self.tokens.scale(times, now)

    def _others(self, now: int) -> None:
        since, self._elsewhere_until = self._elsewhere_until, now
        if self.elsewhere and (number := self.elsewhere.due(since, now)):
            self.calls.take(number, now)
            if self.tokens:
                self.tokens.take(number * self.elsewhere.tokens, now)
