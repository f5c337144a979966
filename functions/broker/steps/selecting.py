"""Select Model: the candidates of a run, in order, and the reasons kept beside the job."""

from dataclasses import dataclass
from typing import Any

from broker.errors import InvalidRequest
from broker.jobs.store import Jobs, Payloads
from broker.routing.models import Models
from broker.routing.selection import select
from broker.steps.context import Run, material
from broker.tenants.registry import Tenants
from broker.tokens import estimate_input


@dataclass(frozen=True, slots=True)
class SelectModel:
    """Chooses for one run."""

    jobs: Jobs
    payloads: Payloads
    models: Models
    tenants: Tenants

    def __call__(self, run: Run, now: int) -> dict[str, Any]:
        """Returns `{"candidates": [model ids]}`. A stale run only writes its own note; the call that follows is fenced.

        Raises:
            Conflict: the job was erased.
            InvalidRequest: no model is left (one was disabled since the job was accepted).
        """
        request = material(self.payloads, run.id)
        allowed = self.tenants.get(run.tenant, now).models
        chosen = select(request, self.models.all(now), allowed, estimate_input(request))
        self.jobs.note(run, f"ROUTE#{run.fence.run}", {"route": chosen.route})
        if not chosen.candidates:
            raise InvalidRequest("No model can do this job any more.", code="no_candidate", param="model")
        return {"candidates": [model.id for model in chosen.candidates]}
