"""The head of a job: the one small item whose conditional writes decide everything.

It stays below one kilobyte, so that a change of status costs one write unit whatever the prompt's size. What is
large (request, answer, details of attempts) stands in items beside it, under the same partition key.
"""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, Literal, Self

from broker.errors import Conflict
from broker.jobs import calls
from broker.jobs.calls import Facts
from broker.storage import Item
from broker.tenants.ledger import counts_jobs

BULK = "bulk"
"""The lane of what nobody waits for."""

HELD = "held"
"""In a head's `review`: it waits for a person. After `released` it is a job like any other."""

HELD_EVENT = "job.held"
"""What webhooks that ask for it are told then."""

SHARDS = 8
"""Partitions of the due index: enough for several thousand jobs a second, few enough to sweep each minute."""


class Status(StrEnum):
    """Where a job stands. All but the first two are terminal."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    BLOCKED = "blocked"
    CANCELED = "canceled"
    EXPIRED = "expired"

    @property
    def terminal(self) -> bool:
        """True when the job never changes again."""
        return self not in (Status.QUEUED, Status.RUNNING)


BLOCKERS = ("policy", "provider", "review")
"""Who blocks a job: the rules that hold for it, the safety stop of a provider, or a person who rejected it."""

RECORD_S = 14 * 86_400
"""How long a job's record outlives its prompt and answer: what ends it, tells of it, counts it and answers a repeat.

