"""One provider call on the record: written down before it is made, and whatever comes of it kept or settled.

A failure is settled at once. The job's own answer is kept with what it cost, and settled by the commit that ends the
job, or by the sweep where the run dies before that. So a repeat, and a later run as well, finds the answer that was
paid for. An auxiliary call (a summary, an embedding) is settled as soon as it is answered.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from broker.clock import now_ms
from broker.errors import (
    AdapterFailed,
    BadOutput,
    BrokerError,
    CircuitOpen,
    Conflict,
    ModelTimedOut,
    Pending,
    Throttled,
    TimedOut,
    Unavailable,
)
from broker.jobs.call_transitions import keep_pending, start_call
from broker.jobs.ending import settle_call
from broker.jobs.head import Head
from broker.jobs.store import Jobs, Payloads
from broker.providers.wire.base import Answer, Asynchronous, Call, MediaReader, OperationStarted, Provider
from broker.providers.wire.sending import watched
from broker.routing.circuits import Circuits
from broker.routing.model import Model
from broker.routing.question import Question
from broker.steps.context import Run, enter
from broker.steps.outcomes import facts_of, failure_of, seen_of
from broker.steps.timing import TimeSlice, pause_s, poll_s, time_slice_of
from broker.steps.token_counter import counter

AFTER_CALL_MS = 60_000
"""The lease's margin over a call: what follows it (moderation, the commit) takes far less."""

PROBE_S = 10
"""A call that a caller gives less time than this, and less than the model's own, makes a poor probe."""

STOP_S = 10
"""Seconds for telling a provider that its work is not wanted any more."""

WAIT_LEASE_MS = 1_800_000
"""A run that waits keeps its lease for so long, and renews it when half is over: a dead run is found within it."""

Request = dict[str, Any]
"""A request as stored."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A call that is on record."""

    run: Run
    head: Head
    key: str
    model: Model
    request: Request
    call: Call
    time_slice: TimeSlice
    now: int
    operation: str | None = None


