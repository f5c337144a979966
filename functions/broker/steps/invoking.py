"""Invoke Model: one provider call, recorded before it is made, whatever comes of it.

A failure is settled at once. An answer is kept with what it cost, and settled by the commit that ends the job, or by
the sweep where the run dies before that. So a repeat, and a later run as well, finds the answer that was paid for.
"""

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from broker.cache.sharing import Leading
from broker.clock import now_ms
from broker.errors import (
    BadOutput,
    BrokerError,
    Conflict,
    ContextExceeded,
    InvalidRequest,
    Pending,
    Throttled,
    TimedOut,
    Unavailable,
)
from broker.jobs import calls
from broker.jobs.ending import settle_call
from broker.jobs.head import Head
from broker.jobs.store import Jobs, Payloads
from broker.jobs.transitions import go_on, start_call
from broker.providers.base import Answer, Asynchronous, Call, Media, Provider, Started
from broker.routing.models import Model, Models
from broker.steps.context import Run, enter, material
from broker.steps.sharing import Share
from broker.tokens import estimate_input

AFTER_CALL_MS = 60_000
"""The lease's margin over a call: what follows it (moderation, the commit) takes far less."""

LONGEST_PAUSE_S = 10
"""A provider that asks for a longer pause is passed over."""

LONGEST_LOOK_S = 60
"""Work that goes on by itself is asked after at least so often."""

ANSWERED = "succeeded"

EMBEDS = "embed"
"""The purpose of a call whose answer is not the job's."""


