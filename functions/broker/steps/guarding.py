"""Check Input and Moderate Output: the policies that hold for a job, before and after the model."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from broker.guardrails.pipeline import inspect
from broker.guardrails.policy import Stage
from broker.guardrails.walk import Seen, input_texts, output_texts
from broker.jobs.store import Jobs, Payloads
from broker.steps.context import Run, enter, material
from broker.tenants.policies import Policies
from broker.tenants.registry import Tenants


@dataclass(frozen=True, slots=True)
class Guard:
    """Runs the policies, and keeps what they found beside the job."""

    jobs: Jobs
    payloads: Payloads
    tenants: Tenants
    policies: Policies

    def check_input(self, run: Run, now: int) -> dict[str, Any]:
        """Returns `{"blocked": bool, "rules": [names]}`.

        Raises:
            Conflict: the run is stale.
            PolicyMissing: a policy that is to hold is not there.
        """
        return self._guard(run, "input", input_texts(material(self.payloads, run.id)), now)

    def moderate_output(self, run: Run, output: str, now: int) -> dict[str, Any]:
        """The same for the answer kept as the payload `output`."""
        if run.keeps:
            # The cache finds an answer by the rules that held, so it has to have passed none that are older.
            self.tenants.forget(run.tenant)
            self.policies.forget()
        return self._guard(run, "output", output_texts(self.payloads.load(run.id, output)), now)

    def _guard(self, run: Run, stage: Stage, texts: Iterable[Seen], now: int) -> dict[str, Any]:
        policies = self.policies.holding(self.tenants.get(run.tenant, now), run.policies, now)
        report = inspect(stage, texts, policies, lambda: material(self.payloads, run.id))
        if report.findings:
            # The head is only read where there is something to write: all that follows is fenced by itself.
            self.jobs.note(
                enter(self.jobs, run),
                f"GUARD#{run.fence.run}#{stage}",
                {"findings": [each.to_item() for each in report.findings]},
            )
        return {"blocked": report.blocked, "rules": sorted(report.blocking)}
