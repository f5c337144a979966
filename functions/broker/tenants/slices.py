"""A budget in slices, which lend to each other: their sum is the budget, and jobs that come at once seldom meet on one.

| slice | pk | sk | attributes |
|---|---|---|---|
| the first, the bucket itself | `BUDGET#scope` | period | `available`, `allowed`, and `slices`, where there are more |
| each other | `BUDGET#scope#number` | period | `available` |

A budget is one slice until jobs have met on it (`tenants.budgets`); then it is cut into equal ones. A job that finds
too little in a slice borrows: from another slice, or of what jobs gave back beside their spend.

A transaction holds its items for some ten milliseconds, and costs each two write units of the thousand that DynamoDB
gives a partition in a second (DynamoDB Developer Guide, "Transaction conflict handling", "Partition throughput"). So
each slice has a partition key of its own, and so have the rows of what was spent of it.
"""

import random
import zlib
from dataclasses import dataclass

from broker.storage import Database, If, Item, Put, Update

COUNT = 16
"""Of a budget on which jobs have met: enough for a thousand of them a second; all are read where one lacks money."""

MOST_LENDERS = 90
"""A transaction takes a hundred items."""


def slice_of(bucket: str, number: int) -> str:
    """The name of a slice, which is a bucket's: `acme/2026-11` for the first, then `acme#1/2026-11`."""
    scope, _, period = bucket.rpartition("/")
    return f"{scope}#{number}/{period}" if number else bucket


def bucket_of_slice(name: str) -> str:
    """The bucket that a slice is one of."""
    scope, _, period = name.rpartition("/")
    return f"{scope.partition('#')[0]}/{period}"


def key_of(name: str) -> tuple[str, str]:
    """The `pk` and the `sk` of a slice."""
    scope, _, period = name.rpartition("/")
    return f"BUDGET#{scope}", period


def number_for(job_id: str, attempt: int, count: int) -> int:
    """The slice that a job tries: another one at each attempt."""
    return zlib.crc32(f"{job_id}/{attempt}".encode()) % count


@dataclass(frozen=True, slots=True)
class Lender:
    """An item with money that jobs may hold: a slice, or a row with what came back."""

    item: Item
    attribute: str

    @property
    def amount(self) -> int:
        """Nano-dollars; less than nothing of a row where calls cost more than was held for them."""
        return int(self.item[self.attribute])

    def gives(self, amount: int) -> Update:
        """Take so much from it, if it has that still; it may have more, for jobs end all the time where many do."""
        name = self.attribute
        enough = If(name, ">=", amount) if amount > 0 else If(name, "<", amount + 1)
        return Update("ledger", self.item["pk"], self.item["sk"], add={name: -amount}, when=(enough,))


