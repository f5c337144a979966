"""What a job would cost and who would do it, without running or holding anything."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from broker.clock import usd
from broker.jobs.accepting import Caller, as_asked
from broker.jobs.request import JobRequest, stored_form, times
from broker.routing.figures import Health
from broker.routing.question import Question
from broker.routing.selection import Selection, select
from broker.steps.preparing import Prepare


@dataclass(frozen=True, slots=True)
class EstimateJob:
    """Answers what Accept and Select Model would do now."""

    prepare: Prepare
    health: Health
    check_webhook: Callable[[str], None]

    def __call__(self, request: JobRequest, caller: Caller, now: int) -> dict[str, Any]:
        """The estimate in its public form (`contract.models.Estimate`).

        Candidates may be none where only circuits or live figures stand in the way: the job would be accepted.

        Raises:
            InvalidRequest: and its kin, as from submitting the request.
        """
        if request.webhook:
            self.check_webhook(request.webhook.url)
        tenant_id = caller.tenant
        question, worst, usual_s = self.prepare.quote(tenant_id, as_asked(stored_form(request), caller), now)
        has_budget = self.prepare.check_covers(tenant_id, worst, now)
        limited = has_budget or "max_cost_usd" in question.routing
        asked = replace(
            question,
            states=self.health.states(now, tenant_id),
            figures=self.health.figures(now),
            left_ms=min(times(request, usual_s)) * 1000,
            held=worst if limited and worst else None,
        )
        return _shown(request, asked, select(asked, self.prepare.models.catalog(now)), worst)


def _shown(request: JobRequest, question: Question, chosen: Selection, worst: int) -> dict[str, Any]:
    rows = []
    for model in chosen.candidates:
        figures = question.figures.get(model.id)
        row = {
            "model": model.id,
            "input_tokens": question.tokens(model),
            "max_output_tokens": question.most_output(model),
            "expected_cost_usd": usd(question.expected(model)),
            "worst_cost_usd": usd(question.worst(model)),
            "mean_latency_ms": figures.mean_ms if figures else None,
        }
        rows.append(row)
    return {
        "object": "estimate",
        "task": request.task.value,
        "candidates": rows,
        "worst_cost_usd": usd(worst),
        "route": chosen.route,
    }