@dataclass(frozen=True, slots=True)
class InvokeModel:
    """Calls one candidate of one run."""

    jobs: Jobs
    payloads: Payloads
    models: Models
    provider: Callable[[str], Provider]
    secret: Callable[[str], str]
    media: Callable[[Run], Media]
    observe: Callable[[Head, dict[str, Any]], None]
    """Told of each call that came to an end: the head, and the attempt's record."""
    share: Share

    def __call__(self, run: Run, model_id: str, now: int) -> dict[str, Any]:
        """Make the call, unless its answer is there already; or ask after one that goes on by itself.

        Returns:
            `{"output", "facts"}`: the payload's name, and the call's facts by the long names of `jobs.calls`; with
            `"given": True` where another job made the call.

        Raises:
            Pending: the provider goes on by itself, or an identical job makes the call.
            BrokerError: by the error table; `Conflict` when the run is stale or the job ended meanwhile (the call is
                then paid for all the same).
        """
        head = enter(self.jobs, run)
        for key in head.open_calls:
            if (kept := self.payloads.facts(head.id, f"OUTPUT#{key}")) and "purpose" not in kept:
                return _told(key, kept)
        request = material(self.payloads, run.id)
        going_on = next((key for key in head.open_calls if "h" in head.calls[key]), None)
        if going_on is not None:
            model = self.models.get(head.calls[going_on]["m"], now)
            return self._call(run, head, going_on, model, self._build(run, head, going_on, model, request, now), now)
        model = self.models.get(model_id, now)
        self._check_window(model, _of_run(head, run), now)
        turn = self.share.join(run, head, request, model, _timeout(model, head, now), now)
        if isinstance(turn, dict):
            return turn
        try:
            told = self._make(run, head, model, request, now)
        except BrokerError as error:
            if isinstance(turn, Leading):
                self.share.failed(turn, error, now_ms())
            raise
        if isinstance(turn, Leading):
            self.share.brought(turn, run, told)
        return told

    def _make(self, run: Run, head: Head, model: Model, request: dict[str, Any], now: int) -> dict[str, Any]:
        reserve = model.worst_case(estimate_input(request), _most_tokens(model, request))
        # Made before the call is on record: what is wrong with the request or the key needs no call.
        call = self._build(run, head, f"{run.fence.run}.{len(head.calls) + 1}", model, request, now)
        head, key = self._start(run, head, model, reserve, now)
        return self._call(run, head, key, model, call, now)

    def _start(self, run: Run, head: Head, model: Model, reserve: int, now: int) -> tuple[Head, str]:
        lease = _timeout(model, head, now) * 1000 + AFTER_CALL_MS
        keys: list[str] = []

        def start(current: Head) -> Head:
            following, key = start_call(
                current, run.fence, model=model.id, version=model.version, reserve=reserve, now=now, lease_ms=lease
            )
            keys[:] = [key]
            return following

        return self.jobs.change(run.id, start, known=head), keys[0]

    def embed(self, run: Run, model_id: str, text: str, now: int) -> list[float]:
        """The embedding of a text, by a call that is settled at once, for it is not the job's answer.

        Raises:
            BrokerError: by the error table.
        """
        head = enter(self.jobs, run)
        for key in head.open_calls:
            if (kept := self.payloads.facts(head.id, f"OUTPUT#{key}")) and kept.get("purpose") == EMBEDS:
                return self._vector(run, head, key, kept)
        model = self.models.get(model_id, now)
        if EMBEDS not in model.tasks or model.asynchronous:
            raise InvalidRequest(f"{model_id!r} gives no embeddings.", code="no_embedding_model")
        request: dict[str, Any] = {"input": {"text": text}}
        call = replace(
            self._build(run, head, f"{run.fence.run}.{len(head.calls) + 1}", model, request, now), task=EMBEDS
        )
        head, key = self._start(run, head, model, model.worst_case(estimate_input(request), 1), now)
        return self._vector(run, head, key, self._call(run, head, key, model, call, now, EMBEDS)["facts"])

    def _vector(self, run: Run, head: Head, key: str, facts: dict[str, Any]) -> list[float]:
        kept = self.payloads.load(run.id, f"OUTPUT#{key}") or {}
        settle_call(self.jobs, run.id, key, run.fence, facts, known=head)
        self.payloads.drop(run.id, f"OUTPUT#{key}")
        vectors: list[list[float]] = kept.get("embeddings") or [[]]
        return vectors[0]

    def _build(self, run: Run, head: Head, key: str, model: Model, request: dict[str, Any], now: int) -> Call:
        missed = [call for call in _of_run(head, run).values() if call.get("o") == BadOutput.__name__]
        return Call(
            task=head.task,
            model=model.name,
            input=request.get("input", {}),
            # The model's own limit is sent too: what was held covers an answer of that length and no longer one.
            parameters=request.get("parameters", {}) | {"max_output_tokens": _most_tokens(model, request)},
            timeout=_timeout(model, head, now),
            secret=self.secret(model.secret) if model.secret else None,
            endpoint=model.endpoint,
            output_schema=request.get("output_schema"),
            repair=any(call["m"] == model.id for call in missed),
            options=model.options,
            media=self.media(run),
            token=f"{head.id}-{key.replace('.', '-')}",
        )

    def _check_window(self, model: Model, mine: dict[str, dict[str, Any]], now: int) -> None:
        for call in mine.values():
            if call.get("o") != ContextExceeded.__name__:
                continue
            if call["m"] != model.id and model.context_window <= self.models.get(call["m"], now).context_window:
                raise ContextExceeded(f"The window of {model.id} is no larger than that of {call['m']}.")

    def _call(
        self, run: Run, head: Head, key: str, model: Model, call: Call, now: int, purpose: str | None = None
    ) -> dict[str, Any]:
        began = time.monotonic()
        answer: Answer | None = None
        failure: BrokerError | None = None
        handle = head.calls[key].get("h")
        try:
            provider = self.provider(model.provider)
            told = provider.invoke(call) if handle is None else _checking(provider).check(call, handle)
            if isinstance(told, Started):
                raise self._goes_on(run, head, key, told, now)
            answer = told
        except (Pending, Conflict):
            raise
        except BrokerError as error:
            failure = error
            if handle is not None and isinstance(error, Throttled | Unavailable) and not error.maybe_paid:
                # Only the question failed: the work goes on.
                raise Pending("The provider could not be asked.", retry_after=_look_s(head, key, 5, now)) from None
        except Exception as error:
            # A fault of the wire format's code. The call may have been paid for, so it has to be settled like any
            # other; the text of the exception may quote the prompt, so its name has to do.
            name = type(error).__name__
            failure = Unavailable(f"The provider's adapter failed ({name}).", code="adapter_failed", maybe_paid=True)
        since = head.calls[key].get("s")
        facts: dict[str, Any] = {
            "model": model.id,
            "outcome": ANSWERED if answer else type(failure).__name__,
            "error": failure.facts() if failure else None,
            "latency_ms": now_ms() - since if since else round((time.monotonic() - began) * 1000),
            "paid": "no",
            "cost": 0,
            "ended_at": now_ms(),
        }
        if purpose:
            facts["purpose"] = purpose
        if answer:
            facts |= {
                "paid": "yes",
                "cost": model.cost(answer.input_tokens, answer.output_tokens, answer.units),
                "input_tokens": answer.input_tokens,
                "output_tokens": answer.output_tokens,
            }
            self._keep(head, key, answer, facts)
        elif failure and failure.maybe_paid:
            facts |= {"paid": calls.UNKNOWN, "cost": head.calls[key]["r"]}
        self.observe(head, facts)
        if failure is None:
            return _told(key, facts)
        settle_call(self.jobs, head.id, key, run.fence, facts, known=head)
        if isinstance(failure, Throttled):
            failure.retry_after = _pause(head, run, model, failure.retry_after)
        raise failure

    def _goes_on(self, run: Run, head: Head, key: str, started: Started, now: int) -> Pending:
        """Keep the handle, and the lease for as long as the job may wait; the error that makes the workflow wait."""
        lease = (head.claimed_at or now) + head.timeout_s * 1000 + AFTER_CALL_MS
        if "h" not in head.calls[key] or (head.lease_until or 0) < lease:
            self.jobs.change(
                head.id,
                lambda current: go_on(current, run.fence, key, started.handle, now=now, lease_until=lease),
                known=head,
            )
        return Pending("The provider goes on by itself.", retry_after=_look_s(head, key, started.check_after_s, now))

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