@dataclass(frozen=True, slots=True)
class Slices:
    """The slices of a bucket as they were read, one after the other, and then the rows of what was spent."""

    bucket: str
    items: tuple[Item, ...]
    rows: tuple[Item, ...] = ()

    @property
    def allowed(self) -> int:
        """The allowance of the period, in nano-dollars."""
        return int(self.items[0].get("allowed", 0))

    @property
    def is_open(self) -> bool:
        """False where there is no such budget (yet)."""
        return "allowed" in self.items[0]

    @property
    def spent(self) -> int:
        """Nano-dollars, with a budget or without."""
        return sum(row.get("nusd", 0) for row in self.rows)

    @property
    def returned(self) -> int:
        """What came back, and less what was spent without a hold; nano-dollars."""
        return sum(row.get("returned", 0) for row in self.rows)

    @property
    def debts(self) -> list[list[Item]]:
        """The rows that say less than nothing came back, as many together as a transaction takes."""
        owing = [row for row in self.rows if row.get("returned", 0) < 0]
        return [owing[first : first + MOST_LENDERS] for first in range(0, len(owing), MOST_LENDERS)]

    @property
    def available(self) -> int:
        """What may still be held, of all together, with what came back."""
        return sum(lender.amount for lender in self._slices() + self._rows())

    @property
    def lacks(self) -> int:
        """What the others owe the first slice: a lowered allowance may leave it less than nothing."""
        return max(0, -self.items[0]["available"]) if len(self.items) > 1 else 0

    def borrowing(self, number: int, nusd: int, most_lenders: int = MOST_LENDERS) -> list[Update] | None:
        """The writes that hold from one slice with what others lend it; all of them, or none.

        What they lend beyond the need makes the next jobs find enough: half of what another slice has more, all that
        a row has. None where more have to lend than a transaction takes, or `most_lenders`.
        """
        need = nusd - self.items[number]["available"]
        lent = self._lent(number, need, most_lenders)
        change = sum(amount for _, amount in lent)
        if change < need:
            return None
        change -= nusd
        key, enough = key_of(slice_of(self.bucket, number)), If("available", ">=", -change)
        own = Update("ledger", *key, add={"available": change}, when=(enough,))
        return [own, *(lender.gives(amount) for lender, amount in lent)]

    def paying(self, nusd: int) -> list[list[Update]]:
        """Transactions by which the others give the first slice so much, as far as they have it; one for each."""
        first, payments = key_of(self.bucket), []
        for lender in _richest(self._slices(but=0) + self._rows()):
            if (amount := min(nusd, lender.amount)) > 0:
                nusd -= amount
                paid = Update("ledger", *first, add={"available": amount}, when=(If("pk", "exists"),))
                payments.append([paid, lender.gives(amount)])
        return payments

    def _lent(self, number: int, need: int, most: int) -> list[tuple[Lender, int]]:
        rows = self._rows()
        if len(self.items) == 1:
            return [(row, row.amount) for row in _richest(rows)[:most]]
        lent = [(row, row.amount) for row in rows if row.amount < 0][:most]
        need -= sum(amount for _, amount in lent)
        lenders = [lender for lender in self._slices(but=number) + rows if lender.amount > 0]
        able = [lender for lender in lenders if lender.amount >= need]
        if able and need > 0:
            # Not always the richest: those that borrow at the same time would meet there.
            (lender,) = random.choices(able, [each.amount for each in able])  # noqa: S311 - no secret
            half = max(need, (lender.amount + need) // 2)
            return [*lent, (lender, half if lender.attribute == "available" else lender.amount)]
        for lender in _richest(lenders)[: most - len(lent)]:
            if (amount := min(lender.amount, need)) > 0:
                lent.append((lender, amount))
                need -= amount
        return lent

    def _slices(self, but: int | None = None) -> list[Lender]:
        return [Lender(item, "available") for number, item in enumerate(self.items) if number != but]

    def _rows(self) -> list[Lender]:
        return [Lender(row, "returned") for row in self.rows if row.get("returned")]


def cutting(bucket: str, first_slice: Item, count: int) -> list[Put | Update]:
    """The writes that cut a budget, which is whole and whose item this is, into slices of the same size."""
    share = max(0, first_slice["available"]) // count
    until = {"expires_at": first_slice["expires_at"]} if "expires_at" in first_slice else {}
    given = (count - 1) * share
    whole = (If("slices", "absent"), If("available", ">=", given))
    keys = [key_of(slice_of(bucket, number)) for number in range(count)]
    first = Update("ledger", *keys[0], set={"slices": count}, add={"available": -given}, when=whole)
    others = [{"pk": pk, "sk": sk, "available": share, **until} for pk, sk in keys[1:]]
    return [first, *(Put("ledger", item, (If("pk", "absent"),)) for item in others)]


def read(database: Database, bucket: str) -> Slices:
    """The slices as of now; the first one says how many there are. Of a budget that is not there: one without money."""
    first = _read(database, bucket)
    count = first.get("slices", 1)
    return Slices(bucket, (first, *(_read(database, slice_of(bucket, number)) for number in range(1, count))))


def read_all(database: Database, bucket: str) -> Slices:
    """The same, and after them what was spent of each."""
    found = read(database, bucket)
    period = bucket.rpartition("/")[2]
    scopes = (slice_of(bucket, number).rpartition("/")[0] for number in range(len(found.items)))
    rows = (row for scope in scopes for row in database.query("ledger", f"SPEND#{scope}", f"{period}#"))
    return Slices(bucket, found.items, tuple(rows))


def _read(database: Database, name: str) -> Item:
    pk, sk = key_of(name)
    return database.get("ledger", pk, sk) or {"pk": pk, "sk": sk, "available": 0}


def _richest(lenders: list[Lender]) -> list[Lender]:
    return sorted(lenders, key=lambda lender: -lender.amount)
