"""The ledger's writes: holds, refunds and spend, as operations that join the commit they belong to.

| item | pk | sk | attributes |
|---|---|---|---|
| what a tenant may still spend | `BUDGET#tenant` | period | `available`, `allowed` (nano-dollars) |
| what was spent | `SPEND#tenant` | `period#model#shard` | `nusd`, `calls`, and how much of them is `unknown` |

`available` is the allowance less what is held and spent. Spend is sharded, for every settled call adds to it.
"""

import zlib
from contextlib import suppress
from datetime import UTC, datetime

from broker.errors import BudgetExceeded
from broker.storage import ConditionFailed, Database, If, Put, Update

SPEND_SHARDS = 8


def period_of(ms: int) -> str:
    """The calendar month in UTC, `2026-11`."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m")


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


def hold(tenant: str, period: str, nusd: int) -> Update:
    """Take the worst case out of what is available; its condition fails when the budget does not cover it."""
    return Update("ledger", f"BUDGET#{tenant}", period, add={"available": -nusd}, when=(If("available", ">=", nusd),))


def release(tenant: str, period: str, nusd: int) -> Update:
    """Give back what was held and not spent; negative to take what a late answer cost beyond its reserve."""
    return Update("ledger", f"BUDGET#{tenant}", period, add={"available": nusd}, when=(If("pk", "exists"),))


def spend(
    tenant: str,
    period: str,
    model: str,
    job_id: str,
    *,
    nusd: int,
    input_tokens: int,
    output_tokens: int,
    unknown: bool,
) -> Update:
    """Book one settled call; `unknown` where it may or may not have been paid for, and is booked at its worst."""
    shard = zlib.crc32(job_id.encode()) % SPEND_SHARDS
    add = {"nusd": nusd, "calls": 1, "input_tokens": input_tokens, "output_tokens": output_tokens}
    if unknown:
        add |= {"unknown": 1, "unknown_nusd": nusd}
    return Update("ledger", f"SPEND#{tenant}", f"{period}#{model}#{shard}", add=add)


def exceeded() -> BudgetExceeded:
    """The error of a hold that the budget does not cover."""
    return BudgetExceeded("The tenant's budget does not cover the worst-case cost of this job.")
