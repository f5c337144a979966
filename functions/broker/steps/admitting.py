"""A call and its model's circuit, which is there to help: where it cannot be reached, the job goes its way."""

from collections.abc import Callable
from dataclasses import dataclass

from broker.errors import CircuitOpen
from broker.routing.circuits import Circuits
from broker.routing.model import Model
from broker.steps.context import Run


@dataclass(frozen=True, slots=True)
class Admission:
    """Asks circuits, and tells them how calls end."""

    circuits: Circuits
    notice: Callable[[str, Run, Exception], None] = lambda what, run, error: None
    """Told of each circuit that could not be reached: what could not be done, the run, the error."""

    def admit(self, run: Run, model: Model, lease_ms: int, now: int, *, hurried: bool) -> None:
        """Ask a model's circuit for a call; as `routing.circuits.Circuits.admit`.

        Raises:
            CircuitOpen: the model is left alone for a while.
        """
        try:
            self.circuits.admit(model.id, run.tenant, now, lease_ms, hurried=hurried)
        except CircuitOpen:
            raise
        except Exception as error:
            self.notice("a circuit could not be read", run, error)

    def record(self, run: Run, model: Model, outcome: str, latency_ms: int, now: int) -> None:
        """Tell a model's circuit how a call of `latency_ms` ended: `outcome` is an error's name, or that of success."""
        try:
            self.circuits.record(model.id, run.tenant, outcome, latency_ms, now)
        except Exception as error:
            self.notice("a circuit could not be told", run, error)
