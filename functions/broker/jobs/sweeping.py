"""The sweep: every minute, whatever is due. With it a job ends whatever crashed on its way.

Each shard of the due index is a strand, which works on from what has been due longest until time is short; the dead
letters are another, which begins first. Strands go side by side, for an item is three or four calls, most of it waiting
for replies. So one that hangs keeps no other.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from typing import Protocol

from broker.errors import Conflict, NotFound
from broker.jobs.ending import settle_orphaned_calls
from broker.jobs.head import SHARDS, Head, Status, job_id_of
from broker.jobs.reconciling import give_up, is_to_be_sent, reconcile, send_soon
from broker.jobs.store import Jobs, Moved, Payloads, Queue
from broker.side_by_side import Work, one_by_one
from broker.storage import Item

PAGE = 100
"""Keys of the due index that are read at once."""

MINUTE_MS = 60_000

Together = Callable[[Sequence[Work]], None]
"""Does all of them; it may return before all are done."""


class DeadLetters(Protocol):
    """The dead-letter queues of the lanes."""

    def take(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """Job ids of dead messages, each with the call that deletes its message."""
        ...


@dataclass(slots=True)
class Swept:
    """What one sweep did, as counts."""

    expired: int = 0
    requeued: int = 0
    failed: int = 0
    waiting: int = 0
    reckoned: int = 0
    deliveries: int = 0
    batches: int = 0
    dead_letters: int = 0
    unread: int = 0
    """Shards, and the dead letters, of which nobody knows what waits there: they could not be read to their end."""
    errors: list[str] = field(default_factory=list)
    """Names of exceptions; what they struck is still due and comes again."""
    oldest_due_at: int | None = None
    """Since when (milliseconds) the first of what is left has been due; None where nothing is."""

    def leave(self, due_at: int) -> None:
        """Note something that is still due."""
        self.oldest_due_at = due_at if self.oldest_due_at is None else min(self.oldest_due_at, due_at)

    def add(self, other: "Swept") -> None:
        """Count what another strand did as well."""
        for spec in fields(self):
            if spec.name != "oldest_due_at":
                setattr(self, spec.name, getattr(self, spec.name) + getattr(other, spec.name))
        if other.oldest_due_at is not None:
            self.leave(other.oldest_due_at)


@dataclass(slots=True)
class _Strand:
    """One partition of what is due, or the dead letters."""

    work: Callable[["_Strand"], None]
    swept: Swept = field(default_factory=Swept)
    in_hand: int | None = None
    """Since when that has been due which it is at."""
    is_over: bool = False

    def __call__(self) -> None:
        try:
            self.work(self)
        except Exception as error:  # what it is to go through could not be read
            self.swept.errors.append(type(error).__name__)
            self.swept.unread += 1
        self.is_over = True

    def closed(self) -> Swept:
        """What it did; and what it hangs in, where it does."""
        if not self.is_over:
            self.swept.errors.append("Stuck")
            if self.in_hand is None:
                self.swept.unread += 1
            else:
                self.swept.leave(self.in_hand)
        return self.swept


class Sweep:
    """Tends what is due: leases, deadlines, jobs never sent, deliveries, batches to collect, dead letters."""

    def __init__(
        self,
        jobs: Jobs,
        payloads: Payloads,
        queue: Queue,
        dead_letters: DeadLetters,
        resend_delivery: Callable[[Item, int], bool],
        resend_batch: Callable[[Item, int], bool] = lambda item, now: False,
        can_start: Callable[[Head], bool] = lambda head: True,
    ) -> None:
        """`can_start` is False of a job that is itself at fault where no workflow can be started for it."""
        self._jobs = jobs
        self._payloads = payloads
        self._queue = queue
        self._dead_letters = dead_letters
        self._resend_delivery = resend_delivery
        self._resend_batch = resend_batch
        self._can_start = can_start

    def __call__(
        self, now: int, *, time_left: Callable[[], bool] = lambda: True, together: Together = one_by_one
    ) -> Swept:
        """Sweep once. May run twice at the same time and may stop anywhere: what is left is due the next time.

        Args:
            now: milliseconds.
            time_left: False when the rest should wait for the next sweep.
            together: has the strands done.
        """

        def dead(strand: _Strand) -> None:
            self._bury_all(strand.swept, now, time_left)

        def due(shard: int) -> Callable[[_Strand], None]:
            return lambda strand: self._tend_all(shard, strand, now, time_left)

        # Another shard is first each minute: where they are done one by one, what is left is not always the same.
        first = now // MINUTE_MS
        strands = [_Strand(dead), *(_Strand(due((first + place) % SHARDS)) for place in range(SHARDS))]
        together(strands)
        swept = Swept()
        for strand in strands:
            swept.add(strand.closed())
        return swept

    def _tend_all(self, shard: int, strand: _Strand, now: int, time_left: Callable[[], bool]) -> None:
        cursor = None
        while True:
            page = self._jobs.due(shard, now, PAGE, cursor)
            for item in page.items:
                strand.in_hand = item["due_at"]
                if not time_left():
                    strand.swept.leave(item["due_at"])
                    return
                try:
                    self._tend(item, now, strand.swept)
                except Exception as error:  # one bad item must not keep the others waiting
                    strand.swept.errors.append(type(error).__name__)
                    strand.swept.leave(item["due_at"])
            if (cursor := page.cursor) is None:
                return

    def _bury_all(self, swept: Swept, now: int, time_left: Callable[[], bool]) -> None:
        for job_id, delete in self._dead_letters.take():
            if not time_left():
                return
            try:
                self._bury(job_id, now, swept)
                delete()
            except Exception as error:
                swept.errors.append(type(error).__name__)

    def _bury(self, job_id: str, now: int, swept: Swept) -> None:
        """Have the job of a dead message sent again; another message of it may be under way as well."""
        swept.dead_letters += 1

        def after(head: Head) -> Head:
            return send_soon(head, now=now) if self._can_start(head) else give_up(head, now=now)

        with suppress(Conflict, NotFound):
            swept.failed += self._jobs.change(job_id, after).status is Status.FAILED

    def _tend(self, item: Item, now: int, swept: Swept) -> None:
        if item["sk"] in ("BATCH", "BULK"):
            swept.batches += self._resend_batch(item, now)
            return
        if item["sk"] != "HEAD":
            swept.deliveries += self._resend_delivery(item, now)
            return
        try:
            head = self._jobs.get(job_id_of(item))
            if head.status.terminal:
                settle_orphaned_calls(self._jobs, self._payloads, head, now)
                swept.reckoned += 1
                return
            if is_to_be_sent(_if_due(head, now), now=now):
                self._send(head, now, swept)
                return
            before = head.status
            head = self._jobs.change(
                head.id, lambda current: reconcile(_if_due(current, now, before), now=now), known=head
            )
        except (Conflict, NotFound):
            return
        if head.status is Status.QUEUED:
            self._send(head, now, swept)
        elif head.status is Status.EXPIRED:
            swept.expired += 1
        elif head.status is Status.FAILED:
            swept.failed += 1
        else:
            swept.waiting += 1

    def _send(self, head: Head, now: int, swept: Swept) -> None:
        """Send a queued job, and note that then, not before: what is noted is known to have been sent.

        The message tells the job as it will be noted, at the revision that it has: who is faster than the note claims
        it by that.
        """
        noted = reconcile(head, now=now)
        self._queue.send(replace(noted, rev=head.rev))
        swept.requeued += 1
        with suppress(Moved):  # it has been started meanwhile
            self._jobs.change(head.id, lambda _: noted, known=head, once=True)


def _if_due(head: Head, now: int, status: Status | None = None) -> Head:
    """The index lags behind the table: what is no longer due, or stands elsewhere by now, is left alone."""
    if head.due_at is None or head.due_at > now or head.status is not (status or head.status):
        raise Conflict(f"job {head.id} is not due")
    return head
