"""Settle Job: how a run ended, from what the workflow knows of it, and the commit.

A run that could ask nobody, because circuits are open or because there was no function to run in, is no end: its job
goes back to its queue and waits. Where a model was asked in vain it is one, also if a circuit then kept the repeat or
the next model back: the hold covers one run's calls, and another run would ask, and pay, again; only a job of the bulk
lane that was refused for rate limits, which is not paid for, waits as well. An answer that is there is never given up
for want of a function to check it: the next run takes it.
"""

import json
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from broker.context.conversations import Turns, turn_of
from broker.errors import LONGEST_MESSAGE, BrokerError, CircuitOpen, Conflict, Refused, Throttled, TimedOut, shortened
from broker.guardrails.blocked import sentence
from broker.guardrails.placeholders import named_in
from broker.jobs import calls
from broker.jobs.ending import settle_job
from broker.jobs.head import Head, Status
from broker.jobs.reading import in_order
from broker.jobs.reviewing import hold_for_review
from broker.jobs.store import REDACTED, Jobs, Payloads
from broker.jobs.transitions import Outcome, finish, has_asked, is_refused, is_unfinished, put_back, wait
from broker.reviews.record import opened
from broker.steps.context import Run, material
from broker.steps.repeating import answer_on_record
from broker.steps.timing import DEADLINE_PASSED
from broker.storage import Put

if TYPE_CHECKING:
    from broker.steps.cache_lookup import CacheLookup

NOT_STARTED = frozenset(
    {
        *("Lambda.TooManyRequestsException", "Lambda.ServiceException"),
        *("Lambda.SdkClientException", "Lambda.AWSLambdaException"),
    }
)
"""As Step Functions tells of a function that was not started, or may not have been: throttled, or Lambda failed."""

OUT_OF_MEMORY = "Runtime.OutOfMemory"
KILLED = "signal: killed"
"""In the cause of a `Runtime.ExitError`: Lambda killed the function's process, as it does for its memory."""


