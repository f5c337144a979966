"""Circuits that stand as a test says, and remember what they were told."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from broker.errors import CircuitOpen
from broker.routing.circuits import CLOSED, State
from broker.routing.figures import Figures


@dataclass(slots=True)
class FakeCircuits:
    """See `broker.routing.circuits.Circuits` and `broker.routing.figures.Health`."""

    known: dict[str, State] = field(default_factory=dict)
    live: dict[str, Figures] = field(default_factory=dict)
    admitted: list[tuple[str, int]] = field(default_factory=list)
    """Model and lease in milliseconds of each call that was let through."""
    recorded: list[tuple[str, str, int]] = field(default_factory=list)
    """Model, outcome and latency in milliseconds."""

    def states(self, now: int, tenant: str) -> Mapping[str, State]:
        """See `Circuits.states`."""
        return dict(self.known)

    def figures(self, now: int) -> Mapping[str, Figures]:
        """See `Health.figures`."""
        return dict(self.live)

    def admit(self, model_id: str, tenant: str, now: int, lease_ms: int, *, hurried: bool = False) -> None:
        """See `Circuits.admit`; a half-open circuit lets one call through."""
        state = self.known.get(model_id, CLOSED)
        if state.phase == "open" or state.probing:
            raise CircuitOpen(f"The circuit of {model_id} is open.", code="circuit_open", retry_after=1)
        if state.phase == "half_open":
            self.known[model_id] = State("half_open", now + lease_ms)
        self.admitted.append((model_id, lease_ms))

    def record(self, model_id: str, tenant: str, outcome: str, latency_ms: int, now: int) -> None:
        """See `Circuits.record`."""
        self.recorded.append((model_id, outcome, latency_ms))
