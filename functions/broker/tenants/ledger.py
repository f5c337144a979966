"""The ledger's writes: holds, spend and what comes back, as operations that join the commit they belong to.

| item | pk | sk | attributes |
|---|---|---|---|
| a bucket: what may still be spent | `BUDGET#scope` | period | `available`, `allowed` (nano-dollars) |
| what was spent | `SPEND#tenant` | `period#model#shard` | `nusd`, `calls`, tokens, how much is `unknown`; `returned` |

A job holds its worst case in one bucket or several; a tenant's own has the tenant for its scope. `available` is the
allowance less what is held and spent, but for what jobs gave back to their tenant's bucket when they ended: that is
`returned`, beside their spend, so that the end of a job costs one item of the ledger and meets no other job's. It is
moved to `available` when a hold asks for more than is there (`collect`). What comes back to any other bucket is added
to it at once.
"""

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from broker.clock import NANO, iso, usd
from broker.errors import BudgetExceeded
from broker.storage import ConditionFailed, Database, If, Item, Put, Update

SPEND_SHARDS = 8
MOST_AT_ONCE = 90
"""Rows that are moved in one transaction, which takes a hundred items."""


def period_of(ms: int) -> str:
    """The calendar month in UTC, `2026-11`."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m")


def bucket_of(scope: str, period: str) -> str:
    """The name of a bucket, as heads have it (`acme/2026-11`); a scope has no `/`."""
    return f"{scope}/{period}"


def open_period(database: Database, tenant: str, period: str, allowed: int) -> None:
    """Make sure that the budget of a period exists and has this allowance; repeats change nothing.

    An allowance that was changed within the period changes what is available by the difference, which may leave less
    than nothing: then no job is accepted until enough has come back.
    """
    pk = f"BUDGET#{tenant}"
    item = database.get("ledger", pk, period)
    if item is None:
        budget = {"pk": pk, "sk": period, "available": allowed, "allowed": allowed}
        write: Put | Update = Put("ledger", budget, (If("pk", "absent"),))
    elif item["allowed"] != allowed:
        known = (If("allowed", "=", item["allowed"]),)
        more = {"available": allowed - item["allowed"]}
        write = Update("ledger", pk, period, set={"allowed": allowed}, add=more, when=known)
    else:
        return
    with suppress(ConditionFailed):  # another request did it
        database.write(write)


def hold(bucket: str, nusd: int) -> Update:
    """Take the worst case out of what is available; its condition fails when the bucket does not cover it."""
    scope, _, period = bucket.rpartition("/")
    return Update("ledger", f"BUDGET#{scope}", period, add={"available": -nusd}, when=(If("available", ">=", nusd),))


def release(bucket: str, nusd: int) -> Update:
    """Raise what is available; by a negative amount, lower it."""
    scope, _, period = bucket.rpartition("/")
    return Update("ledger", f"BUDGET#{scope}", period, add={"available": nusd}, when=(If("pk", "exists"),))


def book(
    tenant: str, period: str, job_id: str, calls: Sequence[Mapping[str, Any]], back: Mapping[str, int]
) -> list[Update]:
    """Book settled calls, one item for each model, and give back what was held and not spent.

    Args:
        tenant: whose.
        period: the job's.
        job_id: chooses the shard.
        calls: by the long names of `jobs.calls`; `paid` is `unknown` where one may or may not have been paid for, and
            is booked at its worst.
        back: nano-dollars by bucket; negative where calls cost more than was held for them.
    """
    shard = zlib.crc32(job_id.encode()) % SPEND_SHARDS
    rows: dict[str, Counter[str]] = {}
    for call in calls:
        row = rows.setdefault(call["model"], Counter())
        row.update({name: call.get(name, 0) for name in ("input_tokens", "output_tokens")})
        row.update({"nusd": call["cost"], "calls": 1})
        if call["paid"] == "unknown":
            row.update({"unknown": 1, "unknown_nusd": call["cost"]})
    own = bucket_of(tenant, period)
    if rows and back.get(own):
        next(iter(rows.values()))["returned"] = back[own]
    at_once = {bucket: amount for bucket, amount in back.items() if amount and not (rows and bucket == own)}
    return [
        Update("ledger", f"SPEND#{tenant}", f"{period}#{model}#{shard}", add=dict(row)) for model, row in rows.items()
    ] + [release(bucket, amount) for bucket, amount in at_once.items()]


def collect(database: Database, tenant: str, period: str) -> int:
    """Move what jobs gave back to what is available. May be repeated and run side by side.

    Returns:
        The nano-dollars that were there to be moved, whether this request moved them or another one at the same time.
    """
    rows = [row for row in database.query("ledger", f"SPEND#{tenant}", f"{period}#") if row.get("returned")]
    for begin in range(0, len(rows), MOST_AT_ONCE):
        some = rows[begin : begin + MOST_AT_ONCE]
        try:
            _move(database, tenant, period, some)
        except ConditionFailed:
            for row in some:  # a job ended meanwhile, or another request moves the same: what can be moved is
                with suppress(ConditionFailed):
                    _move(database, tenant, period, [row])
    return sum(row["returned"] for row in rows)


def _move(database: Database, tenant: str, period: str, rows: Sequence[Item]) -> None:
    taken = [
        Update(
            "ledger",
            row["pk"],
            row["sk"],
            add={"returned": -row["returned"]},
            when=(If("returned", "=", row["returned"]),),
        )
        for row in rows
    ]
    database.write(release(bucket_of(tenant, period), sum(row["returned"] for row in rows)), *taken)


class Spender(Protocol):
    """What is read of a job's head (`jobs.head.Head`)."""

    @property
    def id(self) -> str:
        """The job."""
        ...

    @property
    def tenant(self) -> str:
        """Whose it is."""
        ...

    @property
    def created_at(self) -> int:
        """Milliseconds."""
        ...

    @property
    def is_over(self) -> bool:
        """True where it has ended."""
        ...

    @property
    def settled(self) -> Mapping[str, Mapping[str, Any]]:
        """Its settled calls, by the long names of `jobs.calls`."""
        ...

    @property
    def refunds(self) -> Mapping[str, int]:
        """Nano-dollars that each bucket gets back."""
        ...


