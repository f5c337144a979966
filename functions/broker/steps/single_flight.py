"""Coalescing in the workflow: Invoke Model shares one provider call among identical jobs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from broker.cache.answers import Given, Hit
from broker.cache.canonical import cache_key_of
from broker.cache.single_flight import Alone, Flights, Leader, Member, Shared, Waiter
from broker.errors import BrokerError, Pending
from broker.jobs import calls
from broker.jobs.head import Head
from broker.jobs.store import Payloads
from broker.routing.model import Model
from broker.steps.cache_lookup import CacheLookup
from broker.steps.context import Run
from broker.tenants.policies import Policies
from broker.tenants.registry import Tenants

SPARE_MS = 15_000
"""Before its lease is over a job that waits has to start its own call, which extends the lease."""

LEASE_SPARE_MS = 5_000
"""What a leader may take beyond its call; who takes over too early makes a call too many, and no more harm."""


@dataclass(frozen=True, slots=True)
class SingleFlight:
    """Joins runs to shared calls."""

    payloads: Payloads
    tenants: Tenants
    policies: Policies
    calls: Flights
    cache_lookup: CacheLookup

    def join(
        self, run: Run, head: Head, request: Mapping[str, Any], model: Model, timeout_s: float, now: int
    ) -> Leader | dict[str, Any] | None:
        """Before a call is made.

        Returns:
            `{"output", "facts", "given"}` where another job's call brought the answer; `Leader` where this one makes
            the call for all, and has to say how it went; None where it makes the call for itself.

        Raises:
            Pending: another job makes the call; `retry_after` says when to look again.
            Refused, InvalidRequest: another job made the call, and its failure is everyone's.
            PolicyMissing: a guardrail policy that is to hold is not there.
        """
        if not request.get("coalesce") or model.asynchronous:  # work that goes on by itself outlives the lease
            return None
        guardrails = self.policies.settings(self.tenants.get(head.tenant, now), run.policies, now)
        question = cache_key_of(head.tenant, request, [model], guardrails)
        if question is None:
            return None
        me = Member(head.id, head.run, head.created_at, _patience(head, now))
        role = self.calls.join(head.tenant, question.key, me, now, round(timeout_s * 1000) + LEASE_SPARE_MS)
        match role:
            case Waiter():
                what = "An identical job makes the call; its answer is shared."
                raise Pending(what, code="coalesced", retry_after=role.seconds)
            case Shared():
                return self._taken(run, role, now)
            case Alone():
                return None
        return role

    def _taken(self, run: Run, shared: Shared, now: int) -> dict[str, Any] | None:
        hit = Hit(Given(shared.model, {}, shared.usage, shared.cost), "coalesced", max(0, now - shared.ended_at))
        given = self.cache_lookup.give_from(run, hit, shared.job_id, shared.output)  # None where it was erased
        if given and shared.cut:
            given["facts"]["cut"] = True
        return given

    def brought(self, leading: Leader, run: Run, result: Mapping[str, Any]) -> None:
        """The call was answered: `told` is what the workflow gets."""
        facts = result["facts"]
        usage = {name: facts[name] for name in calls.USAGE if name in facts}
        known = run.id, result["output"], facts["model"], usage, facts["cost"], facts["ended_at"]
        answer = Shared(*known, cut=facts.get("cut", False))
        self.calls.share(leading, answer)

    def failed(self, leading: Leader, error: BrokerError, now: int) -> None:
        """The call gave no answer that can be shared."""
        self.calls.give_up(leading, error, now)


def _patience(head: Head, now: int) -> int:
    """Until when to wait: half of the time that the run has, so that the other half is left for a call of its own."""
    began = head.claimed_at or now
    end = min(began + head.timeout_s * 1000, head.deadline_at)
    return min(began + (end - began) // 2, (head.lease_until or end) - SPARE_MS)
