"""Holding money, as one process does it: from one slice of a budget, and from more where they are short or crowded."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from types import MappingProxyType

from broker.errors import BrokerError
from broker.storage import ConditionFailed, Contended, Database, If, Put, Update
from broker.tenants import ledger, slices
from broker.tenants.slices import Slices

ATTEMPTS = 16
"""Slices that one job tries where others meet it: a second or so."""

TRIES = 3
"""At one slice; then there are more of them, or it is another's turn."""

ROUNDS = 8
"""Looks at a budget that changes while it is looked at."""

Write = Callable[[str, Sequence[Put | Update]], None]
"""Writes a job that holds from a slice, which is named, with the writes that take it from there; the job's own is the
first of the transaction, these are the next."""

Crossed = Sequence[tuple[str, int]]
"""Buckets, and how many of their marks have been passed with a job."""

WriteAll = Callable[[Mapping[str, str], Sequence[Put | Update], Crossed], None]
"""The same of several buckets: the slices are by their buckets. With it comes which marks the job passes."""

Refusal = Callable[[Slices, int], BrokerError]
"""The error of a bucket, as it was found, that does not cover an amount."""

MOST_OPENED = 20_000
"""Buckets that a process remembers."""


LOOK_EACH = 32
"""Of a bucket that lies in slices, a process looks at each so many holds how much of it all is left."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The writes that hold of one bucket."""

    writes: Sequence[Put | Update]
    is_strict: bool = False
    """They fail as well where a mark would be passed."""
    borrows: bool = False
    crossed: int = 0
    """How many marks are passed with it, where that is new."""


NOTHING = Plan((), is_strict=True)


def exceeded(found: Slices, amount: int) -> BrokerError:
    """The error of a tenant's own budget."""
    return ledger.exceeded(ledger.standing_of(found), amount)


