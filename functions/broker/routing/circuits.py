"""Circuit breakers: a model that fails is left alone for a while, then asked once, and used again when it answers.

    closed ──(half of ten or more calls failed within a minute, or each further one would fail)──► open
    open ──(the cooling time is over)──► half-open: one call goes through, as a probe
    half-open ──(the probe was answered)──► closed
    half-open ──(the probe failed)──► open, with the cooling time doubled up to five minutes

A model has a circuit for all and one for each tenant. What one tenant alone meets opens its own: it may be of its own
making. It opens for all where calls of others fail as well. All functions share a circuit's state. What a call says of
its model is told by the table `consequences`; here are the rules and the port, and `breakers` keeps the states.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from broker.consequences import of_outcome

FEWEST_CALLS = 10
"""Fewer calls in the window say nothing."""

WINDOW_MS = 60_000

FIRST_COOLING_MS, LONGEST_COOLING_MS = 30_000, 300_000
"""A model that is gone is left alone for the longer time from the first: somebody has to change something."""

PROBED_MS = 60_000
"""By then most probes have ended, though they are leased for as long as a call may take."""

HURRIED_MS = 120_000
"""A half-open circuit that only hurried calls come to is probed by one of these after so long."""

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

    def states(self, now: int, tenant: str) -> Mapping[str, State]:
        """The circuits that are not closed for a tenant, by model; at most a few seconds old."""
        ...

    def admit(self, model_id: str, tenant: str, now: int, lease_ms: int, *, hurried: bool = False) -> None:
        """Ask before a call. Each call that was let through is followed by one `record`, whatever became of the job.

        Args:
            model_id: the model.
            tenant: whose call it is.
            now: milliseconds since the epoch.
            lease_ms: after so long a probe whose process died is given up; longer than the call can take.
            hurried: the caller gives the call so little time that it may find nothing out. It is no probe, unless
                nobody else has come for `HURRIED_MS`.

        Raises:
            CircuitOpen: not now; `retry_after` says when to ask again.
        """
        ...

    def record(self, model_id: str, tenant: str, outcome: str, latency_ms: int, now: int) -> None:
        """Tell what became of a call: `succeeded`, or the name of the error (also where it kept the call back)."""
        ...


def is_failure(outcome: str) -> bool:
    """True for what speaks against a model."""
    return of_outcome(outcome).circuit in ("failed", "opens", "opens_longer")


def opens_at_once(outcome: str) -> bool:
    """True where each further call would end the same."""
    return of_outcome(outcome).circuit in ("opens", "opens_longer")


def first_cooling(outcome: str) -> int:
    """Milliseconds that a circuit cools which such a call opened."""
    return LONGEST_COOLING_MS if of_outcome(outcome).circuit == "opens_longer" else FIRST_COOLING_MS


def worse(one: State, other: State) -> State:
    """Of two circuits that both have to let a call through, the one that keeps it back for longer."""
    order = {"closed": 0, "half_open": 1, "open": 2}
    return max(one, other, key=lambda state: (order[state.phase], state.until or 0))


def should_open(calls: int, failures: int) -> bool:
    """True when so many calls of one span of time, a minute at most, failed that the circuit opens."""
    return calls >= FEWEST_CALLS and 2 * failures >= calls


def next_cooling(cooling_ms: int) -> int:
    """The cooling time after a probe that failed."""
    return min(2 * cooling_ms, LONGEST_COOLING_MS)
