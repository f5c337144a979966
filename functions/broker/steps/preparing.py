"""Before a job is accepted: fill its prompt, check that some model can do it, and hold its worst case."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from broker.context.chains import FIELD, Chains
from broker.context.conversations import Turns, recall, room_for_history
from broker.errors import PermissionDenied, PolicyMissing
from broker.guardrails.canary import planted
from broker.guardrails.policy import Policy, redacts
from broker.guardrails.untrusted import strongest
from broker.guardrails.walk import has_unread
from broker.jobs.accepting import POLICIES
from broker.jobs.holding import Hold, Prepared
from broker.jobs.media_references import check_media
from broker.jobs.store import Jobs, Payloads
from broker.json_schema import checking
from broker.permissions.refusing import OnDenied, quietly
from broker.permissions.who import Who
from broker.prompts.templates import Prompts, apply_hints, arm_key
from broker.routing.catalog import Models
from broker.routing.permitting import check_history, check_named, check_request
from broker.routing.provider_options import check_known
from broker.routing.question import Question
from broker.routing.routes import order_for
from broker.routing.selection import Selection, select, worst_case_price
from broker.steps.asked_by import denial_of, who_of
from broker.steps.auxiliary import worst_auxiliary, worst_guarding
from broker.steps.token_counter import counter
from broker.storage import Database
from broker.tenants import ledger
from broker.tenants.budgets import Budgets
from broker.tenants.policies import Policies
from broker.tenants.registry import Tenant, Tenants
from broker.token_estimates import family_of


@dataclass(frozen=True, slots=True)
class Prepare:
    """Turns a checked request into the document that is kept, and quotes it."""

    database: Database
    models: Models
    tenants: Tenants
    prompts: Prompts
    turns: Turns
    policies: Policies
    inbox: str
    """The bucket that requests may point into."""
    budgets: Budgets
    jobs: Jobs
    payloads: Payloads
    """Of earlier jobs, which requests may go on from."""
    on_denied: OnDenied = quietly

    def __call__(self, tenant_id: str, document: dict[str, Any], now: int) -> Prepared:
        """Prepare one request.

        Raises:
            InvalidRequest: an unknown model or prompt, a variable at fault, or no model that could do it.
            Forbidden: the tenant may not use what it names.
            PermissionDenied: who asks may not.
        """
        question, chosen, holding = self._ready(tenant_id, document, now)
        hold = self._hold(self.tenants.get(tenant_id, now), self._worst(chosen, question, holding), question, now)
        tokens = {family_of(model.name): question.tokens(model) for model in chosen.candidates}
        policies = tuple(dict.fromkeys(question.policies + chosen.policies))
        document = dict(question.request)
        if chosen.postprocess:
            rules = json.loads(chosen.postprocess)
            before = document.get("postprocess", ())  # of a request that is asked again, those of its route as well
            document["postprocess"] = [*before, *(() if rules in before else (rules,))]
        tenant, most = self.tenants.get(tenant_id, now), question.most_tokens(chosen.candidates)
        bounds = tenant.budgets, tenant.queued_jobs, tenant.usage_by, tenant.cloud_events
        return Prepared(document, hold, _wait(chosen), tokens, most, policies, *bounds)

    def quote(self, tenant_id: str, document: dict[str, Any], now: int) -> tuple[Question, int, int | None]:
        """What a request is, and what it can cost at most, whatever circuits and live figures say when it runs.

        Returns:
            The request as the models will get it, and who asks; nano-dollars; seconds as `Prepared.timeout_s`.

        Raises:
            The same as a call.
        """
        question, chosen, holding = self._ready(tenant_id, document, now)
        return question, self._worst(chosen, question, holding), _wait(chosen)

    def check_covers(self, tenant_id: str, nusd: int, now: int) -> bool:
        """Stop where a tenant's budget does not cover so many nano-dollars now; nothing is held. True if it has one.

        Raises:
            BudgetExceeded: it does not.
        """
        budget = self.tenants.get(tenant_id, now).monthly_budget
        if budget is None:
            return False
        ledger.check_covers(self.database, tenant_id, ledger.period_of(now), budget, nusd)
        return True

    def _ready(
        self, tenant_id: str, document: dict[str, Any], now: int
    ) -> tuple[Question, Selection, tuple[Policy, ...]]:
        """The request as the models will get it; those that could do it; the guardrail policies that will hold."""
        who = who_of(document, self.tenants.get(tenant_id, now))
        try:
            return self._permitted(who, document, now)
        except PermissionDenied as error:
            self.on_denied(denial_of(error, who))
            raise

    def _permitted(
        self, who: Who, document: dict[str, Any], now: int
    ) -> tuple[Question, Selection, tuple[Policy, ...]]:
        check_request(self.models.catalog(now).permissions, who, document)
        question = self._question(who, document, now)
        chosen = self._chosen(question)
        holding = self._holding(chosen, question)
        armed = _armed(question.request, who.tenant, holding)
        if armed != question.request:
            question = replace(question, request=armed, tokens=counter(armed))
            chosen = self._chosen(question)
        return question, chosen, holding

    def _question(self, who: Who, document: dict[str, Any], now: int) -> Question:
        """The request with its prompt filled and its conversation in it, and who asks."""
        tenant_id, tenant = who.tenant, self.tenants.get(who.tenant, now)
        check_media(document, tenant_id, self.inbox)
        document, named = dict(document), tuple(document.get(POLICIES, ()))
        document.pop(POLICIES, None)
        filled, policies = self._fill(tenant_id, document, now)
        policies = tuple(dict.fromkeys(named + policies))
        if schema := filled.get("output_schema"):
            checking.check_schema(schema)
        asked = Question(filled, counter(filled), now, allowed=tenant.models, tenant=tenant_id, who=who)
        asked = replace(asked, policies=policies)
        asked = replace(asked, redacts=self._redacts(asked))
        if filled["task"] != "chat":
            return asked
        if FIELD in filled:
            recalled = Chains(self.jobs, self.payloads).continued(tenant_id, filled, now)
        elif "conversation_id" in filled:
            recalled = self._recalled(asked)
        else:
            return asked
        check_history(recalled, who, self.models.catalog(now))
        taken = asked.redacts and not has_unread(recalled)  # earlier turns may have pictures
        return replace(asked, request=recalled, tokens=counter(recalled), redacts=taken)

    def _chosen(self, question: Question) -> Selection:
        check_known(question.request, self.models.catalog(question.now).models.values())
        chosen = select(question, self.models.catalog(question.now))
        if question.who:
            check_named(question.request, question.who, self.models.catalog(question.now))
        if not chosen.candidates:
            raise chosen.refusal()
        return chosen

    def _holding(self, chosen: Selection, question: Question) -> tuple[Policy, ...]:
        """The guardrail policies that will hold for the job."""
        named = dict.fromkeys(question.policies + chosen.policies)
        try:
            return self.policies.holding(self.tenants.get(question.tenant, question.now), named, question.now)
        except PolicyMissing:  # the job will end by it, before anything is asked
            return ()

    def _worst(self, chosen: Selection, question: Question, holding: tuple[Policy, ...]) -> int:
        tenant, catalog = self.tenants.get(question.tenant, question.now), self.models.catalog(question.now)
        guarding = worst_guarding(holding, question, chosen.candidates, catalog)
        return worst_case_price(chosen, question) + worst_auxiliary(question, catalog, tenant) + guarding

    def _redacts(self, question: Question) -> bool:
        """As `Question.redacts`, as far as it can be told before the rules are run; asked where routes demand it."""
        catalog = self.models.catalog(question.now)
        if not catalog.residency(question.request):
            return False
        order = order_for(question.request, catalog)
        followed = order.route.guardrails if order and order.route else ()
        tenant = self.tenants.get(question.tenant, question.now)
        try:
            holding = self.policies.holding(tenant, question.policies + followed, question.now)
        except PolicyMissing:  # the job will end by it, before anything is asked
            return True
        return redacts(holding) and not has_unread(question.request)

    def _recalled(self, question: Question) -> dict[str, Any]:
        """The request with its conversation's turns before its own, as many as the first candidate has room for.

        What policies want in it comes first, for it takes room: data that is encoded is longer.
        """
        chosen = self._chosen(question)
        first, armed = chosen.candidates[0], _armed(question.request, question.tenant, self._holding(chosen, question))
        family = family_of(first.name)
        room = room_for_history(armed, first.context_window, question.most_output(first), family)
        return recall(self.turns, question.tenant, armed, room, family, question.now).document

    def _fill(self, tenant_id: str, document: dict[str, Any], now: int) -> tuple[dict[str, Any], tuple[str, ...]]:
        """The request with its prompt filled in, the prompt's hints, and the arm that was taken (`prompt_used`).

        With it go the guardrail policies that the prompt names.
        """
        if "prompt" not in document:
            return document, ()
        prompt = self.prompts.fill(document["prompt"], arm_key(tenant_id, document, now), now)
        given = dict(document.get("input", {}))
        messages = prompt.messages + given.pop("messages", [])
        if isinstance(given.get("text"), str):
            messages.append({"role": "user", "content": given.pop("text")})
        filled = {"input": given | {"messages": messages}, "prompt_used": prompt.used}
        return apply_hints(document, prompt) | filled, prompt.guardrails

    def _hold(self, tenant: Tenant, worst: int, question: Question, now: int) -> Hold:
        if tenant.monthly_budget is None:
            return Hold(worst if "max_cost_usd" in question.routing else 0, worst=worst)
        if worst == 0:
            return Hold()
        period = ledger.period_of(now)
        self.budgets.open(tenant.id, period, tenant.monthly_budget, tenant.version)
        return Hold(worst, {ledger.bucket_of(tenant.id, period): worst}, worst)


def _armed(request: Mapping[str, Any], tenant: str, holding: tuple[Policy, ...]) -> dict[str, Any]:
    """The request with what its policies want in it: a canary, and how its data is to be marked."""
    acting = [policy for policy in holding if not policy.shadow]
    if any(rule.canary for policy in acting for rule in policy.rules):
        request = planted(request, tenant)
    marking = strongest([policy.mark_untrusted for policy in acting if policy.mark_untrusted])
    return {**request, **({"marking": marking} if marking else {})}


def _wait(chosen: Selection) -> int | None:
    """As `Prepared.timeout_s`: the longest that a candidate's provider may go on by itself."""
    return max((model.wait_s for model in chosen.candidates if model.asynchronous), default=None)
