"""One provider call on the record: written down before it is made, and whatever comes of it kept or settled.

A failure is settled at once. The job's own answer is kept with what it cost, and settled by the commit that ends the
job, or by the sweep where the run dies before that. So a repeat, and a later run as well, finds the answer that was
paid for. An auxiliary call (a summary, an embedding) is settled as soon as it is answered.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from broker.clock import now_ms
from broker.errors import AdapterFailed, BrokerError, Conflict, InvalidRequest, Pending, Throttled, Unavailable
from broker.jobs.call_transitions import keep_pending
from broker.jobs.ending import settle_call
from broker.jobs.head import BULK, Head
from broker.jobs.store import OUTPUT, Jobs, Payloads
from broker.providers.wire.base import Answer, Asynchronous, Call, OperationStarted, Provider
from broker.providers.wire.sending import watched
from broker.routing.credentials import Credential
from broker.routing.model import Model
from broker.routing.provider_options import not_taken, refuses
from broker.routing.unsent import unsent
from broker.steps.admitting import Admission
from broker.steps.context import Run
from broker.steps.keys import Left, left_after
from broker.steps.outcomes import facts_of, failure_of, pace_facts, seen_of
from broker.steps.repeating import OF_KEYS
from broker.steps.timing import TimeSlice, bulk_pause_s, pause_s, poll_s

AFTER_CALL_MS = 60_000
"""The lease's margin over a call: what follows it (moderation, the commit) takes far less."""

WAIT_LEASE_MS = 1_800_000
"""A run that waits keeps its lease for so long, and renews it when half is over: a dead run is found within it."""

