"""What a job holds while it goes on: its worst case of budgets, and a place among jobs that have not ended."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from broker.jobs.store import TOKENS
from broker.tenants.budgets import Budgets, Refusal
from broker.tenants.ledger import OPEN
from broker.tenants.open_jobs import OpenJobs, places_of
from broker.tenants.rules import Bucket, Rule, Subject, buckets_for
from broker.tenants.usage import groups_of


@dataclass(frozen=True, slots=True)
class Hold:
    """The worst case of a job in nano-dollars, which is its limit, and what is held of it in which buckets."""

    limit: int = 0
    buckets: Mapping[str, int] = field(default_factory=dict)
    worst: int = 0
    """The worst case, whether it is a limit or not."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request as it is kept (its prompt filled), and what is held for it."""

    document: dict[str, Any]
    hold: Hold
    timeout_s: int | None = None
    """The time budget of a request that names none, where the usual one is too short."""
    tokens: dict[str, int] = field(default_factory=dict)
    """The document's, for each family of tokenizers that was asked: counted once, and kept beside it."""
    most_tokens: int = 0
    """What it counts as where tokens are limited: the document's, and the most that its answer may have."""
    policies: tuple[str, ...] = ()
    """The guardrail policies that its prompt and its route name."""
    rules: tuple[Rule, ...] = ()
    """Budgets of its tenant beside its own."""
    queued_jobs: int | None = None
    """How many jobs of the tenant may not have ended; None for any number."""
    usage_by: tuple[str, ...] = ()
    """What the tenant wants usage counted by."""
    cloud_events: bool = False
    """Whether the tenant wants events about it as CloudEvents."""

    @property
    def kept(self) -> dict[str, Any]:
        """What is stored of it."""
        return self.document | ({TOKENS: self.tokens} if self.tokens else {})


@dataclass(frozen=True, slots=True)
class Holding:
    """What one job holds of which buckets."""

    asked: str
    """The model that its request names, or another one in its place."""
    limit: int
    """Nano-dollars that it may spend at most; 0 for no limit."""
    wanted: Mapping[str, int]
    """By bucket; the tenant's own first."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """By what its usage is counted."""
    by_rule: Sequence[Bucket] = ()
    places: Sequence[OpenJobs] = ()

    @classmethod
    def of(
        cls,
        prepared: Prepared,
        tenant: str,
        subject: Subject,
        queued_by_key: int | None,
        used_up: Collection[str],
        now: int,
    ) -> Self:
        """What a prepared request holds.

        Args:
            prepared: the request.
            tenant: whose.
            subject: what rules go by.
            queued_by_key: how many jobs of its key may not have ended; None for any number.
            used_up: rules that it holds nothing of, because another model does it in their place.
            now: milliseconds.
        """
        hold = prepared.hold
        rules = [rule for rule in prepared.rules if rule.id not in used_up] if hold.worst else ()
        by_rule = buckets_for(rules, tenant, subject, now)
        queued = tenant, prepared.queued_jobs, subject.key, queued_by_key
        places = [] if subject.batch else places_of(*queued)  # rows have a bound of their own
        wanted = dict(hold.buckets) | {each.name: hold.worst for each in by_rule} | {each.bucket: 1 for each in places}
        prompt = (prepared.document.get("prompt_used") or {}).get("id")
        groups = groups_of(prepared.usage_by, subject, prepared.document["task"], prompt)
        return cls(subject.model, hold.worst if by_rule else hold.limit, wanted, groups, by_rule, places)

    def open(self, budgets: Budgets) -> None:
        """Make sure that the buckets exist, but for the tenant's own, which is opened where it is quoted."""
        for each in self.by_rule:
            budgets.open(each.scope, each.period, each.allowed, until_s=each.until_s)
        for place in self.places:
            budgets.open(place.scope, OPEN, place.amount)

    @property
    def refusals(self) -> dict[str, Refusal]:
        """The errors of buckets that have one of their own."""
        found: dict[str, Refusal] = {each.name: each.refusal for each in self.by_rule}
        return found | {each.bucket: each.refusal for each in self.places}

    @property
    def marks(self) -> dict[str, Sequence[int]]:
        """How much of which bucket may be held and spent until that is told."""
        return {each.name: each.marks for each in self.by_rule if each.marks}

    def percent(self, bucket: str, number: int) -> int:
        """Of a rule's amount: the mark of this number, from 1."""
        (found,) = (each for each in self.by_rule if each.name == bucket)
        return found.rule.warn_at[number - 1]