@dataclass(frozen=True, slots=True)
class SettleJob:
    """Ends one run's job, or lets it wait: for a circuit, or for a person."""

    jobs: Jobs
    payloads: Payloads
    turns: Callable[[], Turns]
    """Where conversations are kept; asked for where a job has one."""
    cache: "Callable[[], CacheLookup]"
    """Where answers are kept for who asks the same; asked for where a job keeps its own."""
    unkept: Callable[[Run, Exception], None]
    """Told of an answer that could not be kept; its job ends well all the same."""
    chance: Callable[[], float] = random.random

    def __call__(self, run: Run, ending: dict[str, Any], now: int, *, keeps: bool = False) -> Head:
        """The one terminal commit, with the call whose answer was taken; see `outcome_of` for `ending`.

        Where the job `keeps` its answer, that is done before: whoever sees that it succeeded, and asks the same, gets
        it from the cache.

        Returns:
            The head: ended, or queued where its circuits keep the job waiting, or a person has to look at it.

        Raises:
            Conflict: another run owns the job, or it was ended from outside; the answer was then dropped, but is paid
                for.
        """
        answer = ending.get("answer")
        # An answer that was given from the cache, or by another job, is no call of this one.
        ends = {call_of(answer["output"]): answer["facts"]} if answer and "given" not in answer else {}
        failure = _failure(ending)
        # Of an answer the step that brought it told the head; what else became of a job is in what there is now.
        shown = answer.get("head") if answer and not failure else None
        before = Head.from_item(shown) if shown else self.jobs.get(run.id)
        if "held" in ending and not failure:
            return self._hold(run, before, ending["held"], answer, now)
        turned_away = failure.get("error") == CircuitOpen.__name__
        if turned_away and not has_asked(before, run.fence.run):
            return self._wait(run, before, failure, now)
        if failure.get("error") == Throttled.__name__ and is_refused(before, run.fence.run):
            return self._put_back(run, before, "rate", now, answered=False)
        by_workflow = bool(failure) and "facts" not in failure
        # Also one that the workflow was not told of, because its function died after it, or a later run before it.
        answered = by_workflow and (bool(ends) or answer_on_record(self.payloads, before) is not None)
        if reason := _interrupted(failure, with_answer=answered or answer is not None):
            if is_unfinished(before, run.fence.run, answered=answered):
                return self._put_back(run, before, reason, now, answered=answered)
            turned_away = True
        outcome = outcome_of(ending)
        if outcome.status is Status.FAILED:
            outcome = _with_attempts(outcome, before, turned_away=turned_away)
        if run.fence.run > 1 and outcome.status is not Status.SUCCEEDED:
            self._withdraw(run)
        turn = self._turn(run, before, outcome)
        kept = keeps and self._keep(run, before, outcome, now, ends)
        try:
            ended = settle_job(self.jobs, before, run.fence, outcome, now, ends, [turn] if turn else [])
        except Conflict:
            head = self.jobs.find(run.id)
            if answer and (head is None or (head.status.terminal and head.output != answer["output"])):
                self.payloads.drop(run.id, answer["output"])
            if head is None or head.status is not Status.SUCCEEDED:
                if turn:
                    self.turns().drop(turn)
                if kept:
                    self.cache().answers.withdraw(run.id)
            raise
        if turn:
            self.turns().recheck(turn)
        return ended

    def _hold(self, run: Run, before: Head, held: dict[str, Any], answer: dict[str, Any] | None, now: int) -> Head:
        def put_aside(current: Head) -> Head:
            return hold_for_review(current, run.fence, stage=held["stage"], rules=held["rules"], answer=answer, now=now)

        return self.jobs.change(run.id, put_aside, opened(put_aside(before), held, now), known=before)

    def _wait(self, run: Run, before: Head, failure: dict[str, Any], now: int) -> Head:
        until, chance = now + round(failure.get("retry_after", 0) * 1000), self.chance()
        return self.jobs.change(
            run.id, lambda current: wait(current, run.fence, until=until, now=now, chance=chance), known=before
        )

    def _put_back(
        self, run: Run, before: Head, reason: Literal["capacity", "moderation", "rate"], now: int, *, answered: bool
    ) -> Head:
        chance = self.chance()

        def back(current: Head) -> Head:
            return put_back(current, run.fence, reason, answered=answered, now=now, chance=chance)

        return self.jobs.change(run.id, back, known=before)

    def _keep(self, run: Run, before: Head, outcome: Outcome, now: int, ends: Mapping[str, calls.Facts]) -> bool:
        if outcome.status is not Status.SUCCEEDED:
            return False
        try:
            return self.cache().keep(finish(before, outcome, now=now, fence=run.fence, ends=ends), now)
        except Conflict:  # the commit says so
            return False
        except Exception as error:
            self.unkept(run, error)
            return False

    def _withdraw(self, run: Run) -> None:
        """Take back what a run gave to the cache that broke off before its job's end: it does not pass any more."""
        try:
            self.cache().answers.withdraw(run.id)
        except Exception as error:
            self.unkept(run, error)

    def _turn(self, run: Run, head: Head, outcome: Outcome) -> Put | None:
        """What a job that succeeds adds to its conversation, ready to join the commit."""
        if outcome.status is not Status.SUCCEEDED or head.conversation is None or outcome.output is None:
            return None
        try:
            document = material(self.payloads, run)
        except Conflict:  # erased, or its time is over: the commit says what became of the job
            return None
        output = self.payloads.load(head.id, outcome.output, fresh=True)  # Moderate Output may just have changed it
        if output is None:
            return None
        mapping = document.mapping
        if not mapping and named_in(output):  # what was taken out of the answer alone
            mapping = (self.payloads.load(head.id, REDACTED, fresh=True) or {}).get("mapping", {})
        turn = turn_of(head, document, output, mapping, outcome.model)
        return self.turns().stage(head.tenant, head.conversation, turn, head.payloads_until)


