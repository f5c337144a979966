"""Holding money, as one process does it: from one slice of a budget, and from more where they are short or crowded."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from broker.storage import ConditionFailed, Contended, Database, Put, Update
from broker.tenants import ledger, slices

ATTEMPTS = 16
"""Slices that one job tries where others meet it: a second or so."""

TRIES = 3
"""At one slice; then there are more of them, or it is another's turn."""

ROUNDS = 8
"""Looks at a budget that changes while it is looked at."""

Write = Callable[[str, Sequence[Put | Update]], None]
"""Writes a job that holds from a slice, which is named, with the writes that take it from there; the job's own is the
first of the transaction, these are the next."""


class Budgets:
    """The budgets of the deployment. A process remembers what it has opened, and how many slices it has seen."""

    def __init__(self, database: Database, count: int = slices.COUNT) -> None:
        """Budgets on which jobs meet are cut into `count` slices."""
        self._database, self._count = database, count
        self._opened: dict[tuple[str, str], tuple[int, int | None]] = {}
        self._counts: dict[str, int] = {}

    def open(self, tenant: str, period: str, allowed: int, version: int | None = None) -> None:
        """Make sure that the budget of a period exists and has this allowance; asks nobody where it knows.

        With another `version` of the tenant's entry, what was spent meanwhile without a budget counts too.
        """
        if self._opened.get((tenant, period)) != (allowed, version):
            count = ledger.open_period(self._database, tenant, period, allowed, version)
            self._opened[tenant, period] = (allowed, version)
            self._counts[ledger.bucket_of(tenant, period)] = count

    def hold(self, tenant: str, period: str, nusd: int, job_id: str, write: Write) -> None:
        """Hold so many nano-dollars of a tenant's budget in the commit that writes a job.

        Raises:
            BudgetExceeded: all slices together, with what has come back, do not cover it.
            ConditionFailed: the job exists (position 0), or what else is in the commit was refused.
            Contended: others were at the same slices each time; nothing was written.
        """
        bucket = ledger.bucket_of(tenant, period)
        last = Contended(())
        for attempt in range(ATTEMPTS):
            number = slices.number_for(job_id, attempt, self._counts.get(bucket, 1))
            name = slices.slice_of(bucket, number)
            try:
                if self._held(name, [ledger.hold(name, nusd)], write):
                    return
                if self._held(name, self._borrowed(tenant, period, number, nusd), write):
                    return
            except Contended as error:
                last = error
                self._cut(bucket)
        raise last

    def _held(self, name: str, writes: Sequence[Put | Update], write: Write) -> bool:
        """Try it; False where the slices do not have it, or no longer."""
        try:
            write(name, writes)
        except ConditionFailed as error:
            if 0 in error.failed or min(error.failed) > len(writes):
                raise
            return False
        return True

    def _borrowed(self, tenant: str, period: str, number: int, nusd: int) -> list[Update]:
        """The writes that hold from a slice what all together have.

        A job is refused only by what was there at one moment. What came back is seen after the slices; where these are
        the same after it, nothing was moved from the one to the other meanwhile.
        """
        bucket = ledger.bucket_of(tenant, period)
        for _ in range(ROUNDS):
            found = slices.read_all(self._database, bucket)
            self._counts[bucket] = len(found.items)
            if found.available >= nusd:
                plan = None if found.lacks else found.borrowing(number, nusd)
                if plan is not None:
                    return plan
                ledger.pay(self._database, found, found.lacks or nusd)
            elif slices.read(self._database, bucket).items == found.items:
                raise ledger.exceeded(ledger.standing_of(found), nusd)
        raise Contended(())

    def _cut(self, bucket: str) -> None:
        """Cut a budget into slices, unless another process has done so, which this one learns here."""
        if self._counts.get(bucket, 1) > 1:
            return
        first = self._database.get("ledger", *slices.key_of(bucket))
        count = first.get("slices", 1) if first else 1
        if first and count < self._count:
            with suppress(ConditionFailed, Contended):  # another did it, or will
                self._database.write(*slices.cutting(bucket, first["available"], self._count), tries=TRIES)
                count = self._count
        self._counts[bucket] = count
