"""A batch against a provider with rate limits, in virtual time: dispatch with its governor, the workflow, the sweep.

`overload_case` with a model that takes so many calls and tokens a minute, as buckets that fill all the time, and
refuses what is more. A refused call is settled, and repeated or put back, by the rules of the workflow's own steps.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from broker.consequences import SUCCEEDED
from broker.errors import Throttled
from broker.jobs.ending import settle_call
from broker.jobs.head import BULK
from broker.steps.outcomes import pace_facts
from broker.steps.repeating import may_ask
from broker.steps.timing import bulk_pause_s, pause_s

from tests.fakes.world import MINUTE, NOW, SECOND, a_head
from tests.unit.overload_case import Arrival, Execution, Overload

REFUSED_MS = 150
"""In which a provider refuses a call."""


@dataclass(frozen=True, slots=True)
class Row(Arrival):
    """A job that takes tokens."""

    tokens: int = 1_000
    hold: int = 0
    """Nano-dollars that are held for it: what it says of its size. Nothing is, where its tenant has no budget."""
    always_refused: bool = False


@dataclass
class Bucket:
    """So much a second, and so much saved up."""

    rate: float
    most: float
    level: float = field(init=False)
    _at: int = NOW

    def __post_init__(self) -> None:
        self.level = self.most

    def fill(self, now: int) -> None:
        """As time passes."""
        self.level = min(self.most, self.level + self.rate * (now - self._at) / 1000)
        self._at = now


@dataclass
class Limited:
    """A provider of one model."""

    calls: Bucket
    tokens: Bucket = field(default_factory=lambda: Bucket(1e12, 1e12))
    names_limits: bool = False
    retry_after_s: float | None = None

    def takes(self, row: Row, now: int) -> bool:
        """True where a call is within the limits; it is then counted."""
        for bucket in (self.calls, self.tokens):
            bucket.fill(now)
        if row.always_refused or self.calls.level < 1 or self.tokens.level < row.tokens:
            return False
        self.calls.level -= 1
        self.tokens.level -= row.tokens
        return True

    def headers(self) -> dict[str, str]:
        """Of any reply."""
        if not self.names_limits:
            return {}
        each = (("requests", self.calls), ("tokens", self.tokens))
        return {
            f"x-ratelimit-{what}-{name}": str(int(value))
            for name, bucket in each
            if bucket.most < 1e12
            for what, value in (("limit", bucket.rate * 60), ("remaining", bucket.level))
        }


@dataclass
class Batch(Overload):
    """Rows and their provider."""

    provider: Limited = field(default_factory=lambda: Limited(Bucket(10, 600)))
    changes: Sequence[tuple[int, Callable[[Limited], None]]] = ()
    """What becomes of the provider, and when (milliseconds from the start)."""
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
        for when, change in self.changes:
            self.at(NOW + when, partial(change, self.provider))

    def _arrive(self, job_id: str, arrival: Arrival) -> None:
        times = {"created_at": self.now, "deadline_at": self.now + 24 * 60 * MINUTE, "due_at": self.now + MINUTE}
        holds = {"tenant": self._row(job_id).hold} if self._row(job_id).hold else {}
        head = a_head(id=job_id, tenant=arrival.tenant, lane=arrival.lane, **times, holds=holds)
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
        takes = self.provider.takes(row, self.now)
        self.calls[row.lane] += 1
        if takes:
            self.served.append((self.now, row.tenant, row.tokens))
        else:
            self.refused[row.lane] += 1
        took = row.model_ms if takes else REFUSED_MS
        headers = self.provider.headers()
        self._started(name, took, partial(self._replied, execution, keys[-1], headers, takes=takes))

    def _replied(self, execution: Execution, key: str, headers: dict[str, str], *, takes: bool) -> None:
        run, row = execution.run, self._row(execution.run.id)
        facts: dict[str, Any] = {"model": "small", "cost": 0, "ended_at": self.now}
        failure = None if takes else Throttled("Slowly.", code="http_429", retry_after=self.provider.retry_after_s)
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
        pause = (bulk_pause_s if row.lane == BULK else pause_s)(failure.retry_after)
        if pause is not None and may_ask("small", self.world.jobs.get(run.id).calls_of(run.fence.run)):
            self.at(self.now + pause * SECOND, partial(self._enter, execution, "Invoke Model"))
        else:
            self._enter(execution, "Settle Job", {"failure": failure.failure()})

    def _dispatched(self, lane: str, batch: Any) -> None:
        some = list(batch)
        self.looks += len(some)
        Overload._dispatched(self, lane, some)


def drained_s(batch: Batch, tenant: str | None = None) -> float:
    """Seconds until the last answer."""
    ours = [at for job_id, at in batch.ended.items() if tenant is None or batch.jobs[job_id].tenant == tenant]
    return (max(ours) - NOW) / 1000


def bound_s(rows: int, rate: float, burst: float, latency_s: float) -> float:
    """T* = (N - burst) / rate + latency."""
    return max(0.0, rows - burst) / rate + latency_s


def gap(batch: Batch, one: str, other: str, since: int = MINUTE + 5 * SECOND) -> int:
    """By how many tokens one of two tenants was ever ahead of the other, while both had something to be started.

    A refused call that pauses until it is repeated is nothing to be started: nobody waits for it.

    Args:
        batch: that was run.
        one: a tenant.
        other: the other.
        since: milliseconds from the start: a little later than both came, for what nobody waits for is anybody's.
    """
    until = min(max(at for job, at in batch.asked.items() if batch.jobs[job].tenant == each) for each in (one, other))
    ahead, widest = 0, 0
    for at, tenant, tokens in batch.served:
        if NOW + since <= at < until:
            ahead += tokens if tenant == one else -tokens
            widest = max(widest, abs(ahead))
    return widest
