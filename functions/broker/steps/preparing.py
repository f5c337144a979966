"""Before a job is accepted: fill its prompt, check that some model can do it, and hold its worst case."""

from dataclasses import dataclass, field
from typing import Any

from broker.clock import NANO
from broker.errors import Forbidden, InvalidRequest
from broker.jobs.accepting import Hold, Prepared
from broker.jobs.media import check_media
from broker.prompts.templates import Prompts, apply_hints, arm_key
from broker.routing.models import Models
from broker.routing.selection import Selection, select
from broker.storage import Database
from broker.tenants import ledger
from broker.tenants.registry import Tenants
from broker.tokens import estimate_input


@dataclass(frozen=True, slots=True)
class Prepare:
    """Turns a checked request into the document that is kept, and quotes it."""

    database: Database
    models: Models
    tenants: Tenants
    prompts: Prompts
    inbox: str
    """The bucket that requests may point into."""
    opened: dict[tuple[str, str], int] = field(default_factory=dict)
    """The allowances of the budgets that this process has seen open, by tenant and period."""

    def __call__(self, tenant_id: str, document: dict[str, Any], now: int) -> Prepared:
        """Prepare one request.

        Raises:
            InvalidRequest: an unknown model or prompt, a variable at fault, or no model that could do it.
            Forbidden: the tenant may not use what it names.
        """
        tenant = self.tenants.get(tenant_id, now)
        check_media(document, tenant_id, self.inbox)
        filled = self._fill(tenant_id, document, now)
        if schema := filled.get("output_schema"):
            from broker.providers.structured import check_schema  # loads jsonschema

            check_schema(schema)
        chosen = select(filled, self.models.all(now), tenant.models, estimate_input(filled))
        if not chosen.candidates:
            raise _nothing_fits(chosen)
        return Prepared(filled, self._hold(tenant_id, tenant.monthly_budget, filled, chosen, now))

    def _fill(self, tenant_id: str, document: dict[str, Any], now: int) -> dict[str, Any]:
        """The request with its prompt filled in, the prompt's hints, and the arm that was taken (`prompt_used`)."""
        if "prompt" not in document:
            return document
        prompt = self.prompts.fill(document["prompt"], arm_key(tenant_id, document, now), now)
        given = dict(document.get("input", {}))
        messages = prompt.messages + given.pop("messages", [])
        if isinstance(given.get("text"), str):
            messages.append({"role": "user", "content": given.pop("text")})
        filled = {"input": given | {"messages": messages}, "prompt_used": prompt.used}
        return apply_hints(document, prompt) | filled

    def _hold(
        self, tenant_id: str, monthly_budget: int | None, document: dict[str, Any], chosen: Selection, now: int
    ) -> Hold:
        limit = document.get("routing", {}).get("max_cost_usd")
        if limit is None and monthly_budget is None:
            return Hold()
        tokens = estimate_input(document)
        asked = document.get("parameters", {}).get("max_output_tokens")
        # Every candidate may be paid for once, and the first twice: an answer that misses its schema is repaired.
        cases = [model.worst_case(tokens, asked) for model in chosen.candidates]
        worst = sum(cases) + max(cases)
        if limit is not None:
            worst = min(worst, int(limit * NANO))
        if monthly_budget is None or worst == 0:
            return Hold(worst)
        period = ledger.period_of(now)
        if self.opened.get((tenant_id, period)) != monthly_budget:
            ledger.open_period(self.database, tenant_id, period, monthly_budget)
            self.opened[tenant_id, period] = monthly_budget
        return Hold(worst, period, ledger.hold(tenant_id, period, worst))


def _nothing_fits(chosen: Selection) -> InvalidRequest:
    reasons = [f"{each['model']}: {each['why']}" for each in chosen.route if each["why"] != "not named by the request"]
    why = "; ".join(reasons) or "no model is registered"
    if any(each["why"] == "the tenant may not use it" for each in chosen.route) and len(reasons) == 1:
        return Forbidden(f"No model may do this job ({why}).", code="model_not_allowed", param="model")
    return InvalidRequest(f"No model can do this job ({why}).", code="no_candidate", param="model")
