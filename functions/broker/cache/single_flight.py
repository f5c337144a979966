"""One provider call for identical jobs that are under way: the first leads, the others wait for what it brings.

    nobody ──join──► leading ──share──► shared        taken by every job that was accepted before the call ended
                      │   │
                      │   └──give_up──► failed        the next to ask leads, or takes a failure that is everyone's
                      └─(lease over)──────────────►   the next to ask leads: the leader has died

One item of the table `cache` stands for one question to one model. Its `mark`, the leader's token, is new each time and
the condition of each write, so of several that would lead one does, and a leader that was given up for dead can write
no more. Those that wait write nothing: they look again when they are told to, and never longer than they can afford.
"""

import math
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from broker.errors import BrokerError, InvalidRequest, Refused, Rejected, Truncated
from broker.storage import ConditionFailed, Database, If, Item, Put, Update

SLOWEST_POLL_S = 5
"""Between two looks: half of the time that the call has taken so far, within one second and this."""

LINGER_MS = 900_000
"""How long a job that was accepted before the call ended may take its answer: one that waits in a long queue calls."""

MOST_FAILURES = 2
"""After so many leaders failed one after another, each job makes its own call."""

CALM_MS = 60_000
"""So long after the last failure, jobs share again."""

EVERYONES: dict[str, type[BrokerError]] = {
    kind.__name__: kind for kind in (Refused, InvalidRequest, Rejected, Truncated)
}
"""Failures of the question itself, by name. The same question, under the same guardrail settings (they are part of the
key), would only fail again, and a refusal must not be tried until it slips through."""

TRIES = 4


@dataclass(frozen=True, slots=True)
class Member:
    """A job's run that would share a call. Times are milliseconds."""

    job_id: str
    run: int
    accepted_at: int
    patience_until: int
    """From then on it makes its own call, while it has the time for one."""


@dataclass(frozen=True, slots=True)
class Leader:
    """This one makes the call, for all; it then says how it went by `share` or `give_up`."""

    pk: str
    token: str
    failures: int


@dataclass(frozen=True, slots=True)
class Waiter:
    """Another makes the call; look again after so many seconds."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Alone:
    """Make the call, for nobody else."""


@dataclass(frozen=True, slots=True)
class Shared:
    """The call was made. The answer is the payload `output` of the job that led."""

    job_id: str
    output: str
    model: str
    usage: dict[str, int]
    cost: int
    """Nano-dollars, all borne by the job that led."""
    ended_at: int
    cut: bool = False
    """Whether the answer ends because its limit of tokens was reached."""


class Flights:
    """The shared calls of one deployment."""

    def __init__(self, database: Database, token: Callable[[], str] = lambda: os.urandom(8).hex()) -> None:
        self._database = database
        self._token = token

    def join(self, tenant: str, key: str, me: Member, now: int, lease_ms: int) -> Leader | Waiter | Alone | Shared:
        """Lead, wait, take the answer, or go alone: one read, and one write where this one leads.

        Args:
            tenant: calls of two tenants are never shared.
            key: the question's, for the model that is to be called.
            me: who asks.
            now: milliseconds.
            lease_ms: how long the call may take; then it is taken over.

        Raises:
            Refused, InvalidRequest: the call was made, and its failure is everyone's.
        """
        pk = f"CALL#{tenant}#{key}"
        for _ in range(TRIES):
            item = self._database.get("cache", pk, "CALL")
            verdict = _judge(item, me, now)
            if not isinstance(verdict, int):
                return verdict
            leading = Leader(pk, self._token(), verdict)
            facts = {"state": "leading", "mark": leading.token, "job_id": me.job_id, "run": me.run, "failures": verdict}
            until = {"since": now, "until": now + lease_ms, "expires_at": _expires(now + lease_ms)}
            as_found = If("mark", "=", item["mark"]) if item else If("pk", "absent")
            try:
                self._database.write(Put("cache", {"pk": pk, "sk": "CALL", **facts, **until}, (as_found,)))
            except ConditionFailed:
                continue  # another was faster
            return leading
        return Waiter(1)

    def share(self, leading: Leader, answer: Shared) -> None:
        """Hand the answer to all that wait; in silence where the call was taken over meanwhile."""
        facts = {
            "state": "shared",
            "job_id": answer.job_id,
            "output": answer.output,
            "model": answer.model,
            "usage": answer.usage,
            **({"cut": True} if answer.cut else {}),
            "cost": answer.cost,
        }
        self._end(leading, facts, answer.ended_at)

    def give_up(self, leading: Leader, error: BrokerError, now: int) -> None:
        """Let another lead, or all share the failure, by its kind."""
        self._end(leading, {"state": "failed", "failures": leading.failures + 1, "error": _told(error)}, now)

    def _end(self, leading: Leader, facts: dict[str, Any], now: int) -> None:
        change = {**facts, "ended_at": now, "expires_at": _expires(now)}
        mine = If("mark", "=", leading.token)
        try:
            self._database.write(Update("cache", leading.pk, "CALL", set=change, when=(mine,)))
        except ConditionFailed:
            return


def _judge(item: Item | None, me: Member, now: int) -> Waiter | Alone | Shared | int:
    """What a job may make of a call as it stands; a number where it may lead: so many leaders have failed before."""
    if item is None:
        return 0
    failed: int = item["failures"]
    if item["state"] == "leading":
        if (item["job_id"], item["run"]) == (me.job_id, me.run):
            return failed  # its own call, that ended without a word, or is repeated
        if now >= item["until"]:
            return _after_failures(failed + 1, item["until"], now)
        return Alone() if now >= me.patience_until else Waiter(_pause(item, me, now))
    ended_at: int = item["ended_at"]
    was_there = me.accepted_at <= ended_at and now < ended_at + LINGER_MS
    if item["state"] == "shared":
        if not was_there:
            return 0
        known = item["job_id"], item["output"], item["model"], item["usage"], item["cost"]
        return Shared(*known, ended_at, item.get("cut", False))
    if was_there and (kind := EVERYONES.get(item["error"]["kind"])):
        error = item["error"]
        raise kind(error["message"], code=error["code"], param=error.get("param"))
    return _after_failures(failed, ended_at, now)


def _after_failures(failed: int, last: int, now: int) -> Alone | int:
    if now >= last + CALM_MS:
        return 0
    return Alone() if failed >= MOST_FAILURES else failed


def _pause(item: Item, me: Member, now: int) -> int:
    """Whole seconds, as a Wait state takes them: ever longer, with jitter, within the lease and one's patience."""
    since: int = item["since"]
    left: int = min(item["until"], me.patience_until) - now
    look = min(max((now - since) / 2000, 1), SLOWEST_POLL_S) * random.uniform(1, 1.25)  # noqa: S311 - jitter
    return min(round(look), max(math.ceil(left / 1000), 1))


def _told(error: BrokerError) -> dict[str, str]:
    return {"kind": type(error).__name__, **error.facts()}


def _expires(ms: int) -> int:
    """Epoch seconds at which DynamoDB may delete what ends then."""
    return (ms + LINGER_MS) // 1000 + 1
