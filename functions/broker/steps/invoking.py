"""Invoke Model: one provider call, recorded before it is made and settled after, whatever comes of it."""

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from broker.clock import now_ms
from broker.errors import BadOutput, BrokerError, Conflict, ContextExceeded, Throttled, TimedOut, Unavailable
from broker.jobs.ending import settle_call
from broker.jobs.head import Head
from broker.jobs.store import Jobs, Payloads
from broker.jobs.transitions import start_call
from broker.providers.base import Answer, Call, Provider, Started
from broker.routing.models import Model, Models
from broker.steps.context import Run, enter, material
from broker.tokens import estimate_input

AFTER_CALL_MS = 60_000
"""The lease's margin over a call: what follows it (settling, moderation, the commit) takes far less."""

LONGEST_PAUSE_S = 10
"""A provider that asks for a longer pause is passed over."""

ANSWERED = "succeeded"


@dataclass(frozen=True, slots=True)
class InvokeModel:
    """Calls one candidate of one run."""

    jobs: Jobs
    payloads: Payloads
    models: Models
    provider: Callable[[str], Provider]
    secret: Callable[[str], str]
    observe: Callable[[Head, dict[str, Any]], None]
    """Told of each call: the head, and the attempt's record."""

    def __call__(self, run: Run, model_id: str, now: int) -> dict[str, Any]:
        """Make the call, unless this execution has its answer already.

        Returns:
            `{"model", "output", "usage": {"input_tokens", "output_tokens"}}`; `output` is the payload's name.

        Raises:
            BrokerError: by the error table; `Conflict` when the run is stale or the job ended meanwhile (the call is
                then settled all the same).
        """
        head = enter(self.jobs, run)
        mine = {key: call for key, call in head.calls.items() if int(key.split(".")[0]) == run.fence.run}
        for key, made in mine.items():
            if made.get("o") == ANSWERED:
                return self._told(key, self.jobs.notes(head.id, f"ATTEMPT#{key}")[f"ATTEMPT#{key}"])
        model = self.models.get(model_id, now)
        self._check_window(model, mine, now)
        request = material(self.payloads, run.job_id)
        repair = any(call["m"] == model.id and call.get("o") == BadOutput.__name__ for call in mine.values())
        timeout = min(model.timeout_s, _left_s(head, now))
        asked = request.get("parameters", {})
        # The model's own limit is sent too: what was held covers an answer of that length and no longer one.
        most = min(asked.get("max_output_tokens", model.max_output_tokens), model.max_output_tokens)
        call = Call(
            task=head.task,
            model=model.name,
            input=request.get("input", {}),
            parameters=asked | {"max_output_tokens": most},
            timeout=timeout,
            secret=self.secret(model.secret) if model.secret else None,
            endpoint=model.endpoint,
            output_schema=request.get("output_schema"),
            repair=repair,
        )
        reserve = model.worst_case(estimate_input(request), most)
        lease = timeout * 1000 + AFTER_CALL_MS
        keys: list[str] = []

        def start(current: Head) -> Head:
            following, key = start_call(current, run.fence, model=model.id, reserve=reserve, now=now, lease_ms=lease)
            keys[:] = [key]
            return following

        head = self.jobs.change(run.job_id, start, known=head)
        return self._call(run, head, keys[0], model, call)

    def _check_window(self, model: Model, mine: dict[str, dict[str, Any]], now: int) -> None:
        for call in mine.values():
            if call.get("o") != ContextExceeded.__name__:
                continue
            if call["m"] != model.id and model.context_window <= self.models.get(call["m"], now).context_window:
                raise ContextExceeded(f"The window of {model.id} is no larger than that of {call['m']}.")

    def _call(self, run: Run, head: Head, key: str, model: Model, call: Call) -> dict[str, Any]:
        began = time.monotonic()
        answer: Answer | None = None
        failure: BrokerError | None = None
        try:
            given = self.provider(model.provider).invoke(call)
            if isinstance(given, Started):
                raise Unavailable("The provider's work takes longer than a call.", code="unexpected_start")
            answer = given
        except BrokerError as error:
            failure = error
        except Exception as error:
            # A fault of the wire format's code. The call may have been paid for, so it has to be settled like any
            # other; the text of the exception may quote the prompt, so its name has to do.
            name = type(error).__name__
            failure = Unavailable(f"The provider's adapter failed ({name}).", code="adapter_failed", maybe_paid=True)
        facts: dict[str, Any] = {
            "model": model.id,
            "outcome": ANSWERED if answer else type(failure).__name__,
            "error": failure.facts() if failure else None,
            "latency_ms": round((time.monotonic() - began) * 1000),
            "paid": "no",
            "cost": 0,
            "ended_at": now_ms(),
        }
        if answer:
            self.payloads.save(head, f"OUTPUT#{key}", answer.output)
            cost = model.cost(answer.input_tokens, answer.output_tokens)
            tokens = {"input_tokens": answer.input_tokens, "output_tokens": answer.output_tokens}
            facts |= {"paid": "yes", "cost": cost, **tokens}
        elif failure and failure.maybe_paid:
            facts |= {"paid": "unknown", "cost": head.calls[key]["r"]}
        self.observe(head, facts)
        try:
            settle_call(self.jobs, head, key, run.fence, facts, known=head)
        except Conflict:
            self.payloads.drop(head.id, f"OUTPUT#{key}")
            raise
        if isinstance(failure, Throttled):
            failure.retry_after = self._pause(head, run, model, failure.retry_after)
        if failure:
            raise failure
        return self._told(key, facts)

    @staticmethod
    def _pause(head: Head, run: Run, model: Model, asked: float | None) -> int | None:
        """Whole seconds to wait for a throttled model: once for each run, if it asks for little; else the next one."""
        before = [
            call
            for key, call in head.calls.items()
            if key.startswith(f"{run.fence.run}.") and call["m"] == model.id and call.get("o") == Throttled.__name__
        ]
        if before or asked is None or asked > LONGEST_PAUSE_S:
            return None
        return math.ceil(max(asked, 1) * random.uniform(1, 1.25))  # noqa: S311 - jitter, not a secret

    @staticmethod
    def _told(key: str, facts: dict[str, Any]) -> dict[str, Any]:
        return {
            "model": facts["model"],
            "output": f"OUTPUT#{key}",
            "usage": {name: facts[name] for name in ("input_tokens", "output_tokens")},
        }


def _left_s(head: Head, now: int) -> int:
    """Whole seconds that are left of the job's time budget in this run.

    Raises:
        TimedOut: none is.
    """
    left = head.timeout_s - (now - (head.claimed_at or now)) // 1000
    if left < 1:
        raise TimedOut(f"The job's time budget of {head.timeout_s} s is spent.")
    return left
