"""Find Similar: one call of the tenant's embedding model, and a look among the questions that were answered."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from broker.errors import BrokerError, Conflict, Refused
from broker.jobs.store import Jobs, Payloads
from broker.steps.cache_lookup import CacheLookup
from broker.steps.context import Run, enter, material
from broker.tenants.registry import Tenants


@dataclass(frozen=True, slots=True)
class FindSimilar:
    """Looks for one run, once Select Model has found nothing for the very same question."""

    jobs: Jobs
    payloads: Payloads
    tenants: Tenants
    cache_lookup: CacheLookup
    embed: Callable[[Run, Mapping[str, Any], str, str, int], Sequence[float]]
    """Asks a model (its id) for the embedding of a text of the request, and books the call."""

    def __call__(self, run: Run, now: int) -> dict[str, Any]:
        """Returns `{"cached": {"output", "facts", "given"}}`, or nothing.

        Where the embedding fails, the job goes on without.

        Raises:
            Conflict: the run is stale.
            Refused: the embedding model's provider stopped; that is never routed around.
        """
        enter(self.jobs, run)
        model = self.tenants.get(run.tenant, now).cache_embedding_model
        if model is None:
            return {}  # the operators took it away since
        request = material(self.payloads, run)
        try:
            return self.cache_lookup.similar(run, request, lambda text: self.embed(run, request, model, text, now), now)
        except (Conflict, Refused):
            raise
        except BrokerError:  # its attempt tells why
            return {}
