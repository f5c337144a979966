"""Select Model: the candidates of a run, in order, and the reasons kept beside the job."""

from dataclasses import dataclass
from typing import Any

from broker.errors import InvalidRequest
from broker.jobs.store import Jobs, Payloads
from broker.routing.models import Models
from broker.routing.selection import select
from broker.steps.context import Run, material
from broker.steps.recalling import Recall
from broker.tenants.registry import Tenants
from broker.tokens import estimate_input


@dataclass(frozen=True, slots=True)
class SelectModel:
    """Chooses for one run."""

    jobs: Jobs
    payloads: Payloads
    models: Models
    tenants: Tenants
    recall: Recall

    def __call__(self, run: Run, now: int) -> dict[str, Any]:
        """Returns `{"candidates": [model ids]}`, and what `Recall` has to say for a job that asked for the cache.

        A stale run only writes its own notes; what follows is fenced.

        Raises:
            Conflict: the job was erased.
            InvalidRequest: no model is left (one was disabled since the job was accepted).
        """
        request = material(self.payloads, run.id)
        tenant = self.tenants.get(run.tenant, now)
        chosen = select(request, self.models.all(now), tenant.models, estimate_input(request))
        self.jobs.note(run, f"ROUTE#{run.fence.run}", {"route": chosen.route})
        if not chosen.candidates:
            raise InvalidRequest("No model can do this job any more.", code="no_candidate", param="model")
        found = self.recall(run, request, tenant, chosen.candidates, now)
        return {"candidates": [model.id for model in chosen.candidates]} | found
