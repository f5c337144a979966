"""A call and its model's circuit, which is there to help: where it cannot be reached, the job goes its way."""

from collections.abc import Callable
from dataclasses import dataclass

from broker.errors import CircuitOpen
from broker.jobs.head import Head
from broker.routing.at_once import AtOnce
from broker.routing.circuits import Circuits
from broker.routing.credentials import Credential, circuit_of
from broker.routing.model import Model
from broker.steps.context import Run


@dataclass(frozen=True, slots=True)
class Admission:
    """Asks circuits, and tells them how calls end."""

    circuits: Circuits
    at_once: AtOnce
    notice: Callable[[str, Run | Head, Exception], None] = lambda what, run, error: None
    """Told of each circuit that could not be reached: what could not be done, the run, the error."""

    def admit(self, run: Run, model: Model, lease_ms: int, now: int, *, hurried: bool) -> None:
        """Ask a model's circuit for a call; as `routing.circuits.Circuits.admit`.

        Raises:
            CircuitOpen: the model is left alone for a while.
        """
        self._admit(model.id, run, lease_ms, now, hurried=hurried)

    def admit_key(
        self, run: Run, model: Model, credential: Credential, lease_ms: int, now: int, *, hurried: bool
    ) -> None:
        """The same of the circuit of one key of a model's pool."""
        self._admit(circuit_of(model.id, credential), run, lease_ms, now, hurried=hurried)

    def _admit(self, name: str, run: Run, lease_ms: int, now: int, *, hurried: bool) -> None:
        try:
            self.circuits.admit(name, run.tenant, now, lease_ms, hurried=hurried)
        except CircuitOpen:
            raise
        except Exception as error:
            self.notice("a circuit could not be read", run, error)

    def take_place(self, run: Run, model: Model, now: int) -> bool:
        """Have a place for work that the provider does by itself.

        Returns:
            Whether it is a new one.

        Raises:
            CircuitOpen: the tenant has as much of it as it may.
        """
        try:
            return self.at_once.take(model, run.tenant, run.id, now)
        except CircuitOpen:
            raise
        except Exception as error:
            self.notice("a place could not be taken", run, error)
            return False

    def leave_place(self, run: Run | Head, model: Model) -> None:
        """Give it back, if the job has one."""
        try:
            self.at_once.leave(model, run.tenant, run.id)
        except Exception as error:  # it is free again by its time
            self.notice("a place could not be given back", run, error)

    def record(self, run: Run, model: Model, outcome: str, latency_ms: int, now: int) -> None:
        """Tell a model's circuit how a call of `latency_ms` ended: `outcome` is an error's name, or that of success."""
        self._record(model.id, run, outcome, latency_ms, now)

    def record_key(
        self, run: Run, model: Model, credential: Credential, outcome: str, latency_ms: int, now: int
    ) -> None:
        """The same of the circuit of one key of a model's pool."""
        self._record(circuit_of(model.id, credential), run, outcome, latency_ms, now)

    def _record(self, name: str, run: Run, outcome: str, latency_ms: int, now: int) -> None:
        try:
            self.circuits.record(name, run.tenant, outcome, latency_ms, now)
        except Exception as error:
            self.notice("a circuit could not be told", run, error)