def _with_attempts(outcome: Outcome, head: Head, *, turned_away: bool) -> Outcome:
    """Where several models were asked in vain, the error says what became of each.

    Where the last question was never put (a circuit was open, or there was no function to run in), the error is that
    of the last call: it is what the job failed for.
    """
    tried = [calls.described(call) for key, call in in_order(head) if "o" in call and "w" not in call]
    failed = [call for call in tried if "error" in call]
    error = outcome.error
    if error and failed and turned_away:
        last = failed[-1]["error"]
        error = last | {"message": f"{last['message']} {error['message']}"}
    if error and not tried and error["code"] == TimedOut.type:
        error = error | {"message": f"{error['message']} No model was asked."}
    if error and len(tried) >= 2:
        each = "; ".join(f"{call['model']}: {call['outcome']} ({call['error']['code']})" for call in failed)
        error = error | {"message": shortened(f"{error['message']} Attempts: {each}.", LONGEST_MESSAGE)}
    return replace(outcome, error=error)


def _interrupted(failure: dict[str, Any], *, with_answer: bool) -> Literal["capacity", "moderation"] | None:
    """Why a run could not go on where that is no fault of the job's, by the workflow's word of it."""
    if failure.get("error") in NOT_STARTED:
        return "capacity"
    return "moderation" if with_answer and failure and "facts" not in failure else None


def call_of(output: str) -> str:
    """The call that an answer's payload is of."""
    return output.removeprefix("OUTPUT#")


def outcome_of(ending: dict[str, Any]) -> Outcome:
    """Decide the terminal status.

    Args:
        ending: `{"answer"?: {"output", "facts", "given"?}, "blocked"?: {"stage", "rules", "message"},
            "failure"?}`; the workflow sets one of them, or what became of an answer (where it is `held`, that is no
            end). `output` is the payload's name, `facts` are the call's. A failure is a step's own
            (`errors.BrokerError.failure`), or the workflow's word of one (`{"Error", "Cause"}`).
    """
    facts = ending["answer"]["facts"] if "answer" in ending else {}
    usage = {name: facts[name] for name in calls.USAGE if name in facts}
    known: dict[str, Any] = {"model": facts.get("model"), "usage": usage}
    if failure := _failure(ending):
        return replace(_failed(failure), **known)
    if "blocked" in ending:
        stage = ending["blocked"]["stage"]
        # A run that was checked before the sentence travelled with it has none.
        message = ending["blocked"].get("message") or sentence(stage, ending["blocked"]["rules"])
        error = _facts("blocked", f"blocked_{stage}", message) | {"source": "policy"}
        return Outcome(Status.BLOCKED, **known, error=error)
    about = {name: facts.get(name) for name in ("linked", "cut")}
    return Outcome(Status.SUCCEEDED, **known, output=ending["answer"]["output"], **about)


def _failure(ending: dict[str, Any]) -> dict[str, Any]:
    """A failure in the form that steps tell; empty where there is none.

    A step's own exception is told by Lambda as `{"errorMessage", …}`, and that by Step Functions as the cause.
    """
    failure: dict[str, Any] = ending.get("failure") or {}
    if "Error" not in failure:
        return failure
    with suppress(ValueError, LookupError, TypeError):
        cause: dict[str, Any] = json.loads(json.loads(failure["Cause"])["errorMessage"])
        return {"error": cause["error"], "facts": cause["facts"], "retry_after": cause.get("retry_after", 0)}
    return {"error": OUT_OF_MEMORY if KILLED in str(failure.get("Cause")) else failure["Error"]}


def _failed(failure: dict[str, Any]) -> Outcome:
    if failure["error"] == OUT_OF_MEMORY:
        message = "A function ran out of memory over what the job says or what a model said to it."
        return Outcome(Status.FAILED, error=_facts(BrokerError.type, "out_of_memory", message))
    if "facts" not in failure:
        message = f"The workflow could not go on ({failure['error']})."
        return Outcome(Status.FAILED, error=_facts(BrokerError.type, "workflow_error", message))
    facts = dict(failure["facts"])
    if failure["error"] == Refused.__name__:  # an answer of its own: the job is blocked, not broken
        return Outcome(Status.BLOCKED, error=facts | {"source": "provider"})
    if facts["code"] == DEADLINE_PASSED:
        return Outcome(Status.EXPIRED, error=facts | {"type": "expired"})
    return Outcome(Status.FAILED, error=facts)


def _facts(kind: str, code: str, message: str) -> dict[str, str]:
    return {"type": kind, "code": code, "message": message}
