"""The ledger's writes: holds, spend and what comes back, as operations that join the commit they belong to.

| item | pk | sk | attributes |
|---|---|---|---|
| a bucket: what may still be spent | `BUDGET#scope` | period | `available`, `allowed` (nano-dollars), `slices` |
| what was spent | `SPEND#scope` | `period#model#shard` | `nusd`, `calls`, tokens, how much is `unknown`; `returned` |

A job holds its worst case in one bucket or several; a tenant's own has the tenant for its scope, and may lie in slices
(`tenants.slices`), of which a job holds from one. `available` is the allowance less what is held and spent, but for
what jobs gave back to their tenant's bucket when they ended: that is `returned`, beside their spend, so that the end of
a job costs one item of the ledger and meets no other job's. The commit of a job that asks for more than is available
moves it there. What comes back to any other bucket is added to it at once. A job of a tenant that has no budget held
nothing and gives back less than that, what it cost: a budget that is given later, or again, takes it from itself.
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
from broker.storage import ConditionFailed, Contended, Database, If, Item, Put, Update
from broker.tenants.slices import Slices, bucket_of_slice, key_of, read_all

SPEND_SHARDS = 8

OPEN = "open"
"""The period of a bucket that counts jobs which have not ended: all that a job holds of it comes back at its end."""


def period_of(ms: int) -> str:
    """The calendar month in UTC, `2026-11`."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m")


def bucket_of(scope: str, period: str) -> str:
    """The name of a bucket, as heads have it (`acme/2026-11`); a scope has no `/`."""
    return f"{scope}/{period}"


def counts_jobs(bucket: str) -> bool:
    """True of a bucket, or a slice, that counts jobs, and no money."""
    return bucket.endswith(f"/{OPEN}")


def open_period(
    database: Database, tenant: str, period: str, allowed: int, version: int | None = None, until_s: int | None = None
) -> int:
    """Make sure that the budget of a period exists and has this allowance; repeats change nothing.

    An allowance that was changed within the period changes what is available by the difference, which may leave less
    than nothing: then no job is accepted until enough has come back. From one that is given within the period, or given
    again, goes what was spent without one.

    Args:
        database: the tables.
        tenant: whose.
        period: the month.
        allowed: nano-dollars.
        version: of the tenant's entry in the registry. With each other one is asked what was spent meanwhile.
        until_s: when its items may go, in seconds since the epoch; None where they stay.

    Returns:
        How many slices it has.
    """
    bucket = bucket_of(tenant, period)
    pk, sk = key_of(bucket)
    item = database.get("ledger", pk, sk)
    stands = {"allowed": allowed} if version is None else {"allowed": allowed, "version": version}
    if item is None or not stands.items() <= item.items():
        found = read_all(database, bucket)
        some, *others = found.debts or [[]]
        with suppress(ConditionFailed):  # another request did it
            database.write(_opening(found, item, stands, some, until_s), *map(_settled, some))
            for more in others:
                first = Update("ledger", pk, sk, add={"available": _owed(more)}, when=(If("pk", "exists"),))
                database.write(first, *map(_settled, more))
        item = database.get("ledger", pk, sk) or {}
    if item.get("available", 0) < 0 and "slices" in item:
        found = read_all(database, bucket)
        pay(database, found, found.lacks)  # by each process that opens the period, for one may end before it is done
    return int(item.get("slices", 1))


def _opening(
    found: Slices, item: Item | None, stands: Mapping[str, int], debts: Sequence[Item], until_s: int | None
) -> Put | Update:
    """The write that makes a budget's first slice, or changes it, and takes debts from it."""
    pk, sk = key_of(found.bucket)
    if item is None:
        available = stands["allowed"] - found.spent - found.returned + _owed(debts)
        until = {} if until_s is None else {"expires_at": until_s}
        return Put("ledger", {"pk": pk, "sk": sk, "available": available, **stands, **until}, (If("pk", "absent"),))
    known = tuple(If(name, "=", item[name]) if name in item else If(name, "absent") for name in stands)
    more = {"available": stands["allowed"] - item["allowed"] + _owed(debts)}
    return Update("ledger", pk, sk, set=dict(stands), add=more, when=known)


def _owed(debts: Sequence[Item]) -> int:
    """Nano-dollars, below nothing."""
    return sum(row["returned"] for row in debts)


def _settled(debt: Item) -> Update:
    """What takes a debt from its row. In one commit with what pays it, so that two that do it lose nothing."""
    return Update("ledger", debt["pk"], debt["sk"], add={"returned": -debt["returned"]})