class Budgets:
    """The budgets of the deployment. A process remembers what it has opened, and how many slices it has seen."""

    def __init__(self, database: Database, count: int = slices.COUNT) -> None:
        """Budgets on which jobs meet are cut into `count` slices."""
        self._database, self._count = database, count
        self._opened: dict[tuple[str, str], tuple[int, int | None]] = {}
        self._counts: dict[str, int] = {}
        self._passed: dict[str, int] = {}
        """How many marks of a bucket are known to be passed."""
        self._held: dict[str, int] = {}

    def open(
        self, scope: str, period: str, allowed: int, version: int | None = None, *, until_s: int | None = None
    ) -> None:
        """Make sure that the bucket of a period exists and has this allowance; asks nobody where it knows.

        Args:
            scope: a tenant, whose budget it is, or what a rule counts of it.
            period: of the scope.
            allowed: nano-dollars, or jobs.
            version: of the tenant's entry: with another one, what was spent meanwhile without a budget counts too.
            until_s: when its items may go, in seconds since the epoch.
        """
        if self._opened.get((scope, period)) != (allowed, version):
            count = ledger.open_period(self._database, scope, period, allowed, version, until_s)
            if len(self._opened) >= MOST_OPENED:
                for each in (self._opened, self._counts, self._passed, self._held):
                    each.clear()
            self._opened[scope, period] = (allowed, version)
            self._counts[ledger.bucket_of(scope, period)] = count

    def hold(self, tenant: str, period: str, nusd: int, job_id: str, write: Write) -> None:
        """Hold so many nano-dollars of a tenant's budget alone; see `hold_all`."""
        bucket = ledger.bucket_of(tenant, period)
        self.hold_all({bucket: nusd}, job_id, lambda names, writes, _: write(names[bucket], writes))

    def hold_all(
        self,
        wanted: Mapping[str, int],
        job_id: str,
        write: WriteAll,
        refusals: Mapping[str, Refusal] = MappingProxyType({}),
        marks: Mapping[str, Sequence[int]] = MappingProxyType({}),
    ) -> None:
        """Hold so much of each of some buckets in the commit that writes a job: all of them, or none.

        Args:
            wanted: what is to be held, by bucket.
            job_id: chooses slices.
            write: writes the job.
            refusals: the errors of buckets that have one of their own.
            marks: by bucket, how much of it may be held and spent until that is told, in ascending order.

        Raises:
            BrokerError: all slices of one bucket together, with what has come back, do not cover it.
            ConditionFailed: the job exists (position 0), or what else is in the commit was refused.
            Contended: others were at the same slices each time; nothing was written.
        """
        last = Contended(())
        for attempt in range(ATTEMPTS):
            numbers = {each: slices.number_for(job_id, attempt, self._counts.get(each, 1)) for each in wanted}
            names = {each: slices.slice_of(each, number) for each, number in numbers.items()}
            plans = {each: self._plan(each, names[each], wanted[each], marks.get(each, ())) for each in wanted}
            try:
                while short := self._lacking(names, plans, write):
                    if any(plans[bucket].borrows for bucket in short):
                        break
                    for bucket in short:
                        amount, plan = wanted[bucket], plans[bucket]
                        if plan.is_strict:
                            plan = self._at_mark(bucket, names[bucket], amount, marks[bucket])
                        else:
                            refuse = refusals.get(bucket, exceeded)
                            plan = Plan(
                                self._borrowed(bucket, numbers[bucket], amount, len(wanted), refuse), borrows=True
                            )
                        plans[bucket] = plan
                else:
                    return
            except Contended as error:
                last = error
                for bucket in _at(error.met, plans) or wanted:
                    self._cut(bucket)
        raise last

    def _plan(self, bucket: str, name: str, amount: int, marks: Sequence[int]) -> Plan:
        """What holds it where the slice has enough and, of a bucket that is whole, no mark is passed."""
        passed, count = self._passed.get(bucket, 0), self._counts.get(bucket, 1)
        if passed >= len(marks):
            return Plan([ledger.hold(name, amount)])
        if count > 1:  # no slice knows of the others: now and then, all are looked at
            self._held[bucket] = self._held.get(bucket, 0) + 1
            return Plan([ledger.hold(name, amount)]) if self._held[bucket] % LOOK_EACH else NOTHING
        scope, _, period = bucket.rpartition("/")
        allowed, _ = self._opened[scope, period]
        return Plan([ledger.hold(name, amount, allowed - marks[passed] + 1)], is_strict=True)

    def _at_mark(self, bucket: str, name: str, amount: int, marks: Sequence[int]) -> Plan:
        """What holds it where a mark may be passed, and tells so once."""
        found = slices.read_all(self._database, bucket)
        first = found.items[0]
        known, used = first.get("passed", 0), found.allowed - found.available + amount
        passed = sum(mark <= used for mark in marks)
        self._passed[bucket], self._counts[bucket] = max(passed, known), len(found.items)
        hold = ledger.hold(name, amount)
        if passed <= known or found.available < amount:
            return Plan([hold])
        once = If("passed", "=", known) if "passed" in first else If("passed", "absent")
        if name == bucket:
            hold = replace(hold, set={"passed": passed}, when=(*hold.when, once))
            return Plan([hold], crossed=passed)
        pk, sk = slices.key_of(bucket)
        return Plan([hold, Update("ledger", pk, sk, set={"passed": passed}, when=(once,))], crossed=passed)

    def _lacking(self, names: Mapping[str, str], plans: Mapping[str, Plan], write: WriteAll) -> Sequence[str]:
        """Try it; the buckets whose slices do not have it, or no longer."""
        unknown = [bucket for bucket, plan in plans.items() if not plan.writes]
        if unknown:
            return unknown
        crossed = [(bucket, plan.crossed) for bucket, plan in plans.items() if plan.crossed]
        try:
            write(names, [each for plan in plans.values() for each in plan.writes], crossed)
        except ConditionFailed as error:
            short = _at(error.failed, plans)
            if 0 in error.failed or not short:
                raise
            return short
        return ()

    def _borrowed(self, bucket: str, number: int, amount: int, buckets: int, refuse: Refusal) -> list[Update]:
        """The writes that hold from a slice what all together have.

        A job is refused only by what was there at one moment. What came back is seen after the slices; where these are
        the same after it, nothing was moved from the one to the other meanwhile.
        """
        for _ in range(ROUNDS):
            found = slices.read_all(self._database, bucket)
            self._counts[bucket] = len(found.items)
            if found.available >= amount:
                lenders = slices.MOST_LENDERS // buckets
                plan = None if found.lacks else found.borrowing(number, amount, lenders)
                if plan is not None:
                    return plan
                ledger.pay(self._database, found, found.lacks or amount)
            elif slices.read(self._database, bucket).items == found.items:
                raise refuse(found, amount)
        raise Contended(())

    def _cut(self, bucket: str) -> None:
        """Cut a budget into slices, unless another process has done so, which this one learns here."""
        if self._counts.get(bucket, 1) > 1:
            return
        first = self._database.get("ledger", *slices.key_of(bucket))
        count = first.get("slices", 1) if first else 1
        if first and count < self._count:
            with suppress(ConditionFailed, Contended):  # another did it, or will
                self._database.write(*slices.cutting(bucket, first, self._count), tries=TRIES)
                count = self._count
        self._counts[bucket] = count


def _at(places: Sequence[int], plans: Mapping[str, Plan]) -> list[str]:
    """The buckets whose writes stand at these places of a transaction, behind the job's."""
    found, place = list[str](), 1
    for bucket, plan in plans.items():
        if any(place <= each < place + len(plan.writes) for each in places):
            found.append(bucket)
        place += len(plan.writes)
    return found
