"""Check Input and Moderate Output: the tenant's guardrail rules before and after the model."""

from dataclasses import dataclass
from typing import Any, Literal

from broker.guardrails.policy import Policy
from broker.guardrails.rules import blocks, check
from broker.guardrails.text_places import input_texts, output_texts
from broker.jobs.store import Jobs, Payloads
from broker.steps.context import Run, enter, material
from broker.tenants.registry import Tenants


@dataclass(frozen=True, slots=True)
class Guard:
    """Runs the rules, and keeps what they found beside the job."""

    jobs: Jobs
    payloads: Payloads
    tenants: Tenants

    def check_input(self, run: Run, now: int) -> dict[str, Any]:
        """Returns `{"blocked": bool, "rules": [names]}`.

        Raises:
            Conflict: the run is stale.
        """
        return self._guard(run, "input", list(input_texts(material(self.payloads, run.id))), now)

    def moderate_output(self, run: Run, output: str, now: int) -> dict[str, Any]:
        """The same for the answer kept as the payload `output`."""
        return self._guard(run, "output", list(output_texts(self.payloads.load(run.id, output) or {})), now)

    def _guard(
        self, run: Run, stage: Literal["input", "output"], texts: list[tuple[str, str]], now: int
    ) -> dict[str, Any]:
        policy = Policy.from_item(self.tenants.get(run.tenant, now).policy)
        findings = check(stage, texts, policy)
        if findings:
            # The head is only read where there is something to write: all that follows is fenced by itself.
            self.jobs.note(
                enter(self.jobs, run),
                f"GUARD#{run.fence.run}#{stage}",
                {"findings": [each.to_dict() for each in findings]},
            )
        return {
            "blocked": blocks(findings),
            "rules": sorted({each.rule for each in findings if each.action == "block"}),
        }