def _told(key: str, facts: dict[str, Any]) -> dict[str, Any]:
    return {"output": f"OUTPUT#{key}", "facts": facts}


def _checking(provider: Provider) -> Asynchronous:
    if not hasattr(provider, "check"):
        raise Unavailable("The model's provider cannot be asked after its work.", code="no_check", maybe_paid=True)
    return provider  # type: ignore[return-value]  # it has the method, which is all that the protocol adds


def _of_run(head: Head, run: Run) -> dict[str, dict[str, Any]]:
    return {key: call for key, call in head.calls.items() if int(key.split(".")[0]) == run.fence.run}


def _most_tokens(model: Model, request: dict[str, Any]) -> int:
    asked = request.get("parameters", {}).get("max_output_tokens")
    return min(asked or model.max_output_tokens, model.max_output_tokens)


def _look_s(head: Head, key: str, asked: int, now: int) -> int:
    """Seconds until the next look at work that goes on: as the provider says, and ever later the longer it takes."""
    waited = (now - int(head.calls[key].get("s", now))) // 10_000
    return max(1, min(max(asked, waited), LONGEST_LOOK_S))


def _pause(head: Head, run: Run, model: Model, asked: float | None) -> int | None:
    """Whole seconds to wait for a throttled model: once for each run, if it asks for little; else the next one."""
    before = [
        call for call in _of_run(head, run).values() if call["m"] == model.id and call.get("o") == Throttled.__name__
    ]
    if before or asked is None or asked > LONGEST_PAUSE_S:
        return None
    return math.ceil(max(asked, 1) * random.uniform(1, 1.25))  # noqa: S311 - jitter, not a secret


def _timeout(model: Model, head: Head, now: int) -> int:
    """Whole seconds for the call: the model's own, within what is left of the job's time budget in this run.

    Raises:
        TimedOut: nothing is.
    """
    left = head.timeout_s - (now - (head.claimed_at or now)) // 1000
    if left < 1:
        raise TimedOut(f"The job's time budget of {head.timeout_s} s is spent.")
    return min(model.timeout_s, left)