A receiver may ask for a day between attempts at its webhook, and has ten. The stream tells a day late at worst, and a
message may wait for as long in the dead letters as this.
"""


def record_until(payloads_until: int, deadline_at: int) -> int:
    """Until when to keep the record; times are epoch SECONDS, but the deadline is milliseconds."""
    return max(payloads_until, deadline_at // 1000) + RECORD_S


JOB_ID = re.compile(r"[\w-]{1,64}", re.ASCII)
"""What may be looked up as an id; those that we make are `job_` and 32 hexadecimal digits."""


def job_pk(job_id: str) -> str:
    """The partition of everything that belongs to a job."""
    return f"JOB#{job_id}"


def job_id_of(item: Item) -> str:
    """The job that an item belongs to, from its partition key (all that the indexes hold)."""
    return str(item["pk"]).removeprefix("JOB#")


def due_partition(job_id: str) -> str:
    """The partition of the due index in which this job waits for the sweep."""
    return f"DUE#{zlib.crc32(job_id.encode()) % SHARDS}"


@dataclass(frozen=True, slots=True)
class Head:
    """One job at one moment. Times are milliseconds since the epoch, money is nano-dollars.

    `rev` counts the writes and is the condition of each: of two writers that read the same head, one wins.
    `run` counts the claims and fences workflows; `execution` fences two executions of the same run (Express
    workflows start at least once).
    """

    id: str
    tenant: str
    principal: str
    door: str
    task: str
    status: Status
    lane: str
    created_at: int
    deadline_at: int
    payloads_until: int
    """Epoch SECONDS at which its prompt and answer are over (`ttl_seconds`)."""
    expires_at: int
    """Epoch SECONDS at which its record may be deleted (DynamoDB TTL): the head, and the notes beside it."""
    timeout_s: int
    correlation_id: str
    batch: str | None = None
    """The batch that the job is a line of, where it came with a file."""
    line: int | None = None
    row: int | None = None
    """Its number among the rows of the batch, from 0; None of a file's one request, and of a job that came alone."""
    retry_of: str | None = None
    """The job whose request it is once more."""
    application: str | None = None
    """The tenant's application that asked for it."""
    rev: int = 1
    run: int = 0
    asked: str = "auto"
    """The model that the request named."""
    execution: str | None = None
    claimed_by: str | None = None
    claimed_at: int | None = None
    """When the present run began, or made its first call: its time budget (`timeout_s`) counts from here."""
    started_at: int | None = None
    ended_at: int | None = None
    lease_until: int | None = None
    due_at: int | None = None
    nudges: int = 0
    """How often the sweep sent it, since it came into its queue."""
    lease_expirations: int = 0
    """How many runs that had begun to call ended with their lease, not with a result."""
    waits: dict[str, int] = field(default_factory=dict)
    """That it was sent back to its queue, how many `times`, and `since` when for the last reason: open circuits, or the
    one that is named beside (`transitions.put_back`). Empty for nearly all jobs."""
    review: dict[str, Any] = field(default_factory=dict)
    """That guardrails held it for a person (`jobs.reviewing`); empty for nearly all jobs."""
    webhook: tuple[str, ...] = ()
    """The event types that the job's webhook wants; empty where it has none."""
    quiet: bool | None = None
    """True where the bus is not told of it."""
    cloud_events: bool | None = None
    """True where the bus is told of it by CloudEvents, for its tenant wanted them when it was accepted."""
    limit: int = 0
    """Nano-dollars that the job may spend at most; 0 for no limit."""
    holds: dict[str, int] = field(default_factory=dict)
    """Nano-dollars that are held for it, by the bucket that they are held in (`tenants.ledger.bucket_of`); of buckets
    that count jobs, one."""
    crossed: dict[str, int] = field(default_factory=dict)
    """Budgets whose thresholds were passed with it: by bucket, the percent (`tenants.rules`)."""
    groups: dict[str, str] = field(default_factory=dict)
    """By what its usage is counted, where its tenant wants that (`tenants.usage`)."""
    calls: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Provider calls by `run.number`, as `jobs.calls` keeps them."""
    route: str | None = None
    """The reasons for the present run's candidates, where they are short (`jobs.explained`)."""
    prompt: dict[str, Any] | None = None
    """The version of a stored prompt that the request was filled from: `id`, `version`, `label`."""
    policies: tuple[str, ...] = ()
    """The guardrail policies that its prompt and its route name; the tenant's hold beside them."""
    conversation: str | None = None
    """The conversation that the job adds a turn to when it succeeds."""
    model: str | None = None
    """The model that answered."""
    output: str | None = None
    """The payload's name of the answer."""
    linked: bool | None = None
    """True where it is so large that a link is given out in its place."""
    cut: bool | None = None
    """True where the answer ends because its limit of tokens was reached."""
    usage: dict[str, int] = field(default_factory=dict)
    error: dict[str, str] | None = None

    def to_item(self) -> Item:
        """The stored form: absent fields left out, index keys added."""
        item: Item = {"pk": job_pk(self.id), "sk": "HEAD"}
        for spec in fields(self):
            value = getattr(self, spec.name)
            if value is not None and value != () and value != {}:
                item[spec.name] = list(value) if isinstance(value, tuple) else value
        item["status"] = self.status.value
        if self.due_at is not None:
            item["due"] = due_partition(self.id)
        return item

    @classmethod
    def from_item(cls, item: Item) -> Self:
        """Read the stored form."""
        known = {spec.name: item[spec.name] for spec in fields(cls) if spec.name in item}
        known["status"] = Status(known["status"])
        known.setdefault("payloads_until", known["expires_at"])  # of older jobs both ended at once
        for name in ("webhook", "policies"):
            known[name] = tuple(known.get(name, ()))
        return cls(**known)

    def next(self, **changes: Any) -> Self:
        """The head after one more write."""
        return replace(self, rev=self.rev + 1, **changes)

    def calls_with(self, ends: Mapping[str, Facts]) -> dict[str, dict[str, Any]]:
        """All calls, these settled by what became of them.

        Raises:
            Conflict: one of them is settled.
        """
        if taken := [key for key in ends if "c" in self.calls[key]]:
            raise Conflict(f"call {taken[0]} of job {self.id} is settled")
        return {**self.calls, **{key: calls.settled(self.calls[key], facts) for key, facts in ends.items()}}

    def calls_of(self, run: int) -> dict[str, dict[str, Any]]:
        """The calls of one run."""
        return {key: call for key, call in self.calls.items() if int(key.split(".")[0]) == run}

    @property
    def spent(self) -> int:
        """Nano-dollars of the settled calls."""
        return sum(call["c"] for call in self.calls.values() if "c" in call)

    @property
    def calls_made(self) -> int:
        """How many calls were begun, those included that are kept together."""
        return calls.made(self.calls)

    @property
    def is_over(self) -> bool:
        """True where it has ended."""
        return self.status.terminal

    @property
    def waits_for(self) -> Literal["circuits", "capacity", "moderation", "rate"]:
        """Why it was sent back to its queue the last time, where it was."""
        for reason in ("capacity", "moderation", "rate"):
            if reason in self.waits:
                return reason
        return "circuits"

    @property
    def is_held(self) -> bool:
        """True while it waits for a person to release or reject it; it is queued then, and in no queue."""
        return self.status is Status.QUEUED and self.review.get("state") == HELD

    @property
    def settled(self) -> dict[str, dict[str, Any]]:
        """The settled calls, by their long names."""
        return {key: calls.described(call) for key, call in self.calls.items() if "c" in call}

    @property
    def open_calls(self) -> list[str]:
        """Keys of the calls that have not been settled."""
        return [key for key, call in self.calls.items() if "c" not in call]

    @property
    def going_on(self) -> list[str]:
        """Keys of those whose providers are known to go on by themselves."""
        return [key for key, call in self.calls.items() if calls.goes_on(call)]

    @property
    def reserved(self) -> int:
        """Nano-dollars at most of the calls that have not been settled: they may have been paid for."""
        return sum(self.calls[key]["r"] for key in self.open_calls)

    @property
    def refunds(self) -> dict[str, int]:
        """Nano-dollars to give back to each bucket when the job has ended: what was held and can no longer be spent.

        Negative where calls cost more than was held for them; the bucket then pays the difference. What was held of a
        bucket that counts jobs comes back whole.
        """
        used = self.spent + self.reserved
        return {bucket: held if counts_jobs(bucket) else held - used for bucket, held in self.holds.items()}

    @property
    def event_id(self) -> str:
        """The stable id of the event that tells of this status; the same however often it is told."""
        stage = f"{self.status.value}_{self.run}" if self.status is Status.RUNNING else self.status.value
        return f"evt_{self.id.removeprefix('job_')}_{stage}"


def job_url(head: Head, base_url: str) -> str:
    """Where a job is looked at; `base_url` is that of the REST API."""
    return f"{base_url}/jobs/{head.id}"
