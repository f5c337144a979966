"""Budgets beside a tenant's own: by key, principal, end user, model, tag and batch, by day, month or in all.

A rule has a bucket of the ledger for each value that jobs have of what it goes by, and for each period. It comes into
being with the first job that holds of it, so values that nobody has seen yet have theirs, and cost nothing.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Literal, Self

from broker.clock import iso, usd
from broker.errors import BudgetExceeded
from broker.tenants.ledger import bucket_of, dollars
from broker.tenants.slices import Slices

Per = Literal["tenant", "key", "principal", "user", "model", "tag", "batch"]
Period = Literal["day", "month", "total"]
Action = Literal["refuse", "degrade", "warn"]

MOST_RULES = 10
"""Of a tenant: each that holds for a job is an item of the commit that accepts it, and of the one that ends it."""

SLACK = 10**18
"""What the bucket of a rule that only warns has beyond its amount, in nano-dollars: no job spends as much."""

KEEP_S = 60 * 86_400
"""How long a bucket is kept after its period: longer than any job of it may go on."""

ALL = "all"
"""The period of a rule that has none."""


class UsedUp(BudgetExceeded):
    """A rule's budget does not cover a job, which another model is to do then."""

    def __init__(self, message: str, rule: "Rule", beside: dict[str, Any]) -> None:
        super().__init__(message, beside=beside)
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Subject:
    """What rules go by, of one job."""

    key: str = ""
    principal: str = ""
    user: str = ""
    """An end user whom a credential with the scope for it named."""
    model: str = ""
    """As the request names it: a model, an alias, or `auto`."""
    batch: str = ""
    tags: Mapping[str, Any] = field(default_factory=dict)
    """The request's metadata."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One budget of a tenant, as its entry has it."""

    id: str
    nusd: int
    per: Per = "tenant"
    period: Period = "month"
    time_zone: str = "UTC"
    tag: str | None = None
    only: tuple[str, ...] = ()
    """The values that it is for; all, where there are none."""
    action: Action = "refuse"
    degrade_to: str | None = None
    """The model, or alias, that takes the place of what a request named once this is used up."""
    warn_at: tuple[int, ...] = ()
    """Percent, in ascending order."""

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Self:
        """From the stored form."""
        lists = {name: tuple(kept[name]) for name in ("only", "warn_at") if name in kept}
        return cls(**{**kept, **lists})

    def bucket(self, tenant: str, subject: Subject, now: int) -> "Bucket | None":
        """The bucket that a job holds of by this rule; None where the rule is not for it."""
        value = "" if self.per == "tenant" else self._value(subject)
        if (self.per != "tenant" and not value) or (self.only and value not in self.only):
            return None
        period, ends_at = period_at(self.period, self.time_zone, now)
        scope = f"{tenant}:{self.id}"
        if value:  # it is a client's, so it may be anything, and is nobody's to read
            scope += f":{hashlib.sha256(value.encode()).hexdigest()[:24]}"
        until_s = None if ends_at is None else ends_at // 1000 + KEEP_S
        return Bucket(self, scope, period, ends_at, until_s)

    def _value(self, subject: Subject) -> str:
        if self.per == "tag":
            found = subject.tags.get(self.tag or "")
            return found if isinstance(found, str) else ""
        return str(getattr(subject, self.per))


@dataclass(frozen=True, slots=True)
class Bucket:
    """The bucket of a rule that one job holds of."""

    rule: Rule
    scope: str
    period: str
    ends_at: int | None
    """Milliseconds; None where it does not begin anew."""
    until_s: int | None
    """Seconds: when its item may go."""

    @property
    def name(self) -> str:
        """As heads have it."""
        return bucket_of(self.scope, self.period)

    @property
    def allowed(self) -> int:
        """What it is opened with."""
        return self.rule.nusd + (SLACK if self.rule.action == "warn" else 0)

    @property
    def marks(self) -> tuple[int, ...]:
        """Nano-dollars, held and spent, at which somebody is to be told."""
        return tuple(self.rule.nusd * percent // 100 for percent in self.rule.warn_at)

    def refusal(self, found: Slices, amount: int) -> BudgetExceeded:
        """The error of a job that it does not cover."""
        left = max(0, found.available)
        ends = "" if self.ends_at is None else f" until {iso(self.ends_at)}"
        whose = "" if self.rule.per == "tenant" else f" by {self.rule.per}"
        message = (
            f"The budget {self.rule.id!r}{whose} does not cover the worst-case cost of this job, {dollars(amount)}: "
            f"of {dollars(self.rule.nusd)}{ends}, {dollars(left)} are left."
        )
        told = {
            "id": self.rule.id,
            "per": self.rule.per,
            "limit_usd": usd(self.rule.nusd),
            "available_usd": usd(left),
            "worst_cost_usd": usd(amount),
            "period_ends_at": iso(self.ends_at),
        }
        if self.rule.action == "degrade":
            return UsedUp(message, self.rule, {"budget_rule": told})
        return BudgetExceeded(message, beside={"budget_rule": told})


def buckets_for(rules: Sequence[Rule], tenant: str, subject: Subject, now: int) -> list[Bucket]:
    """The buckets that a job holds of."""
    return [found for rule in rules if (found := rule.bucket(tenant, subject, now))]


def period_at(period: Period, time_zone: str, now: int) -> tuple[str, int | None]:
    """The name of the period that a moment is in, by the clock of a place, and when the next begins (milliseconds)."""
    if period == "total":
        return ALL, None
    zone: tzinfo = UTC
    if time_zone != "UTC":
        from zoneinfo import ZoneInfo

        zone = ZoneInfo(time_zone)
    local = datetime.fromtimestamp(now / 1000, zone)
    today = datetime(local.year, local.month, local.day)
    if period == "day":
        following, name = today + timedelta(days=1), today.strftime("%Y-%m-%d")
    else:
        following, name = (today.replace(day=1) + timedelta(days=32)).replace(day=1), today.strftime("%Y-%m")
    return name, round(following.replace(tzinfo=zone).timestamp() * 1000)
