"""The provider calls of a run: each is on record before it is made (`exchanging` says what comes of it)."""

import math
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from broker.errors import BrokerError, CircuitOpen, Conflict, CredentialRejected, CutShort, ModelTimedOut, TimedOut
from broker.jobs.call_transitions import start_call
from broker.jobs.calls import Facts
from broker.jobs.ending import settle_call
from broker.jobs.head import Head
from broker.jobs.store import Jobs, Payloads
from broker.providers.wire.base import Call, MediaReader
from broker.routing.credentials import Credential
from broker.routing.model import Model
from broker.routing.question import Question
from broker.steps.admitting import Admission
from broker.steps.building import built, key_of, secret_of
from broker.steps.context import Run, enter
from broker.steps.exchanging import AFTER_CALL_MS, Begun, Exchange, Planned, Request
from broker.steps.keys import Keys
from broker.steps.timing import time_slice_of
from broker.steps.token_counter import counter

PROBE_S = 10
"""A call that a caller gives less time than this, and less than the model's own, makes a poor probe."""

MOST_AT_ONCE = 16
"""Calls that are made side by side."""

STOP_S = 10
"""Seconds for telling a provider that its work is not wanted any more."""


@dataclass(frozen=True, slots=True)
class Auxiliary:
    """A call that is to be made whose answer is not the job's."""

    model: Model
    request: Request
    operation: str
    question: str = ""
    """Tells it from other calls of its operation."""
    prompt: str = ""
    """The registered prompt by which it asks, with its version; empty for none."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of one: its key, facts and answer, or an error."""

    key: str = ""
    facts: Facts = field(default_factory=dict)
    output: dict[str, Any] = field(default_factory=dict)
    error: BrokerError | None = None