Request = dict[str, Any]
"""A request as stored."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A call that is to be made."""

    run: Run
    """For whom."""
    head: Head
    """The job, as it is known."""
    model: Model
    request: Request
    """What to ask."""
    time_slice: TimeSlice
    now: int
    """Milliseconds."""
    operation: str | None = None
    """Of a call whose answer is not the job's: `embed`, `summarize`, `guard`."""
    question: str = ""
    """Tells it from other calls of its operation."""
    prompt: str = ""
    """The registered prompt by which it asks, with its version; empty for none."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A call that is on record: on the head of its plan, under its key."""

    plan: Planned
    key: str
    call: Call
    credential: Credential | None = None
    """The key that it is made with, where the model has several."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """Makes calls that are on record."""

    jobs: Jobs
    payloads: Payloads
    provider: Callable[[str], Provider]
    admission: Admission
    observe: Callable[[Head, dict[str, Any]], None]
    """Told of each call that came to an end: the head, and the attempt's record."""
    notice: Callable[[str, Head, Exception], None] = lambda what, head, error: None
    """Told of faults of our own that do not stop the job: what could not be done, the job, the error."""

    def __call__(self, begun: Begun) -> dict[str, Any]:
        """Make a call that is on record, or ask after it.

        Returns:
            `{"output", "facts", "head"}`: the payload's name, the call's facts by the long names of `jobs.calls`, and
            the head as it is stored.

        Raises:
            Pending: the provider goes on by itself.
            BrokerError: by the table `consequences`; `Conflict` when the run is stale or the job ended meanwhile (the
                call is then paid for all the same).
        """
        plan, key, call = begun.plan, begun.key, begun.call
        run, head, model, now = plan.run, plan.head, plan.model, plan.now
        operation_id = head.calls[key].get("h")
        began = time.monotonic()
        answer: Answer | None = None
        failure: BrokerError | None = None
        asked = {} if plan.operation else plan.request
        parameters = {name: asked.get("parameters", {}).get(name) for name in call.parameters}
        given = [name for name, value in parameters.items() if value is not None]
        with watched(given, strict=refuses(asked)) as watch:
            try:
                provider = self.provider(model.provider)
                reply = provider.invoke(call) if operation_id is None else _checking(provider).check(call, operation_id)
                if isinstance(reply, OperationStarted):
                    self.admission.record(run, model, Pending.__name__, 0, now_ms())
                    raise self._pending_operation(run, head, key, reply, now)
                answer = reply
                if rules := plan.request.get("postprocess"):
                    answer = replace(answer, output=_processed(rules, answer, plan.request))
            except (Pending, Conflict):
                raise
            except Exception as error:
                failure = failure_of(error, plan.time_slice, head, plan.request, sent=watch.sent)
                if isinstance(failure, AdapterFailed):
                    self.notice("a provider's adapter failed", head, error)
        if operation_id is not None and isinstance(failure, Throttled | Unavailable) and not failure.maybe_paid:
            # Only the question failed: the work goes on.
            raise Pending("The provider could not be asked.", retry_after=poll_s(head, key, 5, now)) from None
        if operation_id is not None or isinstance(failure, BrokerError):
            self.admission.leave_place(run, model)
        since = head.calls[key].get("s")
        latency = now_ms() - since if since else round((time.monotonic() - began) * 1000)
        facts = facts_of(head.calls[key], model, answer, failure, latency, plan.operation)
        facts["request_id"] = (answer and answer.facts.get("request_id")) or watch.request_id or None
        if dropped := [*not_taken(model, asked), *watch.dropped, *unsent(asked)]:
            facts["dropped"] = dropped
        if plan.question:
            facts["question"] = plan.question
        if plan.prompt:
            facts["prompt"] = plan.prompt
        is_bulk = head.lane == BULK
        if is_bulk:
            facts |= pace_facts(failure, watch.headers)
        seen, left = seen_of(failure, sent=watch.sent, is_bulk=is_bulk), None
        if begun.credential is not None:
            facts["credential"] = begun.credential.name
            left = self._tell_key(begun, begun.credential, failure, seen, facts["latency_ms"])
        if failure is not None and left == "another":  # so it is not the model's failure
            failure.again, seen = True, InvalidRequest.__name__
        self.admission.record(run, model, seen, facts["latency_ms"], now_ms())
        if answer and failure is None and self._keep(head, key, answer, facts):
            facts["linked"] = True
        self.observe(head, facts)
        if failure is None:
            return {"output": f"OUTPUT#{key}", "facts": facts, "head": head.to_item()}
        settle_call(self.jobs, head.id, key, run.fence, facts, known=head)
        if isinstance(failure, Throttled):
            pause = (bulk_pause_s if is_bulk else pause_s)(failure.retry_after)
            failure.retry_after = None if left == "none" else pause
        raise failure

    def _tell_key(
        self, begun: Begun, credential: Credential, failure: BrokerError | None, seen: str, latency: int
    ) -> Left | None:
        """Tell the circuit of a call's key how it ended, and say what is left to ask where it is the key that failed.

        What is no failure of a key's says nothing of it.
        """
        plan, of_key = begun.plan, isinstance(failure, OF_KEYS)
        told = seen if failure is None or of_key else InvalidRequest.__name__
        self.admission.record_key(plan.run, plan.model, credential, told, latency, now_ms())
        if failure is None or not of_key:
            return None
        return left_after(plan.run, plan.head, plan.model, credential, failure)

    def goes_on(self, model: Model, call: Call) -> bool:
        """True where the provider will do the work of a call by itself, as far as that can be told before."""
        provider = self.provider(model.provider)
        tells = getattr(provider, "goes_on", None)
        return hasattr(provider, "check") if tells is None else bool(tells(call))

    def _pending_operation(self, run: Run, head: Head, key: str, started: OperationStarted, now: int) -> Pending:
        """Keep the operation id, and the lease while the job may wait; the error that makes the workflow wait."""
        until = (head.claimed_at or now) + head.timeout_s * 1000
        lease = min(until, now + WAIT_LEASE_MS) + AFTER_CALL_MS
        if "h" not in head.calls[key] or (head.lease_until or 0) < min(lease, now + WAIT_LEASE_MS // 2):
            self.jobs.change(
                head.id,
                lambda current: keep_pending(current, run.fence, key, started.operation_id, now=now, lease_until=lease),
                known=head,
            )
        return Pending("The provider goes on by itself.", retry_after=poll_s(head, key, started.check_after_s, now))

    def _keep(self, head: Head, key: str, answer: Answer, facts: dict[str, Any]) -> bool:
        """Keep the answer with what it cost; True where it is given out by a link."""
        output = answer.output
        if answer.files:
            files = [
                {"name": f"{key}-{number}", "media_type": file.media_type, "bytes": len(file.data)}
                for number, file in enumerate(answer.files, 1)
            ]
            output = output | {"files": files}
        if output.get("finish_reason") == "length":
            facts["cut"] = True
        known = {name: value for name, value in facts.items() if value is not None}
        made = [(file.data, file.media_type) for file in answer.files]
        return self.payloads.save(head, f"{OUTPUT}{key}", output, known, made).linked


def _processed(rules: Sequence[Mapping[str, Any]], answer: Answer, request: Request) -> dict[str, Any]:
    """The answer as the rules of the job's prompt and route make it, one after the other."""
    from broker.postprocessing.processing import processed  # for jobs that have rules alone

    output = answer.output
    for each in rules:
        output = processed(each, output, request)
    return output


def _checking(provider: Provider) -> Asynchronous:
    if not hasattr(provider, "check"):
        raise Unavailable("The model's provider cannot be asked after its work.", code="no_check", maybe_paid=True)
    return provider  # type: ignore[return-value]  # it has the method, which is all that the protocol adds
