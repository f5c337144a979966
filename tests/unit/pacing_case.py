"""A batch against a provider with rate limits, in virtual time: dispatch with its governor, the workflow, the sweep.

`overload_case` with models that take so many calls and tokens, and refuse what is more (`pacing_provider`). A refused
call is settled, and repeated or put back, by the rules of the workflow's own steps.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from broker.consequences import SUCCEEDED
from broker.errors import Throttled
from broker.jobs.ending import settle_call
from broker.jobs.head import BULK
from broker.jobs.in_flight import InFlight
from broker.jobs.leaving import Left
from broker.steps.outcomes import pace_facts
from broker.steps.repeating import may_ask
from broker.steps.timing import bulk_pause_s, pause_s

from tests.fakes.world import MINUTE, NOW, SECOND, a_head
from tests.unit.overload_case import Arrival, Execution, Message, Overload
from tests.unit.pacing_provider import Bucket, Limited

REFUSED_MS = 150
"""In which a provider refuses a call."""


@dataclass(frozen=True, slots=True)
class Row(Arrival):
    """A job that takes tokens."""

    tokens: int = 1_000
    hold: int = 0
    """Nano-dollars that are held for it: what it says of its size. Nothing is, where its tenant has no budget."""
    always_refused: bool = False
    asked: str = ""
    """The model that it asks for, where that is not the one that answers."""


@dataclass
class Batch(Overload):
    """Rows and their provider."""

    providers: Mapping[str, Limited] = field(default_factory=lambda: {"small": Limited(Bucket(10, 600))})
    """By model."""
    changes: Sequence[tuple[int, float]] = ()
    """When limits become others, and how many times as large (milliseconds from the start)."""
    weights: Mapping[str, int] = field(default_factory=dict)
    """Of tenants; 1 of those that are not named."""
    calls: Counter[str] = field(default_factory=Counter)
    """By lane."""
    refused: Counter[str] = field(default_factory=Counter)
    served: list[tuple[int, str, int]] = field(default_factory=list)
    """When a call was let through, whose, and its tokens."""
    asked: dict[str, int] = field(default_factory=dict)
    """When a job's first call was made."""
    ended: dict[str, int] = field(default_factory=dict)
    """When a job's answer came."""
    looks: int = 0

    def __post_init__(self) -> None:
        Overload.__post_init__(self)
        for when, times in self.changes:
            self.at(NOW + when, partial(self._change, times))

    def _change(self, times: float) -> None:
        for provider in self.providers.values():
            provider.scale(times, self.now)

    def _new_process(self) -> InFlight:
        process = Overload._new_process(self)
        process.pace.fair.weight = lambda tenant, now: self.weights.get(tenant, 1)
        return process

    def _arrive(self, job_id: str, arrival: Arrival) -> None:
        times = {"created_at": self.now, "deadline_at": self.now + 24 * 60 * MINUTE, "due_at": self.now + MINUTE}
        holds = {"tenant": self._row(job_id).hold} if self._row(job_id).hold else {}
        asked = self._row(job_id).asked or (arrival.model if len(self.providers) > 1 else "auto")
        head = a_head(id=job_id, tenant=arrival.tenant, lane=arrival.lane, asked=asked, **times, holds=holds)
        self.world.put(head)
        self._send(head)

    def _row(self, job_id: str) -> Row:
        arrival = self.jobs[job_id]
        assert isinstance(arrival, Row)
        return arrival

    def _enter(self, execution: Execution, name: str, ending: dict[str, Any] | None = None, tries: int = 0) -> None:
        if name != "Invoke Model" or self.busy >= self.concurrency:
            Overload._enter(self, execution, name, ending, tries)
            return
        row, keys = self._row(execution.run.id), list[str]()
        self._ask(execution, keys)
        if not keys:
            return
        self.asked.setdefault(execution.run.id, self.now)
        provider = self.providers[row.model]
        takes = not row.always_refused and provider.takes(row.tokens, self.now)
        self.calls[row.lane] += 1
        if takes:
            self.served.append((self.now, row.tenant, row.tokens))
        else:
            self.refused[row.lane] += 1
        took = row.model_ms if takes else REFUSED_MS
        failure = None
        if not takes:
            failure = Throttled("Slowly.", code="http_429", retry_after=provider.pause_s(row.tokens, self.now))
        self._started(name, took, partial(self._replied, execution, keys[-1], provider.headers(self.now), failure))

    def _replied(self, execution: Execution, key: str, headers: dict[str, str], failure: Throttled | None) -> None:
        run, row = execution.run, self._row(execution.run.id)
        facts: dict[str, Any] = {"model": row.model, "cost": 0, "ended_at": self.now}
        if row.lane == BULK:
            facts |= pace_facts(failure, headers)
        if failure is None:
            self.ended[run.id] = self.now
            facts |= {"outcome": SUCCEEDED, "paid": "yes", "input_tokens": row.tokens, "output_tokens": 0}
            execution.answer = {"output": f"OUTPUT#{key}", "facts": facts}
            self.world.payloads.save(run, f"OUTPUT#{key}", {"text": "Fine."}, facts)
            self._enter(execution, "Moderate Output")
            return
        facts |= {"outcome": "Throttled", "paid": "no", "error": failure.facts()}
        settle_call(self.world.jobs, run.id, key, run.fence, facts)
        pause = (bulk_pause_s if row.lane == BULK else pause_s)(failure.retry_after, self.dice.random)
        if pause is not None and may_ask(row.model, self.world.jobs.get(run.id).calls_of(run.fence.run)):
            self.at(self.now + pause * SECOND, partial(self._enter, execution, "Invoke Model"))
        else:
            self._enter(execution, "Settle Job", {"failure": failure.failure()})

    def _dispatch(self, left: list[Left], message: Message, process: InFlight) -> None:
        self.looks += 1
        Overload._dispatch(self, left, message, process)


def drained_s(batch: Batch, tenant: str | None = None) -> float:
    """Seconds until the last answer."""
    ours = [at for job_id, at in batch.ended.items() if tenant is None or batch.jobs[job_id].tenant == tenant]
    return (max(ours) - NOW) / 1000


def gap(batch: Batch, one: str, other: str, since: int | None = None) -> float:
    """By how many tokens one of two tenants was ever ahead of the other, while both had something to be started.

    Tokens are those of a tenant of the smaller weight: of one with three times as much, three count as one. A refused
    call that pauses until it is repeated is nothing to be started: nobody waits for it.

    Args:
        batch: that was run.
        one: a tenant.
        other: the other.
        since: milliseconds from the start: a little later than both came, for what nobody waits for is anybody's.
    """
    both = one, other
    came = max(min(each.at for each in batch.arrivals if each.tenant == tenant) for tenant in both)
    begin = NOW + (came + 5 * SECOND if since is None else since)
    until = min(max(at for job, at in batch.asked.items() if batch.jobs[job].tenant == each) for each in both)
    weights = [batch.weights.get(each, 1) / min(batch.weights.get(tenant, 1) for tenant in both) for each in both]
    ahead = widest = 0.0
    for at, tenant, tokens in batch.served:
        if begin <= at < until and tenant in both:
            ahead += tokens / weights[0] if tenant == one else -tokens / weights[1]
            widest = max(widest, abs(ahead))
    return widest