@dataclass(frozen=True, slots=True)
class Calling:
    """Makes calls for one run after the other."""

    jobs: Jobs
    payloads: Payloads
    secret: Callable[[str], str]
    media: Callable[[Run], MediaReader]
    admission: Admission
    exchange: Exchange
    keys: Keys

    def make(self, plan: Planned) -> dict[str, Any]:
        """Put a call on record and make it; returns and raises as `exchanging.Exchange`.

        Raises:
            CircuitOpen: the model is left alone for a while; nothing was sent.
        """
        return self.exchange(self.begin(plan))

    def begin(self, plan: Planned, *, once: bool = False, turns: int = 1) -> Begun:
        """Put a call on record, as `make`; `once` for a head that may be old, `turns` where others go first.

        Raises:
            Moved: it was old, and nothing is on record.
            BrokerError: as `make`, before anything is sent.
        """
        run, model, time_slice, now = plan.run, plan.model, plan.time_slice, plan.now
        lease = round(time_slice.seconds * turns * 1000) + AFTER_CALL_MS
        hurried = time_slice.over is not ModelTimedOut and time_slice.seconds < PROBE_S
        self.admission.admit(run, model, lease, now, hurried=hurried)
        is_placed, credential = False, None
        try:
            # Made before the call is on record: what is wrong with the request or the key needs no call.
            call, credential = self._build(plan, lease, hurried=hurried)
            if model.tenant_at_once is not None and self.exchange.goes_on(model, call):
                is_placed = self.admission.take_place(run, model, now)
            head, key = self._start(plan, lease, credential, once=once)
        except Exception as error:
            if is_placed:  # nothing was sent: the job was canceled meanwhile, say
                self.admission.leave_place(run, model)
            self.admission.record(run, model, type(error).__name__, 0, now)
            if credential is not None:
                self.admission.record_key(run, model, credential, CircuitOpen.__name__, 0, now)
            raise
        return Begun(replace(plan, head=head), key, call, credential)

    def _build(self, plan: Planned, lease: int, *, hurried: bool) -> tuple[Call, Credential | None]:
        """A call, and its key of a pool; one whose secret is missing is as one that is rejected."""
        key, missing = f"{plan.run.fence.run}.{plan.head.calls_made + 1}", set[str]()
        failure: CredentialRejected | None = None
        while True:
            try:
                credential = self._choose(plan, lease, missing, hurried=hurried)
            except CircuitOpen:
                if failure is not None:
                    raise failure from None
                raise
            try:
                return built(plan, key, credential, self.secret, self.media), credential
            except Exception as error:
                if credential is None:
                    raise
                self.admission.record_key(plan.run, plan.model, credential, type(error).__name__, 0, plan.now)
                if not isinstance(error, CredentialRejected):
                    raise
                failure = error
                missing.add(credential.name)

    def _choose(self, plan: Planned, lease: int, missing: set[str], *, hurried: bool) -> Credential | None:
        run, head, model, request = plan.run, plan.head, plan.model, plan.request
        common = request.get("prompt_cache", {}).get("key") or head.conversation
        affinity = f"{run.tenant}/{common}" if common else head.id

        def tokens() -> int:
            return Question(request, counter(request), plan.now).most_tokens([model])

        return self.keys.choose(run, head, model, affinity, tokens, lease, plan.now, missing, hurried=hurried)

    def poll(self, run: Run, head: Head, key: str, model: Model, request: Request, now: int) -> dict[str, Any]:
        """Ask after a call that goes on by itself; as `make`."""
        try:
            plan = Planned(run, head, model, request, time_slice_of(model, head, run.fence, now), now)
            credential = key_of(model, head.calls[key])
            call = built(plan, key, credential, self.secret, self.media)
        except TimedOut:
            self.stop(head, key, model)
            raise
        return self.exchange(Begun(plan, key, call, credential))

    def stop(self, head: Head, key: str, model: Model) -> None:
        """Have a provider leave work undone that nobody waits for any more, where it is `wire.base.Stoppable`.

        What it did until then is reckoned by the sweep, as of any call that nobody settles.
        """
        operation_id = head.calls[key].get("h")
        with suppress(Exception):  # whatever it is: the work then goes on to its own end, as all others' does
            stop = getattr(self.exchange.provider(model.provider), "stop", None)
            if stop is not None and operation_id is not None:
                secret = secret_of(model, key_of(model, head.calls[key]), self.secret)
                call = Call(head.task, model.name, {}, {}, STOP_S, secret, model.endpoint, options=model.options)
                stop(call, operation_id)
                self.admission.leave_place(head, model)  # others' work may begin in its place: it does not go on

    def auxiliary(self, run: Run, model: Model, request: Request, operation: str, now: int) -> dict[str, Any]:
        """The answer to a call whose answer is not the job's; it is settled at once, and asked for once.

        It leaves the job's own call as much time as it may take itself.

        Raises:
            BrokerError: as `make`.
        """
        (answered,) = self.side_by_side(run, [Auxiliary(model, request, operation)], now)
        if answered.error is not None:
            raise answered.error
        self.close(run, answered)
        return answered.output

    def side_by_side(
        self, run: Run, asked: Sequence[Auxiliary], now: int, within_s: float = math.inf
    ) -> list[Answered]:
        """The answers to calls whose answers are not the job's, made at the same time; `close` settles each.

        They go on record one after the other. A repeat gets the answers that are kept, and asks for the others.

        Args:
            run: for which.
            asked: the calls.
            now: milliseconds.
            within_s: seconds in which all end. One that could not begin by then is not sent.

        Raises:
            Conflict: the run is stale.
        """
        until, turns = time.monotonic() + within_s, -(-len(asked) // MOST_AT_ONCE)
        head = enter(self.jobs, run)
        kept = {key: self.payloads.facts(head.id, f"OUTPUT#{key}") or {} for key in head.open_calls}
        known = {(facts.get("operation"), facts.get("question", "")): (key, facts) for key, facts in kept.items()}
        made: list[Answered | Begun] = []
        for each in asked:
            if (each.operation, each.question) in known:
                key, facts = known[each.operation, each.question]
                made.append(Answered(key, facts, self.payloads.load(run.id, f"OUTPUT#{key}") or {}))
                continue
            try:
                time_slice = time_slice_of(each.model, head, run.fence, now, [None]).within(until - time.monotonic())
                named = each.operation, each.question, each.prompt
                begun = self.begin(Planned(run, head, each.model, each.request, time_slice, now, *named), turns=turns)
            except Conflict:
                self._withdraw([each for each in made if isinstance(each, Begun)], now)
                raise
            except BrokerError as error:
                made.append(Answered(error=error))
            else:
                head = begun.plan.head
                made.append(begun)
        waiting = [each for each in made if isinstance(each, Begun)]
        if len(waiting) > 1:
            with ThreadPoolExecutor(min(len(waiting), MOST_AT_ONCE)) as pool:
                answers = iter(list(pool.map(lambda each: self._answered(each, until), waiting)))
        else:
            answers = iter([self._answered(each, until) for each in waiting])
        return [next(answers) if isinstance(each, Begun) else each for each in made]

    def _withdraw(self, begun: Sequence[Begun], now: int) -> None:
        """Settle calls that are on record and were not sent: there was no time, or the run is over."""
        for each in begun:
            unsent = {"outcome": CutShort.__name__, "paid": "no", "cost": 0, "latency_ms": 0, "ended_at": now}
            unsent |= {"operation": each.plan.operation, "prompt": each.plan.prompt or None}
            self.admission.record(each.plan.run, each.plan.model, CutShort.__name__, 0, now)
            with suppress(Conflict):  # it is settled all the same
                settle_call(self.jobs, each.plan.run.id, each.key, each.plan.run.fence, unsent)

    def close_kept(self, run: Run, operation: str, questions: Collection[str]) -> None:
        """Settle the calls whose answers were used, and which a crash left open; `questions` begin like theirs."""
        for key in enter(self.jobs, run).open_calls:
            facts = self.payloads.facts(run.id, f"OUTPUT#{key}") or {}
            if facts.get("operation") == operation and str(facts.get("question")).startswith(tuple(questions)):
                self.close(run, Answered(key, facts))

    def _answered(self, begun: Begun, until: float) -> Answered:
        try:
            # It may have waited for others, of which only so many are made at once.
            time_slice = begun.plan.time_slice.within(until - time.monotonic())
        except CutShort as error:
            self._withdraw([begun], begun.plan.now)
            return Answered(error=error)
        call, plan = replace(begun.call, timeout=time_slice.seconds), replace(begun.plan, time_slice=time_slice)
        try:
            made = self.exchange(replace(begun, call=call, plan=plan))
        except Conflict:
            raise
        except BrokerError as error:
            return Answered(error=error)
        output = self.payloads.load(begun.plan.run.id, made["output"]) or {}
        return Answered(begun.key, made["facts"], output)

    def close(self, run: Run, answered: Answered) -> None:
        """Settle a call of `side_by_side`, whose answer is then dropped."""
        if answered.key:
            settle_call(self.jobs, run.id, answered.key, run.fence, answered.facts)
            self.payloads.drop(run.id, f"OUTPUT#{answered.key}")

    def _start(self, plan: Planned, lease: int, credential: Credential | None, *, once: bool) -> tuple[Head, str]:
        run, model, now = plan.run, plan.model, plan.now
        reserve = Question(plan.request, counter(plan.request), now).worst(model)
        keys: list[str] = []

        def start(current: Head) -> Head:
            following, key = start_call(
                current,
                run.fence,
                model=model.id,
                version=model.version,
                reserve=reserve,
                now=now,
                lease_ms=lease,
                credential=credential.name if credential else None,
            )
            keys[:] = [key]
            return following

        return self.jobs.change(run.id, start, known=plan.head, once=once), keys[0]