def pay(database: Database, known: Slices, nusd: int) -> None:
    """Move so much to the first slice, as far as others have it. May be repeated and run side by side."""
    for payment in known.paying(nusd):
        with suppress(ConditionFailed, Contended):
            database.write(*payment)


def hold(bucket: str, nusd: int, beyond: int = 0) -> Update:
    """Take the worst case out of what is available; its condition fails when the bucket or slice does not cover it.

    Where something is to be left, it fails without so much `beyond` it as well.
    """
    pk, sk = key_of(bucket)
    return Update("ledger", pk, sk, add={"available": -nusd}, when=(If("available", ">=", nusd + beyond),))


def release(bucket: str, nusd: int) -> Update:
    """Raise what is available; by a negative amount, lower it.

    For a slice beyond the first it is kept with what came back beside spend, of no model: so it is there for what the
    first one lacks.
    """
    scope, _, period = bucket.rpartition("/")
    if bucket != bucket_of_slice(bucket):
        return Update("ledger", f"SPEND#{scope}", f"{period}##0", add={"returned": nusd})
    return Update("ledger", *key_of(bucket), add={"available": nusd}, when=(If("pk", "exists"),))


def book(
    tenant: str, period: str, job_id: str, calls: Sequence[Mapping[str, Any]], back: Mapping[str, int]
) -> list[Update]:
    """Book settled calls, one item for each model, and give back what was held and not spent.

    Args:
        tenant: whose.
        period: the job's.
        job_id: chooses the shard, where no slice does.
        calls: by the long names of `jobs.calls`; `paid` is `unknown` where one may or may not have been paid for, and
            is booked at its worst.
        back: nano-dollars by bucket; negative where calls cost more than was held for them.
    """
    own = next((bucket for bucket in back if bucket_of_slice(bucket) == bucket_of(tenant, period)), None)
    scope, shard = tenant, zlib.crc32(job_id.encode()) % SPEND_SHARDS
    if own is not None and own != bucket_of_slice(own):
        scope, shard = own.rpartition("/")[0], 0  # a slice is a shard
    rows: dict[str, Counter[str]] = {}
    for call in calls:
        row = rows.setdefault(call["model"], Counter())
        row.update({name: call.get(name, 0) for name in ("input_tokens", "output_tokens")})
        times = call.get("times", 1)
        row.update({"nusd": call["cost"], "calls": times})
        if call["paid"] == "unknown":
            row.update({"unknown": times, "unknown_nusd": call["cost"]})
    first = back[own] if own else -sum(row["nusd"] for row in rows.values())
    if rows and first:
        next(iter(rows.values()))["returned"] = first
    at_once = {bucket: amount for bucket, amount in back.items() if amount and not (rows and bucket == own)}
    return [
        Update("ledger", f"SPEND#{scope}", f"{period}#{model}#{shard}", add=dict(row)) for model, row in rows.items()
    ] + [release(bucket, amount) for bucket, amount in at_once.items()]


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
    """How a tenant's budget stands in a period, in nano-dollars. `available` counts what came back."""

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
    """How a budget stands, all its slices together; with another allowance than it was opened with, how it will."""
    return standing_of(read_all(database, bucket_of(tenant, period)), allowed)


def standing_of(found: Slices, allowed: int | None = None) -> Standing:
    """The same of what was read."""
    known = found.allowed if allowed is None else allowed
    available = found.available if found.is_open else -found.spent
    return Standing(found.bucket.rpartition("/")[2], known, available + known - found.allowed, found.spent)


def check_covers(database: Database, tenant: str, period: str, allowed: int, nusd: int) -> None:
    """Stop where `hold` would fail now; nothing is written.

    Raises:
        BudgetExceeded: the budget does not cover it.
    """
    item = database.get("ledger", *key_of(bucket_of(tenant, period)))
    if item and nusd <= max(0, item["available"] + allowed - item["allowed"]):
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
        f"{message}, {dollars(nusd)}: of {dollars(stands.allowed)} until {ends}, {dollars(stands.spent)} are spent, "
        f"{dollars(stands.held)} held for jobs that have not ended, and {dollars(left)} left.",
        beside={
            "budget": {
                "limit_usd": usd(stands.allowed),
                "spent_usd": usd(stands.spent),
                "held_usd": usd(stands.held),
                "available_usd": usd(left),
                "worst_cost_usd": usd(nusd),
                "period_ends_at": ends,
            }
        },
    )


def dollars(nano: int) -> str:
    """An amount for people: cents at least, and more digits where there are any."""
    whole, rest = divmod(nano, NANO)
    return f"USD {whole}.{f'{rest:09}'.rstrip('0'):0<2}"
