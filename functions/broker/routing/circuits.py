"""Circuit breakers: a model that fails is left alone for a while, then asked once, and used again when it answers.

    closed ──(half of ten or more calls failed within a minute, or our key was rejected)──► open
    open ──(the cooling time is over)──► half-open: one call goes through, as a probe
    half-open ──(the probe was answered)──► closed
    half-open ──(the probe failed)──► open, with the cooling time doubled up to five minutes

All functions share a circuit's state. Here are the rules and the port; `breakers` keeps the states in the ledger.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from broker.errors import (
    BudgetExceeded,
    CircuitOpen,
    Conflict,
    CredentialRejected,
    Throttled,
    TimedOut,
    Unavailable,
)

SUCCEEDED = "succeeded"
"""The outcome of a call that gave what was asked for; all others are names of errors."""

FAILURES = frozenset({Throttled.__name__, Unavailable.__name__, CredentialRejected.__name__})
"""Outcomes that speak against a provider."""

UNSENT = frozenset({kind.__name__ for kind in (CircuitOpen, Conflict, TimedOut, BudgetExceeded)})
"""Outcomes of a call that was let through and then not made: they say nothing. After all others, it did answer."""

AT_ONCE = CredentialRejected.__name__
"""The outcome that opens a circuit by itself: each further call would end the same."""

FEWEST_CALLS = 10
"""Fewer calls in the window say nothing."""

WINDOW_MS = 60_000

FIRST_COOLING_MS, LONGEST_COOLING_MS = 30_000, 300_000

PROBED_MS = 60_000
"""By then most probes have ended, though they are leased for as long as a call may take."""

Phase = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True)
class State:
    """One circuit at one moment. Times are milliseconds since the epoch."""

    phase: Phase = "closed"
    until: int | None = None
    """While open: when the cooling is over. While half-open: when a probe that is under way is given up."""

    @property
    def probing(self) -> bool:
        """True while half-open with its one probe under way."""
        return self.phase == "half_open" and self.until is not None

    def retry_after(self, now: int) -> float:
        """Seconds until it makes sense to ask again: at the end of the cooling, or soon after a probe began."""
        until = self.until or now
        return max(1.0, ((min(until, now + PROBED_MS) if self.probing else until) - now) / 1000)


CLOSED = State()


class Circuits(Protocol):
    """The circuits of all models."""

    def states(self, now: int) -> Mapping[str, State]:
        """The circuits that are not closed, by model; at most a few seconds old."""
        ...

    def admit(self, model_id: str, now: int, lease_ms: int) -> None:
        """Ask before a call. Each call that was let through is followed by one `record`.

        Args:
            model_id: the model.
            now: milliseconds since the epoch.
            lease_ms: after so long a probe whose process died is given up; longer than the call can take.

        Raises:
            CircuitOpen: not now; `retry_after` says when to ask again.
        """
        ...

    def record(self, model_id: str, outcome: str, latency_ms: int, now: int) -> None:
        """Tell what became of a call: `succeeded`, or the name of the error (also where it kept the call back)."""
        ...


def should_open(calls: int, failures: int) -> bool:
    """True when so many calls of one span of time, a minute at most, failed that the circuit opens."""
    return calls >= FEWEST_CALLS and 2 * failures >= calls


def next_cooling(cooling_ms: int) -> int:
    """The cooling time after a probe that failed."""
    return min(2 * cooling_ms, LONGEST_COOLING_MS)
