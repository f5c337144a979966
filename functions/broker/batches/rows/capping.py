"""`max_cost_usd` of a batch: rows begin only while all that is paid, and all that may still be, fits below it.

    reserved   what ended rows cost, and what open ones may cost at their worst     Batch.reserved, Shard.reserved
    settled    the part of it that was paid                                         Batch.settled, Shard.settled

Who runs a shard's rows reserves for several at once, so the batch's item is written some times a shard. Each change
is one transaction with the shard's own sums: a crash leaves too much reserved, never too little, and whoever comes to
the shard next puts that right. A batch stops when nothing is outstanding, and the next row's worst case does not fit.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from broker.batches.batch import Batch
from broker.batches.shard import Shard, row_job_id, shard_pk
from broker.batches.store import Batches
from broker.clock import NANO
from broker.errors import Unavailable
from broker.jobs.request import JobRequest
from broker.jobs.store import Jobs
from broker.storage import If, Update

FIRST_WAIT_S, WAIT_S = 2, 20
"""Before rows come again for which there was no money left: what others cost less than they might have is theirs. Each
time that none of them could begin they wait twice as long, as far as the second: to look is a read for each row."""

Worst = Callable[[JobRequest, Batch, int, Mapping[str, Any]], int]
"""Nano-dollars that a request of a batch can cost at most, at a moment, by what the broker knows of it beside. Raises
what accepting it would."""

NOTHING: Mapping[str, Any] = {}


@dataclass(slots=True)
class Purse:
    """The money of a batch in the hands of the one who runs a shard's rows, and holds its lease."""

    batches: Batches
    worst: Worst
    batch: Batch
    shard: Shard
    left: int = 0
    """Reserved, and not given to a row."""
    refused: int | None = None
    """The least for which there was none; no more is asked for that much until the shard comes again."""
    has_admitted: bool = False
    """True where a row began."""
    stopped: Batch | None = field(default=None)
    """The batch, once it has stopped for want of money."""

    @property
    def has_waiting(self) -> bool:
        """True where rows wait for others to cost less than they might."""
        return self.refused is not None and self.stopped is None

    def open(self, jobs: Jobs) -> None:
        """Put right what is reserved for the shard: what its ended rows cost, and the worst of those that are jobs."""
        paid = sum(end.cost for end in self.shard.ends.values())
        if self.shard.reserved or paid:
            worst = paid + sum(self._limit(jobs, place) for place in range(self.shard.rows))
            self._book(worst - self.shard.reserved, paid - self.shard.settled)

    def admit(self, request: JobRequest, rows: int, now: int, known: Mapping[str, Any] = NOTHING) -> JobRequest:
        """Let a row begin; gives its request with its worst case for a limit.

        Args:
            request: of the row.
            rows: of the shard that have not begun, this one included.
            now: milliseconds.
            known: of it (`rows.sources.Content`).

        Raises:
            Unavailable: there is no money for it now, or the batch has stopped for want of it.
            InvalidRequest: and its kin, as accepting it would.
        """
        worst = self.worst(request, self.batch, now, known)
        if worst > self.left:
            self._reserve(worst, rows, now)
        self.left -= worst
        self.has_admitted = True
        if not worst:
            return request
        routing = request.routing.model_copy(update={"max_cost_usd": (worst + 0.5) / NANO})
        return request.model_copy(update={"routing": routing})

    def close(self) -> None:
        """Give back what no row took."""
        if self.left:
            self._book(-self.left, 0)
            self.left = 0

    def _limit(self, jobs: Jobs, place: int) -> int:
        if place in self.shard.ends:
            return 0
        head = jobs.find(row_job_id(self.batch.id, self.batch.created_at, self.shard.first_row + place))
        return head.limit if head else 0

    def _reserve(self, worst: int, rows: int, now: int) -> None:
        least, most = worst - self.left, worst * rows - self.left
        cap = self.batch.asked["max_cost"]
        if self.refused is None or worst < self.refused:
            self.batch = self.batches.get(self.batch.id)
            for amount in (most, least):
                if self.batch.reserved + amount <= cap and self._book(amount, 0, cap):
                    self.left += amount
                    return
            self.refused = worst
            outstanding = self.batch.reserved - self.batch.settled - self.left
            if not outstanding:
                self.stopped = self._stop(now)
        raise Unavailable("The batch has no money for the row now.", code="cap_reached")

    def _stop(self, now: int) -> Batch | None:
        """Stop the batch, unless something was reserved meanwhile."""
        held = self.left

        def decide(before: Batch) -> Batch:
            return before if before.reserved - before.settled - held else before.stopped("capped", now)

        _, after = self.batches.change(self.batch.id, decide)
        return after if after.has_stopped else None

    def _book(self, reserved: int, settled: int, cap: int | None = None) -> bool:
        """Add to what is reserved and settled, of batch and shard in one; False where that would be above the cap."""
        if not reserved and not settled:
            return True

        def decide(before: Batch) -> Batch:
            if cap is not None and before.reserved + reserved > cap:
                return before
            return replace(before, reserved=before.reserved + reserved, settled=before.settled + settled)

        own = replace(self.shard, reserved=self.shard.reserved + reserved, settled=self.shard.settled + settled)
        beside = Update(
            *("jobs", shard_pk(own.batch, own.number), "SHARD"),
            set={"reserved": own.reserved, "settled": own.settled},
            when=(If("lease_until", "=", self.shard.lease_until),),
        )
        before, after = self.batches.change(self.batch.id, decide, beside)
        self.batch = after
        if before == after:
            return False
        self.shard = own
        return True