@dataclass(frozen=True, slots=True)
class Calling:
    """Makes calls for one run after the other."""

    jobs: Jobs
    payloads: Payloads
    provider: Callable[[str], Provider]
    secret: Callable[[str], str]
    media: Callable[[Run], MediaReader]
    circuits: Circuits
    observe: Callable[[Head, dict[str, Any]], None]
    """Told of each call that came to an end: the head, and the attempt's record."""
    notice: Callable[[str, str, Exception], None] = lambda what, job_id, error: None
    """Told of faults of our own that do not stop the job: what could not be done, the job, the error."""

    def make(
        self,
        run: Run,
        head: Head,
        model: Model,
        request: Request,
        time_slice: TimeSlice,
        now: int,
        operation: str | None = None,
    ) -> dict[str, Any]:
        """Make a call.

        Args:
            run: for whom.
            head: as it is now.
            model: to ask.
            request: what to ask, as stored requests are.
            time_slice: the call's time.
            now: milliseconds.
            operation: of a call whose answer is not the job's: `embed`, `summarize`, `guard`.

        Returns:
            `{"output", "facts", "head"}`: the payload's name, the call's facts by the long names of `jobs.calls`, and
            the head as it is stored.

        Raises:
            Pending: the provider goes on by itself.
            CircuitOpen: the model is left alone for a while; nothing was sent.
            BrokerError: by the table `consequences`; `Conflict` when the run is stale or the job ended meanwhile (the
                call is then paid for all the same).
        """
        return self.exchange(self.begin(run, head, model, request, time_slice, now, operation))

    def begin(
        self,
        run: Run,
        head: Head,
        model: Model,
        request: Request,
        time_slice: TimeSlice,
        now: int,
        operation: str | None = None,
        *,
        once: bool = False,
    ) -> Begun:
        """Put a call on record, as `make`; `once` for a head that may be old.

        Raises:
            Moved: it was old, and nothing is on record.
            BrokerError: as `make`, before anything is sent.
        """
        lease = round(time_slice.seconds * 1000) + AFTER_CALL_MS
        hurried = time_slice.over is not ModelTimedOut and time_slice.seconds < PROBE_S
        self._admit(run, model, lease, now, hurried=hurried)
        try:
            # Made before the call is on record: what is wrong with the request or the key needs no call.
            call = self._build(run, head, f"{run.fence.run}.{len(head.calls) + 1}", model, request, time_slice, now)
            worst = Question(request, counter(request), now).worst(model)
            head, key = self._start(run, head, model, worst, lease, now, once=once)
        except Exception as error:
            self._record(run, model, type(error).__name__, 0, now)
            raise
        return Begun(run, head, key, model, request, call, time_slice, now, operation)

    def poll(self, run: Run, head: Head, key: str, model: Model, request: Request, now: int) -> dict[str, Any]:
        """Ask after a call that goes on by itself; as `make`."""
        try:
            time_slice = time_slice_of(model, head, now)
            call = self._build(run, head, key, model, request, time_slice, now)
        except TimedOut:
            self.stop(head, key, model)
            raise
        return self.exchange(Begun(run, head, key, model, request, call, time_slice, now))

    def stop(self, head: Head, key: str, model: Model) -> None:
        """Have a provider leave work undone that nobody waits for any more, where it is `providers.base.Stoppable`.

        What it did until then is reckoned by the sweep, as of any call that nobody settles.
        """
        operation_id = head.calls[key].get("h")
        with suppress(Exception):  # whatever it is: the work then goes on to its own end, as all others' does
            stop = getattr(self.provider(model.provider), "stop", None)
            if stop is not None and operation_id is not None:
                secret = self.secret(model.secret) if model.secret else None
                call = Call(head.task, model.name, {}, {}, STOP_S, secret, model.endpoint, options=model.options)
                stop(call, operation_id)

    def auxiliary(self, run: Run, model: Model, request: Request, operation: str, now: int) -> dict[str, Any]:
        """The answer to a call whose answer is not the job's; it is settled at once, and asked for once.

        It leaves the job's own call as much time as it may take itself.

        Raises:
            BrokerError: as `make`.
        """
        head = enter(self.jobs, run)
        kept = {key: self.payloads.facts(head.id, f"OUTPUT#{key}") or {} for key in head.open_calls}
        key = next((each for each, facts in kept.items() if facts.get("operation") == operation), None)
        if key is None:
            made = self.make(run, head, model, request, time_slice_of(model, head, now, [None]), now, operation)
            key, facts = made["output"].removeprefix("OUTPUT#"), made["facts"]
        else:
            facts = kept[key]
        output: dict[str, Any] = self.payloads.load(run.id, f"OUTPUT#{key}") or {}
        settle_call(self.jobs, run.id, key, run.fence, facts)
        self.payloads.drop(run.id, f"OUTPUT#{key}")
        return output

    def _admit(self, run: Run, model: Model, lease: int, now: int, *, hurried: bool) -> None:
        try:
            self.circuits.admit(model.id, run.tenant, now, lease, hurried=hurried)
        except CircuitOpen:
            raise
        except Exception as error:  # a circuit is there to help: where it cannot be read, the call goes on
            self.notice("a circuit could not be read", run.id, error)

    def _record(self, run: Run, model: Model, outcome: str, latency_ms: int, now: int) -> None:
        """Tell the circuit; whatever becomes of that, the job goes its way."""
        try:
            self.circuits.record(model.id, run.tenant, outcome, latency_ms, now)
        except Exception as error:
            self.notice("a circuit could not be told", run.id, error)

    def _start(
        self, run: Run, head: Head, model: Model, reserve: int, lease: int, now: int, *, once: bool
    ) -> tuple[Head, str]:
        keys: list[str] = []

        def start(current: Head) -> Head:
            following, key = start_call(
                current, run.fence, model=model.id, version=model.version, reserve=reserve, now=now, lease_ms=lease
            )
            keys[:] = [key]
            return following

        return self.jobs.change(run.id, start, known=head, once=once), keys[0]

    def _build(
        self, run: Run, head: Head, key: str, model: Model, request: Request, time_slice: TimeSlice, now: int
    ) -> Call:
        mine = [call for call in of_run(head, run).values() if call["m"] == model.id]
        missed = [call for call in mine if call.get("o") == BadOutput.__name__]
        # The model's own limit is sent too: what was held covers an answer of that length and no longer one.
        most = Question(request, counter(request), now).most_output(model)
        return Call(
            task=request["task"],
            model=model.name,
            input=request.get("input", {}),
            parameters=request.get("parameters", {}) | {"max_output_tokens": most},
            timeout=time_slice.seconds,
            secret=self.secret(model.secret) if model.secret else None,
            endpoint=model.endpoint,
            output_schema=request.get("output_schema"),
            repair=bool(missed),
            fault=missed[-1]["e"]["message"] if missed else "",
            options=model.options,
            media=self.media(run),
            token=f"{head.id}-{key.replace('.', '-')}",
            scope=run.tenant,
        )

    def exchange(self, begun: Begun) -> dict[str, Any]:
        """Make a call that is on record, or ask after it; as `make`."""
        run, head, key, model, now = begun.run, begun.head, begun.key, begun.model, begun.now
        operation_id = head.calls[key].get("h")
        began = time.monotonic()
        answer: Answer | None = None
        failure: BrokerError | None = None
        with watched() as watch:
            try:
                provider = self.provider(model.provider)
                call = begun.call
                reply = provider.invoke(call) if operation_id is None else _checking(provider).check(call, operation_id)
                if isinstance(reply, OperationStarted):
                    self._record(run, model, Pending.__name__, 0, now_ms())
                    raise self._pending_operation(run, head, key, reply, now)
                answer = reply
            except (Pending, Conflict):
                raise
            except Exception as error:
                failure = failure_of(error, begun.time_slice, head, begun.request, sent=watch.sent)
                if isinstance(failure, AdapterFailed):
                    self.notice("a provider's adapter failed", head.id, error)
        if operation_id is not None and isinstance(failure, Throttled | Unavailable) and not failure.maybe_paid:
            # Only the question failed: the work goes on.
            raise Pending("The provider could not be asked.", retry_after=poll_s(head, key, 5, now)) from None
        since = head.calls[key].get("s")
        latency = now_ms() - since if since else round((time.monotonic() - began) * 1000)
        facts = facts_of(head.calls[key], model, answer, failure, latency, begun.operation)
        self._record(run, model, seen_of(failure, sent=watch.sent), facts["latency_ms"], now_ms())
        if answer:
            self._keep(head, key, answer, facts)
        self.observe(head, facts)
        if failure is None:
            return {"output": f"OUTPUT#{key}", "facts": facts, "head": head.to_item()}
        settle_call(self.jobs, head.id, key, run.fence, facts, known=head)
        if isinstance(failure, Throttled):
            failure.retry_after = pause_s(failure.retry_after)
        raise failure

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

    def _keep(self, head: Head, key: str, answer: Answer, facts: dict[str, Any]) -> None:
        output = answer.output
        if answer.files:
            files = [
                {"name": f"{key}-{number}", "media_type": file.media_type, "bytes": len(file.data)}
                for number, file in enumerate(answer.files, 1)
            ]
            output = output | {"files": files}
        known = {name: value for name, value in facts.items() if value is not None}
        self.payloads.save(
            head, f"OUTPUT#{key}", output, known, [(file.data, file.media_type) for file in answer.files]
        )


def _checking(provider: Provider) -> Asynchronous:
    if not hasattr(provider, "check"):
        raise Unavailable("The model's provider cannot be asked after its work.", code="no_check", maybe_paid=True)
    return provider  # type: ignore[return-value]  # it has the method, which is all that the protocol adds


def of_run(head: Head, run: Run) -> dict[str, dict[str, Any]]:
    """The calls of one run."""
    return head.calls_of(run.fence.run)
