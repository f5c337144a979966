"""Select Model: the candidates of a run, in order, and the reasons kept beside the job."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from broker.errors import BrokerError, CircuitOpen, Forbidden, InvalidRequest, PermissionDenied, TimedOut
from broker.jobs.explained import on_head, packed
from broker.jobs.reviewing import kept_answer
from broker.jobs.store import Jobs, Payloads
from broker.permissions.refusing import OnDenied, quietly
from broker.routing.catalog import Models
from broker.routing.figures import Health
from broker.routing.permitting import check_history
from broker.routing.question import Question
from broker.routing.selection import Selection, select
from broker.steps.asked_by import denial_of, who_of
from broker.steps.cache_lookup import CacheLookup
from broker.steps.context import Run, enter, material
from broker.steps.repeating import answer_on_record
from broker.steps.token_counter import counter
from broker.tenants.registry import Tenants


@dataclass(frozen=True, slots=True)
class SelectModel:
    """Chooses for one run."""

    jobs: Jobs
    payloads: Payloads
    models: Models
    tenants: Tenants
    cache_lookup: CacheLookup
    health: Health
    on_denied: OnDenied = quietly

    def __call__(self, run: Run, now: int) -> dict[str, Any]:
        """Returns `{"candidates": [model ids]}`, and what `CacheLookup` has to say for a job that asked for the cache.

        With them goes the `route` where it is short: what the run writes next takes it along. Of a job whose answer is
        there, from a run that broke off or as a person released it, there is nothing to choose: `released` is the
        answer, as Invoke Model gave it. Where nobody could be asked, but a provider goes on by itself with the call of
        a run that broke off, its model is the one candidate: it is only asked after that.

        A stale run only writes its own notes; what follows is fenced.

        Raises:
            Conflict: the job was erased.
            InvalidRequest: no model is left (one was disabled since the job was accepted), or the answer that was
                released is not there: another would be one that nobody has looked at.
            PermissionDenied: a rule keeps who asked from all models, or from answers that the job goes on from.
            CircuitOpen: all that could do it are left alone for a while; `retry_after` says for how long at least.
            TimedOut: all that could do it take longer than the time that is left.
            PolicyMissing: the job asked for the cache, and a guardrail policy that is to hold is not there.
        """
        if "output" in run.released:
            return {"candidates": [], "released": self._released(run)}
        if run.fence.run == 1:
            return self._choose(run, now)
        head = enter(self.jobs, run)
        if answer := answer_on_record(self.payloads, head):
            return {"candidates": [], "released": answer} | self._keep(run, answer["facts"]["model"], now)
        try:
            return self._choose(run, now)
        except (InvalidRequest, Forbidden, CircuitOpen, TimedOut):
            known = self.models.all(now)
            going_on = [model for key in head.going_on if (model := head.calls[key]["m"]) in known]
            if not going_on:
                raise
            return {"candidates": going_on[:1]}

    def _choose(self, run: Run, now: int) -> dict[str, Any]:
        """Choose, where nothing is there."""
        request = material(self.payloads, run)
        tenant = self.tenants.get(run.tenant, now)
        question = Question(
            request,
            counter(request),
            now,
            allowed=tenant.models,
            tenant=run.tenant,
            who=who_of(request, tenant),
            job_id=run.id,
            states=self.health.states(now, run.tenant),
            figures=self.health.figures(now),
            left_ms=run.left_ms(now),
            held=run.held,
            redacts=bool(run.redacts),
        )
        chosen = self._select(question)
        reasons = packed(chosen.route)
        short = on_head(reasons) if chosen.candidates else None
        if short is None:
            self.jobs.note(run, f"ROUTE#{run.fence.run}", reasons)
        if not chosen.candidates:
            raise self._refusal(chosen, question)
        self._check_history(question)
        found = self.cache_lookup(run, request, tenant, chosen.candidates, now)
        return {"candidates": [model.id for model in chosen.candidates]} | ({"route": short} if short else {}) | found

    def _refusal(self, chosen: Selection, question: Question) -> BrokerError:
        error = chosen.refusal()
        if isinstance(error, PermissionDenied) and question.who:
            self.on_denied(denial_of(error, question.who, question.job_id))
        return error

    def _check_history(self, question: Question) -> None:
        """A rule may be newer than the job, and keep its caller from answers that it goes on from."""
        if question.who is None:
            return
        try:
            check_history(question.request, question.who, self.models.catalog(question.now))
        except PermissionDenied as error:
            self.on_denied(denial_of(error, question.who, question.job_id))
            raise

    def _keep(self, run: Run, model_id: str, now: int) -> dict[str, Any]:
        """Whether an answer that is there is to be kept for who asks the same; not where its model is no more."""
        answered = self.models.all(now).get(model_id)
        if answered is None:
            return {}
        request, tenant = material(self.payloads, run), self.tenants.get(run.tenant, now)
        return self.cache_lookup.keep_for(run, request, tenant, answered, now)

    def _released(self, run: Run) -> dict[str, Any]:
        """The answer that a person let pass, as Invoke Model gave it."""
        head = enter(self.jobs, run)
        output, given = kept_answer(head), head.review.get("facts")
        if given:
            return {"output": output, "facts": given, "given": True}
        facts = self.payloads.facts(head.id, output) if output else None
        if facts is None:
            raise InvalidRequest("The answer that was released is not kept any more.", code="answer_gone")
        return {"output": output, "facts": facts, "head": head.to_item()}

    def _select(self, question: Question) -> Selection:
        """Choose. Who accepted the job may know of a change that this process does not: then it reads anew, once."""
        with suppress(InvalidRequest):
            chosen = select(question, self.models.catalog(question.now))
            if chosen.candidates or not isinstance(chosen.refusal(), InvalidRequest):
                return chosen
        self.models.forget()
        return select(question, self.models.catalog(question.now))
