"""What a tenant's jobs used, by day and by what the tenant wants to know it by: counted in the commit that ends a job.

| item of the ledger | pk | sk | attributes |
|---|---|---|---|
| what was used | `USAGE#tenant#dimension` | `day#value#shard` | `jobs`, `calls`, tokens, `nusd`, `unknown_nusd` |

So it is exact, whatever crashes or comes twice, as what is booked of money is. Tenants that want nothing counted pay
nothing; what each month cost by model is booked in any case (`tenants.ledger`).
"""

import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby
from typing import Any, Literal, NamedTuple, Protocol
from urllib.parse import unquote

from broker.storage import Database, Item, Update
from broker.tenants.ledger import Spender, bucket_of
from broker.tenants.rules import Subject
from broker.tenants.slices import read_all

Dimension = Literal["key", "principal", "user", "task", "prompt", "batch", "model"]

TAG = "tag:"
"""Before the name of a field of metadata that usage is counted by."""

MOST_DIMENSIONS = 5
"""Of a tenant: each is an item of the commit that ends a job."""

MODEL = "model"
"""The dimension that each call has by itself."""

NOBODY = "-"
"""The value of jobs that have none."""

LONGEST = 256
"""Of a value; what is longer counts by its beginning."""

SHARDS = 8
"""Of each value, so that many jobs that end at once write many items."""

KEEP_DAYS = 400

COUNTED = ("jobs", "calls", "input_tokens", "output_tokens", "nusd", "unknown_nusd")

MOST_READ = 5_000
"""Items that one page reads."""


class Counted(Spender, Protocol):
    """What is read of a job's head."""

    @property
    def groups(self) -> Mapping[str, str]:
        """The values that its usage is counted by; of models the value is not used."""
        ...


def groups_of(wanted: Sequence[str], subject: Subject, task: str, prompt: str | None) -> dict[str, str]:
    """The values of one job for each dimension that its tenant wants."""
    known = {
        **{name: getattr(subject, name) for name in ("key", "principal", "user", "batch")},
        **{"task": task, "prompt": prompt or "", MODEL: ""},
    }
    found = {}
    for name in wanted:
        value = subject.tags.get(name.removeprefix(TAG)) if name.startswith(TAG) else known[name]
        found[name] = (value if isinstance(value, str) and value else NOBODY)[:LONGEST]
    return found


def countings(before: Counted, after: Counted) -> list[Update]:
    """What is counted in the commit that leads from one head to the next: nothing until it ends (`ledger.bookings`)."""
    if not after.is_over or not after.groups:
        return []
    booked = before.settled if before.is_over else {}
    news = [call for key, call in after.settled.items() if key not in booked]
    ends = Counter({"jobs": 0 if before.is_over else 1})
    if not news and before.is_over:
        return []
    day = datetime.fromtimestamp(after.created_at / 1000, UTC).date()
    until_s = after.created_at // 1000 + KEEP_DAYS * 86_400
    shard = zlib.crc32(after.id.encode()) % SHARDS
    writes = []
    for name, value in after.groups.items():
        for each, row in _rows(name, value, news, ends).items():
            sk = f"{day.isoformat()}#{_kept(each)}#{shard}"
            add = {what: number for what, number in row.items() if number}
            writes.append(Update("ledger", f"USAGE#{after.tenant}#{name}", sk, set={"expires_at": until_s}, add=add))
    return writes


def _rows(name: str, value: str, news: Sequence[Mapping[str, Any]], ends: Counter[str]) -> dict[str, Counter[str]]:
    rows: dict[str, Counter[str]] = {} if name == MODEL else {value: Counter(ends)}
    for call in news:
        row = rows.setdefault(str(call["model"]) if name == MODEL else value, Counter())
        row.update({"calls": call.get("times", 1), "nusd": call["cost"]})
        row.update({what: call.get(what, 0) for what in ("input_tokens", "output_tokens")})
        if call["paid"] == "unknown":
            row["unknown_nusd"] += call["cost"]
    return rows


class Used(NamedTuple):
    """What was used of one value in one period; money in nano-dollars."""

    period: str
    value: str
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Usage:
    """What tenants used."""

    database: Database

    def by_day(
        self, tenant: str, dimension: str, first: date, last: date, limit: int, after: str | None
    ) -> tuple[list[Used], str | None]:
        """A page of what was used from one day to another, by day and value, in order, and where the next begins.

        Args:
            tenant: whose.
            dimension: one that is counted.
            first: day.
            last: day, included.
            limit: rows at most.
            after: of the page before.
        """
        begin = first.isoformat() if after is None else f"{after}$"
        end = f"{last.isoformat()}$"  # behind all of the day
        items = self.database.query_between("ledger", f"USAGE#{tenant}#{dimension}", begin, end, limit=MOST_READ)
        rows = list(_summed(items))
        if len(items) == MOST_READ:
            rows = rows[:-1]  # there may be more of the last
        page = rows[:limit]
        more = len(rows) > limit or len(items) == MOST_READ
        return page, f"{page[-1].period}#{_kept(page[-1].value)}" if more and page else None

    def by_month(self, tenant: str, months: Sequence[str]) -> list[Used]:
        """What was spent in each of some months, by model: as it is booked for every tenant."""
        found = []
        for month in months:
            models: dict[str, Counter[str]] = {}
            for row in read_all(self.database, bucket_of(tenant, month)).rows:
                if model := row["sk"].removeprefix(f"{month}#").rpartition("#")[0]:
                    models.setdefault(model, Counter()).update({name: row.get(name, 0) for name in COUNTED[1:]})
            found += [Used(month, model, models[model]) for model in sorted(models) if models[model]["calls"]]
        return found


def _summed(items: Sequence[Item]) -> Iterator[Used]:
    """Rows of the shards of one value, which stand together."""
    for place, some in groupby(items, lambda item: str(item["sk"]).rpartition("#")[0]):
        counts: Counter[str] = Counter()
        for item in some:
            counts.update({name: item.get(name, 0) for name in COUNTED})
        day, _, value = place.partition("#")
        yield Used(day, unquote(value), counts)


def _kept(value: str) -> str:
    """As it stands in a key, of which `#` parts the parts."""
    return value.replace("%", "%25").replace("#", "%23")