def bookings(before: Spender, after: Spender) -> list[Update]:
    """What is booked in the commit that leads from one head to the next: nothing until the job ends.

    The commit that ends it books all calls that are settled by then, each later one what it settles; and each gives
    back what was held and can no longer be spent.
    """
    if not after.is_over:
        return []
    booked, given = (before.settled, before.refunds) if before.is_over else ({}, {})
    news = [call for key, call in after.settled.items() if key not in booked]
    back = {bucket: amount - given.get(bucket, 0) for bucket, amount in after.refunds.items()}
    return book(after.tenant, period_of(after.created_at), after.id, news, back)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a tenant's budget stands in a period, in nano-dollars. `available` counts what `collect` would move to it."""

    period: str
    allowed: int
    available: int
    spent: int

    @property
    def held(self) -> int:
        """For jobs that have not ended."""
        return max(0, self.allowed - self.available - self.spent)

    @property
    def ends_at(self) -> int:
        """Milliseconds: when the next period begins, with an allowance of its own."""
        year, month = map(int, self.period.split("-"))
        return round(datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC).timestamp() * 1000)


def standing(database: Database, tenant: str, period: str, allowed: int | None = None) -> Standing:
    """How a budget stands; with another allowance than the period was opened with, how it will."""
    item = database.get("ledger", f"BUDGET#{tenant}", period) or {"available": 0, "allowed": 0}
    rows = database.query("ledger", f"SPEND#{tenant}", f"{period}#")
    spent, returned = (sum(row.get(name, 0) for row in rows) for name in ("nusd", "returned"))
    known = item["allowed"] if allowed is None else allowed
    return Standing(period, known, item["available"] + known - item["allowed"] + returned, spent)


def check_covers(database: Database, tenant: str, period: str, allowed: int, nusd: int) -> None:
    """Stop where `hold` would fail now; nothing is written.

    Raises:
        BudgetExceeded: the budget does not cover it.
    """
    item = database.get("ledger", f"BUDGET#{tenant}", period) or {"available": 0, "allowed": 0}
    if nusd <= max(0, item["available"] + allowed - item["allowed"]):
        return
    stands = standing(database, tenant, period, allowed)
    if stands.available < nusd:
        raise exceeded(stands, nusd)


def exceeded(stands: Standing, nusd: int) -> BudgetExceeded:
    """The error of a hold that a budget does not cover.

    Its amounts are told where they are the reason: where the tenant's own budget would cover the hold, it was another
    bucket that did not, or something came back meanwhile.
    """
    message = "The tenant's budget does not cover the worst-case cost of this job"
    if nusd <= stands.available:
        return BudgetExceeded(f"{message}.")
    left = max(0, stands.available)
    ends = iso(stands.ends_at)
    return BudgetExceeded(
        f"{message}, {_dollars(nusd)}: of {_dollars(stands.allowed)} until {ends}, {_dollars(stands.spent)} are spent, "
        f"{_dollars(stands.held)} held for jobs that have not ended, and {_dollars(left)} left.",
        budget={
            "limit_usd": usd(stands.allowed),
            "spent_usd": usd(stands.spent),
            "held_usd": usd(stands.held),
            "available_usd": usd(left),
            "worst_cost_usd": usd(nusd),
            "period_ends_at": ends,
        },
    )


def _dollars(nano: int) -> str:
    """An amount for people: cents at least, and more digits where there are any."""
    whole, rest = divmod(nano, NANO)
    return f"USD {whole}.{f'{rest:09}'.rstrip('0'):0<2}"
